"""Values against their JSON Schemas, where they enter a run or leave the world: judged, completed, put in form."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from manifests.problems import nearest

# Characters that are told of what does not fit, and names of those that would.
LONGEST, MOST_NAMES = 1_000, 10
_INT64 = 2**63
# JSON is read to 200 levels, and on its way through a run a value is wrapped a few times.
DEEPEST = 100


def misfit(schema: Mapping[str, Any], value: Any) -> str:
    """The first thing that is wrong with a value, in words; empty when it fits."""
    validator = _VALIDATORS.of(schema)
    if validator.is_valid(value):
        return ""
    found = next(misfits(schema, value))
    where = ".".join(str(step) for step in found.instance_path)
    return _shortened(f"{where + ': ' if where else ''}{_said(schema, found)}")


def _said(schema: Mapping[str, Any], found: jsonschema_rs.ValidationError) -> str:
    """Of a name that is not allowed, with the one that was meant, or those that are."""
    if not isinstance(found.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        is_nothing_allowed = found.schema_path[-1:] == ["additionalProperties"] and found.kind.name == "falseSchema"
        return "no properties are allowed" if is_nothing_allowed else str(found.message)
    part = _part(schema, found)
    names = list(part.get("properties", {}))
    for name in found.kind.unexpected[:MOST_NAMES]:
        meant = nearest(name[:LONGEST], names)
        if meant is not None:
            return f"{found.message}; did you mean {meant!r}?"
    if not names or "patternProperties" in part:
        return str(found.message)
    return f"{found.message}; it takes {', '.join(names[:MOST_NAMES])}{', …' if len(names) > MOST_NAMES else ''}"


def _part(schema: Any, found: jsonschema_rs.ValidationError) -> dict[str, Any]:
    """The schema that found it; an empty one where an `$id` hides from which root its place is told."""
    if found.absolute_keyword_location is not None:
        return {}
    for step in found.schema_path[:-1]:
        # A name of digits is told as a number.
        schema = schema[str(step) if isinstance(schema, dict) else step]
    return schema  # type: ignore[no-any-return]


def _shortened(text: str) -> str:
    """What is wrong is said at the end, and where at the beginning."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


def misfits(schema: Mapping[str, Any], value: Any) -> Iterator[jsonschema_rs.ValidationError]:
    """Everything that is wrong with a value, as the validator has it."""
    return iter(_VALIDATORS.of(schema).iter_errors(value))


def completed(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with the defaults of absent properties filled in, at every level that `properties` leads to."""
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    filled = dict(value)
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        if name in filled:
            filled[name] = completed(part, filled[name])
        elif "default" in part:
            filled[name] = part["default"]
    return filled


def in_form(schema: Mapping[str, Any], value: Any) -> Any:
    """Whole numbers are doubles where the schema says `number`, as the types of expressions have them."""
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(value, dict) and isinstance(properties, dict):
        return {
            name: in_form(properties[name], below) if isinstance(properties.get(name), dict) else below
            for name, below in value.items()
        }
    if isinstance(value, list) and isinstance(items, dict):
        return [in_form(items, below) for below in value]
    return value


def too_deep(value: Any) -> bool:
    """Whether lists and objects stand in each other at more than so many levels."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def out_of_range(value: Any) -> str:
    """Says which number does not fit 64 bits, if any."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current
        elif isinstance(current, int) and not isinstance(current, bool) and not -_INT64 <= current < _INT64:
            return f"the whole number {str(current)[:40]} does not fit 64 bits"
    return ""


class _Validators:
    """One for each schema, told by identity: those of a plan live as long as it does, and are met in every call."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[int, tuple[Mapping[str, Any], Any]] = OrderedDict()

    def of(self, schema: Mapping[str, Any]) -> Any:
        found = self._known.get(id(schema))
        if found is None:
            # Holding the schema keeps its identity from being given to another one.
            found = self._known[id(schema)] = (schema, jsonschema_rs.validator_for(dict(schema), offline=True))
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found[1]


_VALIDATORS = _Validators(1024)
