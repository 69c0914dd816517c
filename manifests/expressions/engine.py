"""The one place that talks to CEL: a single environment without variables, for parsing and for evaluating."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_optional, ext_strings

from manifests.expressions.tokens import Token, tokens

# `loop` is a variable of ours and a reserved word of CEL; a name of the same length keeps all columns.
LOOP, _LOOP = "loop", "l__p"


def _keys(value: dict[Any, Any]) -> list[Any]:
    return sorted(value)


def _same(value: list[Any]) -> list[Any]:
    return value


def _environment() -> Any:
    """Expressions are parsed, never checked, by CEL: names and types are ours to judge, all at once."""
    kind = cel.Type
    keys = cel.Overload("ordered_map", return_type=kind.LIST, parameters=[kind.MAP], is_member=True, impl=_keys)
    same = cel.Overload("ordered_list", return_type=kind.LIST, parameters=[kind.LIST], is_member=True, impl=_same)
    ordered = cel.FunctionDecl("ordered__", [keys, same])
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings(), ext_math.ExtMath()]
    return cel.NewEnv(variables={}, extensions=extensions, functions=[ordered])


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


def ordered(text: str) -> str:
    """The text with keys in order before every `map` and `filter`: CEL's maps have a new order in every process."""
    if "map" not in text and "filter" not in text:
        return text
    return _replaced(text, ((token, f"ordered__().{token.text}") for token in _macros(text)))


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


def _macros(text: str) -> Iterator[Token]:
    words = list(tokens(text))
    for before, token, after in zip(words, words[1:], words[2:], strict=False):
        if before.text == "." and token.text in ("map", "filter") and after.text == "(":
            yield token


def _replaced(text: str, changes: Iterator[tuple[Token, str]]) -> str:
    pieces, at = [], 0
    for token, word in changes:
        pieces += [text[at : token.start], word]
        at = token.end
    return "".join([*pieces, text[at:]])
