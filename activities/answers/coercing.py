"""A value that nearly fits its schema, led into it: each misfit is put right in its place, or nothing is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

from activities.answers.parsing import NotJson, parsed
from manifests.values import completed, misfits, out_of_range

# Putting one thing right may show what is wrong inside of it, so many times; more misfits are another thing altogether.
_ROUNDS = 8
_MOST = 100

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_WORDS = {"true": ("boolean", True), "false": ("boolean", False), "null": ("null", None)}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float), "integer": int,
}  # fmt: skip
_GONE = object()

Path: TypeAlias = tuple[str | int, ...]
# What is put where, and the name of the step.
Edit: TypeAlias = tuple[Path, Any, str]


def coerced(schema: Mapping[str, Any], value: Any) -> tuple[Any, tuple[str, ...]] | None:
    """The value that fits and the steps that led there; None when they lead nowhere."""
    steps: dict[str, None] = {}
    for _ in range(_ROUNDS):
        filled = completed(schema, value)
        if filled != value:
            steps["default"] = None
        value = filled
        errors = list(islice(misfits(schema, value), _MOST + 1))
        if not errors:
            return None if out_of_range(value) else (value, tuple(steps))
        edits = _edits(errors, value) if len(errors) <= _MOST else None
        if edits is None:
            return None
        value = _edited(value, edits)
        steps.update(dict.fromkeys(step for _, _, step in edits))
    return None


def _edits(errors: Iterable[ValidationError], value: Any) -> list[Edit] | None:
    """What puts all of the misfits right; one edit for each place, for the next round sees what it led to."""
    edits: dict[Path, Edit] = {}
    for error in errors:
        path = tuple(error.instance_path)
        if path in edits:
            continue
        found = _edits_for(error, path, _at(value, path), value)
        if not found:
            return None
        edits.update((each[0], each) for each in found)
    return list(edits.values())


def _edits_for(error: ValidationError, path: Path, current: Any, value: Any) -> list[Edit] | None:
    match error.kind:
        case Kind.Type(types=types):
            return _first(path, _as_kinds(current, types, path))
        case Kind.Enum(options=options):
            return _first(path, _as_option(current, options))
        case Kind.Constant(expected_value=expected):
            return _first(path, _as_option(current, [expected]))
        case Kind.Required():
            return _first(path, _out_of_envelope(current, dict))
        case Kind.AdditionalProperties(unexpected=unexpected):
            return _first(path, _without(current, unexpected))
        case Kind.AnyOf(context=context) | Kind.OneOfNotValid(context=context):
            ways = [way for branch in context if (way := _edits(branch, value))]
            return ways[0] if len(ways) == 1 else None
    return None


def _first(path: Path, found: Iterator[tuple[str, Any]]) -> list[Edit] | None:
    return next(([(path, new, step)] for step, new in found), None)


def _as_kinds(value: Any, kinds: list[str], path: Path) -> Iterator[tuple[str, Any]]:
    for kind in kinds:
        if isinstance(value, str):
            yield from _from_text(value, kind)
        if kind == "string" and isinstance(value, int) and not isinstance(value, bool):
            yield "number as text", str(value)
        if kind == "object" and isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            yield "out of a list", value[0]
        if kind in _KINDS:
            yield from _out_of_envelope(value, _KINDS[kind])
    if "array" in kinds and value is not None:
        yield "list of one", [value]
    if value is None and path and isinstance(path[-1], str):
        yield "null left out", _GONE


def _from_text(text: str, kind: str) -> Iterator[tuple[str, Any]]:
    """What a text says in full, if it is of that kind."""
    word, value = _WORDS.get(text.lower(), ("", None))
    if kind == word:
        yield f"{word} from text", value
    if kind == "integer" and _INTEGER.fullmatch(text):
        yield "number from text", int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        yield "number from text", json.loads(text)
    if kind in ("object", "array") and text.lstrip()[:1] in ("{", "["):
        try:
            value = parsed(text)
        except NotJson:
            return
        if isinstance(value, _KINDS[kind]):
            yield "JSON from text", value


def _out_of_envelope(value: Any, kind: type | tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """What the only property of an object holds."""
    if isinstance(value, dict) and len(value) == 1:
        (inner,) = value.values()
        if isinstance(inner, kind):
            yield "out of an envelope", inner


def _as_option(value: Any, options: list[Any]) -> Iterator[tuple[str, Any]]:
    """The one option that is written the same but for case and blanks."""
    same = [] if isinstance(value, dict | list) else [each for each in options if _spelt(each) == _spelt(value)]
    if len(same) == 1:
        yield "option spelt otherwise", same[0]


def _spelt(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value)).strip().casefold()


def _without(value: dict[str, Any], names: list[str]) -> Iterator[tuple[str, Any]]:
    """Without what may not be there, if anything is left then; an envelope holds all there is."""
    yield from _out_of_envelope(value, dict)
    rest = {name: part for name, part in value.items() if name not in names}
    if rest:
        yield "property dropped", rest


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _edited(value: Any, edits: list[Edit]) -> Any:
    """A copy with the edits made; what lies deeper comes first, so that nothing is edited that has gone."""
    value = json.loads(json.dumps(value))
    for path, new, _ in sorted(edits, key=lambda edit: -len(edit[0])):
        if not path:
            value = new
        elif new is _GONE:
            del _at(value, path[:-1])[path[-1]]
        else:
            _at(value, path[:-1])[path[-1]] = new
    return value
