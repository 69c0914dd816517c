"""Whether what is given meets the schema of who takes it: exactly for literal values, by type for computed ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from manifests.draft import Node
from manifests.expressions.conflicts import Conflict, conflict
from manifests.expressions.types import Type
from manifests.problems import Problem, nearest
from manifests.source import Place

_MISSING = re.compile(r"the field '(.+)' is missing")


def disagreements(node: Node, wanted: dict[str, Any], given: Type) -> Iterator[Problem]:
    """What a node is given that its contract does not take."""
    properties = wanted.get("properties", {})
    exact = {name for name, value in node.spec.with_.items() if name in properties and is_literal(value)}
    for name in sorted(exact):
        yield from misfits(node.spec.with_[name], _part(wanted, name), node.at / "with" / name)
    for found in conflict(wanted, given):
        if found.path[:1] and found.path[0] in exact:
            continue
        at = node.at / "with" if node.spec.with_ else node.at.key
        for step in found.path:
            at = at / step
        message = f"{node.kind} {node.id!r}: {found.message}"
        fix = _way_out(found, properties)
        yield Problem("HL308", at.key if len(found.path) == 1 else at, message, "what its schema says", fix)


def misfits(value: Any, schema: Any, at: Place, code: str = "HL308", what: str = "") -> Iterator[Problem]:
    """Everything in a literal value that its schema does not allow."""
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return  # said already, where the schema stands
    for error in validator.iter_errors(value):
        place = at
        for step in error.instance_path:
            place = place / step
        yield Problem(code, place, f"{what}{error.message}", "what its schema says", "correct the value")


def without(schema: dict[str, Any], name: str | None) -> dict[str, Any]:
    """The schema for those who cannot give one of its inputs, such as a key that the engine makes."""
    if name is None:
        return schema
    return {**schema, "required": [each for each in schema.get("required", []) if each != name]}


def is_literal(value: Any) -> bool:
    match value:
        case str():
            return "${" not in value
        case dict():
            return all(is_literal(each) for each in value.values())
        case list():
            return all(is_literal(each) for each in value)
        case _:
            return True


def _part(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of one property, with the definitions that it may refer to."""
    definitions: dict[str, Any] = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    part = schema["properties"][name]
    return {**part, **definitions} if isinstance(part, dict) else {"allOf": [part]}


def _way_out(found: Conflict, properties: dict[str, Any]) -> str:
    missing = _MISSING.search(found.message)
    if missing:
        return f"add `{missing[1]}: …` under `with`"
    near = nearest(str(found.path[-1]), properties) if found.path and "not accepted" in found.message else None
    if near:
        return f"did you mean {near!r}?"
    return "remove it" if "not accepted" in found.message else "give it a value that fits"
