"""One compiled text and its value: what goes into CEL, what comes out, and its failures in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from manifests.expressions import engine
from manifests.expressions.complaints import complaint

Reads: TypeAlias = dict[str, "Reads | None"]

# CEL's quick way out of a value crashes the process on an optional inside an object; such texts take the slow one.
_OPTIONALS = re.compile(r"[.\[{,]\s*\?|optional|opt(?:Flat)?Map|//")
_PLAIN_WORDS = (
    (re.compile(r'Key not found in map : "?(.*?)"?'), r"there is no field '\1'"),
    (re.compile(r'No value with name "(.*?)" found.*'), r"there is no '\1' here"),
    (re.compile(r"Index error: index=(-?\d+) size=(\d+)"), r"there is no item \1 in a list of \2"),
    (re.compile(r"Index error: expected integer type, got (.*)"), r"a list is indexed by a number, not by \1"),
    (re.compile(r"Iteration budget exceeded"), engine.TOO_MANY),
    (re.compile(r"divide by zero|modulus by zero"), "a division by zero"),
    (re.compile(r".*overflow"), "the number does not fit 64 bits"),
    (re.compile(r"Applying SELECT to non-message type"), "a field is read from a value that has none"),
    (re.compile(r"optional.none\(\) dereference"), "the optional is empty; use .orValue(…)"),
    (re.compile(r"Invalid container type: '(.*)'"), r"a \1 cannot be indexed"),
    (re.compile(r"No matching overloads found : <jump_condition>"), "'?' takes a boolean"),
)
_OPTIONAL = "an optional cannot be stored; unwrap it with .orValue(…)"
_OVERLOAD = re.compile(r"No matching overloads found : (?:\((\w+)\)\.)?([\w.@!?:\[\]<>=&|+\-*/%]+?)(?:\((.*)\))?$")
_KINDS = {"int64": "int", "uint64": "uint", "null_type": "null", "map": "object", "bool": "bool"}


class ExpressionFailed(Exception):
    """An expression that has no value here; `text` is the expression."""

    def __init__(self, text: str, message: str) -> None:
        self.text = text
        self.message = message
        super().__init__(f"{message}, in {text!r}")


class TooMuch(ExpressionFailed):
    """An expression whose loops are too long."""


@dataclass(slots=True)
class Program:
    """A compiled text; `reads` are the names that it may look up, each with the fields it wants or None for all."""

    shown: str
    text: str
    run: Any
    reads: Reads
    holds_optionals: bool
    unwrapped: Program | None = None


def compiled(text: str, shown: str, longest: int) -> Program:
    """A whole expression; `longest` is the list that its `map` and `filter` may get."""
    given = engine.ordered(engine.spelt(text), longest)
    return assembled(text, shown, given, dict.fromkeys(sorted(engine.names(text))))


def assembled(text: str, shown: str, given: str, reads: Reads) -> Program:
    """The program of a text that CEL gets as `given`."""
    try:
        run = engine.compiled(given)
    except (RuntimeError, TypeError) as error:
        raise ExpressionFailed(shown, complaint(text, _said_of(text) or str(error)).message) from None
    return Program(shown, text, run, reads, bool(_OPTIONALS.search(text)))


def _said_of(text: str) -> str:
    """What CEL says of a text as it is written, with columns that are true."""
    try:
        engine.compiled(engine.spelt(text))
    except (RuntimeError, TypeError) as error:
        return str(error)
    return ""


def value(program: Program, scope: Mapping[str, Any], whole: bool = True) -> Any:
    """The value as plain JSON; an optional is unwrapped only where it is the value of the whole expression."""
    names = program.reads.items()
    given = {engine.name_for_cel(name): narrowed(scope[name], below) for name, below in names if name in scope}
    try:
        found = program.run.eval(data=given)
    except RuntimeError as error:
        raise _failure(program.shown, str(error)) from None
    if engine.is_error(found):
        said = str(found)
        if not said.startswith("optional."):
            raise _failure(program.shown, said)
        if not whole:
            raise ExpressionFailed(program.shown, _OPTIONAL)
        return _unwrapped(program, scope)
    if program.holds_optionals:
        return _slowly(program.shown, found)
    return as_json(program.shown, found.plain_value())


def followed(text: str, way: tuple[str, ...], scope: Mapping[str, Any]) -> Any:
    """A value that is only looked up does not go through CEL, which would copy all that it stands in."""
    value: Any = scope
    for name in way:
        if not isinstance(value, Mapping):
            raise ExpressionFailed(text, "a field is read from a value that has none")
        if name not in value:
            what = f"there is no {name!r} here" if value is scope else f"there is no field {name!r}"
            raise ExpressionFailed(text, what)
        value = value[name]
    return value


def narrowed(value: Any, reads: Reads | None) -> Any:
    """CEL copies all that it is given, so it is given the fields that are read and not those beside them."""
    if reads is None or not isinstance(value, Mapping):
        return value
    return {name: narrowed(value[name], below) for name, below in reads.items() if name in value}


def _failure(shown: str, said: str) -> ExpressionFailed:
    words = in_plain_words(said)
    return (TooMuch if engine.is_refusal(words) else ExpressionFailed)(shown, words)


def _unwrapped(program: Program, scope: Mapping[str, Any]) -> Any:
    """The value of an optional, or null; an optional itself cannot be brought into Python."""
    if program.unwrapped is None:
        text = f"({program.text}\n).orValue(null)"
        given = engine.ordered(engine.spelt(text), engine.LONGEST)
        program.unwrapped = assembled(text, program.shown, given, program.reads)
    return value(program.unwrapped, scope)


def _slowly(text: str, value: Any) -> Any:
    """Value by value, so that an optional inside is met before it does harm."""
    if engine.is_error(value):
        raise ExpressionFailed(text, _OPTIONAL)
    plain = value.value()
    if isinstance(plain, dict):
        return {_key(text, key): _slowly(text, plain[key]) for key in sorted(plain, key=str)}
    if engine.is_list(value):
        return [_slowly(text, item) for item in plain]
    return as_json(text, plain)


def as_json(text: str, value: Any) -> Any:
    """Only JSON leaves an expression, its keys in order: CEL's maps come in a new order in every process."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ExpressionFailed(text, f"the result is {value}, which is no number of JSON")
    if isinstance(value, list):
        return [as_json(text, item) for item in value]
    if isinstance(value, dict):
        return {_key(text, key): as_json(text, value[key]) for key in sorted(value, key=str)}
    strange = {"datetime": "timestamp", "timedelta": "duration", "bytearray": "bytes", "Type": "type"}
    kind = strange.get(type(value).__name__, type(value).__name__)
    raise ExpressionFailed(text, f"a value of kind {kind} cannot leave an expression; convert it with string(…)")


def _key(text: str, key: Any) -> str:
    if isinstance(key, str):
        return key
    raise ExpressionFailed(text, f"the keys of an object are strings, and this one is {key!r}")


def in_plain_words(said: str) -> str:
    """CEL's message without its status words and operator names."""
    said = re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", said.split("\n")[0])
    for pattern, words in _PLAIN_WORDS:
        if plain := pattern.fullmatch(said):
            return plain.expand(words)
    found = _OVERLOAD.fullmatch(said)
    if not found:
        return said
    target, name, args = found.groups()
    sign = {"@in": "in", "_[_]": "[…]", "_?._": ".?", "_[?_]": "[?…]"}.get(name, name.strip("_"))
    kinds = [_KINDS.get(one, one) for one in [target, *(args or "").split(", ")] if one]
    return f"{sign!r} does not take {' and '.join(kinds) or 'this'}"
