"""Evaluates expressions and fills in templates at run time: the same values in, the same JSON out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from manifests.expressions import engine
from manifests.expressions.complaints import complaint
from manifests.expressions.syntax import plain_path
from manifests.expressions.templates import Embedded, Part, is_whole, parts

# CEL's quick way out of a value crashes the process on an optional inside an object; such texts take the slow one.
_OPTIONALS = re.compile(r"[.\[{,]\s*\?|optional|opt(?:Flat)?Map|//")
_PLAIN_WORDS = (
    (re.compile(r'Key not found in map : "?(.*?)"?'), r"there is no field '\1'"),
    (re.compile(r'No value with name "(.*?)" found.*'), r"there is no '\1' here"),
    (re.compile(r"Index error: index=(-?\d+) size=(\d+)"), r"there is no item \1 in a list of \2"),
    (re.compile(r"Index error: expected integer type, got (.*)"), r"a list is indexed by a number, not by \1"),
    (re.compile(r"divide by zero|modulus by zero"), "a division by zero"),
    (re.compile(r".*overflow"), "the number does not fit 64 bits"),
    (re.compile(r"Applying SELECT to non-message type"), "a field is read from a value that has none"),
    (re.compile(r"optional.none\(\) dereference"), "the optional is empty; use .orValue(…)"),
    (re.compile(r"Invalid container type: '(.*)'"), r"a \1 cannot be indexed"),
    (re.compile(r"No matching overloads found : <jump_condition>"), "'?' takes a boolean"),
)
_OVERLOAD = re.compile(r"No matching overloads found : (?:\((\w+)\)\.)?([\w.@!?:\[\]<>=&|+\-*/%]+?)(?:\((.*)\))?$")
_KINDS = {"int64": "int", "uint64": "uint", "null_type": "null", "map": "object", "bool": "bool"}


Judge: TypeAlias = Callable[[str, Mapping[str, Any]], None]


class ExpressionFailed(Exception):
    """An expression that has no value here; `text` is the expression."""

    def __init__(self, text: str, message: str) -> None:
        self.text = text
        self.message = message
        super().__init__(f"{message}, in {text!r}")


@dataclass(slots=True)
class _Program:
    """A compiled text, and the scope names that it may read."""

    shown: str
    text: str
    run: Any
    names: tuple[str, ...]
    holds_optionals: bool
    unwrapped: _Program | None = None


class Evaluator:
    """Compiles each text once; holds nothing else, so one serves a whole worker."""

    def __init__(self) -> None:
        self._programs: dict[str, _Program | tuple[str, ...]] = {}

    def evaluate(self, text: str, scope: Mapping[str, Any]) -> Any:
        """The expression's value as plain JSON; raises `ExpressionFailed`."""
        program = self._programs.get(text)
        if program is None:
            program = self._programs[text] = _way(text) or _compiled(text, text)
        return _followed(text, program, scope) if isinstance(program, tuple) else _value(program, scope)

    def render(self, template: Any, scope: Mapping[str, Any]) -> Any:
        """A value with every `${ … }` filled in; a string that is one expression takes that expression's value."""
        if isinstance(template, str):
            return self.filled(template, scope) if "${" in template else template
        if isinstance(template, Mapping):
            return {key: self.render(below, scope) for key, below in template.items()}
        if isinstance(template, list):
            return [self.render(below, scope) for below in template]
        return template

    def filled(self, template: str, scope: Mapping[str, Any], judge: Judge | None = None) -> Any:
        """A text with its expressions in place; `judge` may refuse an expression that is more than a way to a value."""
        found = parts(template)
        if is_whole(found):
            return self._part(found[0], scope, judge if _way(found[0].text) is None else None)
        return "".join(as_text(self._part(part, scope, judge)) for part in found)

    def _part(self, part: Part, scope: Mapping[str, Any], judge: Judge | None) -> Any:
        if not isinstance(part, Embedded):
            return part.text
        if judge is not None:
            judge(part.text, scope)
        return self.evaluate(part.text, scope)


@lru_cache(maxsize=8192)
def _way(text: str) -> tuple[str, ...] | None:
    """The names of `a.b.c`, and None for every other expression."""
    return plain_path(text.strip())


def _followed(text: str, way: tuple[str, ...], scope: Mapping[str, Any]) -> Any:
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


def as_text(value: Any) -> str:
    """A value inside a longer text: strings as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _compiled(text: str, shown: str) -> _Program:
    try:
        run = engine.compiled(engine.ordered(engine.spelt(text)))
    except (RuntimeError, TypeError) as error:
        raise ExpressionFailed(shown, complaint(text, str(error)).message) from None
    return _Program(shown, text, run, tuple(sorted(engine.names(text))), bool(_OPTIONALS.search(text)))


def _value(program: _Program, scope: Mapping[str, Any]) -> Any:
    given = {engine.name_for_cel(name): scope[name] for name in program.names if name in scope}
    try:
        value = program.run.eval(data=given)
    except RuntimeError as error:
        raise ExpressionFailed(program.shown, in_plain_words(str(error))) from None
    if engine.is_error(value):
        said = str(value)
        if said.startswith("optional."):
            return _unwrapped(program, scope)
        raise ExpressionFailed(program.shown, in_plain_words(said))
    if program.holds_optionals:
        return _slowly(program.shown, value)
    return _json(program.shown, value.plain_value())


def _unwrapped(program: _Program, scope: Mapping[str, Any]) -> Any:
    """The value of an optional, or null; an optional itself cannot be brought into Python."""
    if program.unwrapped is None:
        program.unwrapped = _compiled(f"({program.text}\n).orValue(null)", program.shown)
    return _value(program.unwrapped, scope)


def _slowly(text: str, value: Any) -> Any:
    """Value by value, so that an optional inside is met before it does harm."""
    if engine.is_error(value):
        raise ExpressionFailed(text, "an optional cannot be stored; unwrap it with .orValue(…)")
    plain = value.value()
    if isinstance(plain, dict):
        return {_key(text, key): _slowly(text, plain[key]) for key in sorted(plain, key=str)}
    if engine.is_list(value):
        return [_slowly(text, item) for item in plain]
    return _json(text, plain)


def _json(text: str, value: Any) -> Any:
    """Only JSON leaves an expression, its keys in order: CEL's maps come in a new order in every process."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ExpressionFailed(text, f"the result is {value}, which is no number of JSON")
    if isinstance(value, list):
        return [_json(text, item) for item in value]
    if isinstance(value, dict):
        return {_key(text, key): _json(text, value[key]) for key in sorted(value, key=str)}
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
