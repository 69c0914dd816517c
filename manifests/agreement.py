"""Whether what is given meets the schema of who takes it: exactly for literal values, by type for computed ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from manifests.draft import Node
from manifests.expressions.conflicts import Conflict, against
from manifests.expressions.schemas import accepted_by
from manifests.expressions.types import Type
from manifests.problems import Problem, nearest
from manifests.source import Place

_MISSING = re.compile(r"the field '(.+)' is missing")


class Taker:
    """A schema that what is given must meet, read once for all the nodes that give."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._properties: dict[str, Any] = schema.get("properties", {})
        self._schema = schema
        self._accepts = accepted_by(schema)
        self._parts: dict[str, Any] = {}

    def disagreements(self, node: Node, given: Type) -> Iterator[Problem]:
        """What a node is given that its contract does not take."""
        exact = {name for name, value in node.spec.with_.items() if name in self._properties and is_literal(value)}
        for name in sorted(exact):
            yield from _misfits(node.spec.with_[name], self._part(name), node.at / "with" / name)
        for found in against(self._accepts, given):
            if found.path[:1] and found.path[0] in exact:
                continue
            at = node.at / "with" if node.spec.with_ else node.at.key
            for step in found.path:
                at = at / step
            message = f"{node.kind} {node.id!r}: {found.message}"
            fix = _way_out(found, self._properties)
            yield Problem("HL308", at.key if len(found.path) == 1 else at, message, "what its schema says", fix)

    def _part(self, name: str) -> Any:
        """What judges one property, with the definitions that it may refer to."""
        if name not in self._parts:
            schema = self._schema
            definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
            part = self._properties[name]
            self._parts[name] = _validator({**part, **definitions} if isinstance(part, dict) else {"allOf": [part]})
        return self._parts[name]


def misfits(value: Any, schema: Any, at: Place, code: str = "HL308", what: str = "") -> Iterator[Problem]:
    """Everything in a literal value that its schema does not allow."""
    return _misfits(value, _validator(schema), at, code, what)


def _misfits(value: Any, validator: Any, at: Place, code: str = "HL308", what: str = "") -> Iterator[Problem]:
    for error in validator.iter_errors(value) if validator else ():
        place = at
        for step in error.instance_path:
            place = place / step
        yield Problem(code, place, f"{what}{error.message}", "what its schema says", "correct the value")


def _validator(schema: Any) -> Any:
    """None for a broken schema: that is said already, where the schema stands."""
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return None


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


def _way_out(found: Conflict, properties: dict[str, Any]) -> str:
    missing = _MISSING.search(found.message)
    if missing:
        return f"add `{missing[1]}: …` under `with`"
    near = nearest(str(found.path[-1]), properties) if found.path and "not accepted" in found.message else None
    if near:
        return f"did you mean {near!r}?"
    return "remove it" if "not accepted" in found.message else "give it a value that fits"
