"""The one place that talks to CEL: a single environment without variables, for parsing and for evaluating."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_optional, ext_strings

from manifests.expressions.tokens import Token, tokens

# `loop` is a variable of ours and a reserved word of CEL; a name of the same length keeps all columns.
LOOP, _LOOP = "loop", "l__p"

# CEL's `map` and `filter` copy their list with each item: lists of up to SHORT cost no more than other work, those of
# up to LONGEST 25 ms. A workflow that works for two seconds without a pause fails its task, for ever.
SHORT, LONGEST = 128, 1_000
ITERATIONS = 100_000
TOO_MANY = f"the loops take too many iterations (at most {ITERATIONS:,}); move one of them into a map node"
_TOO_LONG = "is too long for a loop inside CEL"
_WAY_OUT = "move it to the outside of the expression, or into a map node"
_FOLDS = ("all", "exists", "exists_one")


class TooMany(Exception):
    """More iterations than one expression may take."""


class _Meter(threading.local):
    """CEL's callbacks know no caller, so each thread has its count."""

    spent = 0


_METER = _Meter()


def spent() -> int:
    return _METER.spent


def count_from(spent: int) -> None:
    _METER.spent = spent


def count(iterations: int) -> None:
    """Raises `TooMany`."""
    _METER.spent += iterations
    if _METER.spent > ITERATIONS:
        raise TooMany(TOO_MANY)


def is_refusal(said: str) -> bool:
    return said == TOO_MANY or (_TOO_LONG in said and said.endswith(_WAY_OUT))


def _keys(value: dict[Any, Any], longest: int) -> list[Any]:
    return sorted(_bounded(value, longest))


def _bounded(value: Any, longest: int) -> Any:
    if len(value) > longest:
        what = f"a list of {len(value):,}" if isinstance(value, list) else f"an object of {len(value):,}"
        raise TooMany(f"{what} {_TOO_LONG} (at most {longest:,}); {_WAY_OUT}")
    return _counted(value)


def _counted(value: Any) -> Any:
    count(len(value))
    return value


def _counted_keys(value: dict[Any, Any]) -> list[Any]:
    return sorted(_counted(value))


def _environment() -> Any:
    """Expressions are parsed, never checked, by CEL: names and types are ours to judge, all at once."""
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings(), ext_math.ExtMath()]
    ordered = _list_function("ordered__", _keys, _bounded, [cel.Type.INT])
    counted = _list_function("counted__", _counted_keys, _counted, [])
    return cel.NewEnv(variables={}, extensions=extensions, functions=[ordered, counted])


def _list_function(name: str, of_map: Any, of_list: Any, more: list[Any]) -> Any:
    """A method of objects and lists that gives a list."""
    kind = cel.Type
    overloads = [
        cel.Overload(
            f"{name}{given.name()}", return_type=kind.LIST, parameters=[given, *more], is_member=True, impl=impl
        )
        for given, impl in ((kind.MAP, of_map), (kind.LIST, of_list))
    ]
    return cel.FunctionDecl(name, overloads)


_ERROR = cel.Type.ERROR
_ENVIRONMENT = _environment()


def compiled(text: str) -> Any:
    return _ENVIRONMENT.compile(text, disable_check=True)


def is_error(value: Any) -> bool:
    """An error, or an optional: CEL's Python types do not tell the two apart."""
    return bool(value.type() == _ERROR)


def is_list(value: Any) -> bool:
    return bool(value.type().name().startswith("LIST"))


def spelt(text: str) -> str:
    """The text as CEL may see it: our `loop` under another name of the same length."""
    if LOOP not in text:
        return text
    return _replaced(text, ((token, _LOOP) for token in _roots(text) if token.text == LOOP))


def ordered(text: str, longest: int) -> str:
    """The text with keys in order before every `map` and `filter`, which take `longest` items at most."""
    if "map" not in text and "filter" not in text:
        return text
    found = _macros(text, ("map", "filter"))
    return _replaced(text, ((token, f"ordered__({longest}).{token.text}") for token in found))


def metered(text: str, longest: int, start: int = 0) -> str:
    """The same from `start` on, with all iterations counted."""
    found = (token for token in _macros(text, ("map", "filter", *_FOLDS)) if token.start > start)
    calls = ((token, "counted__()" if token.text in _FOLDS else f"ordered__({longest})") for token in found)
    return _replaced(text, ((token, f"{call}.{token.text}") for token, call in calls))


def name_from_cel(name: str) -> str:
    return LOOP if name == _LOOP else name


def name_for_cel(name: str) -> str:
    return _LOOP if name == LOOP else name


def names(text: str) -> frozenset[str]:
    """Every word that could be a variable; some of them are fields or functions."""
    return frozenset(token.text for token in _roots(text))


def _roots(text: str) -> Iterator[Token]:
    before = ""
    for token in tokens(text):
        if token.kind == "name" and before != ".":
            yield token
        if not (token.text == "?" and before == "."):
            before = token.text


def _macros(text: str, kinds: tuple[str, ...]) -> Iterator[Token]:
    words = list(tokens(text))
    for before, token, after in zip(words, words[1:], words[2:], strict=False):
        if before.text == "." and token.text in kinds and after.text == "(":
            yield token


def _replaced(text: str, changes: Iterator[tuple[Token, str]]) -> str:
    pieces, at = [], 0
    for token, word in changes:
        pieces += [text[at : token.start], word]
        at = token.end
    return "".join([*pieces, text[at:]])
