"""Reads JSON Schemas as types: generously where an author reads a field, strictly where a value must fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from manifests.expressions.types import DYN, MOST_VALUES, TRUSTED, Field, Type, join, kind_of, meet

Schema: TypeAlias = bool | Mapping[str, Any]

DEEPEST = 8
_KINDS: dict[str, frozenset[str]] = {
    "null": frozenset({"null"}),
    "boolean": frozenset({"bool"}),
    "integer": frozenset({"int"}),
    "number": frozenset({"int", "double"}),
    "string": frozenset({"string"}),
    "array": frozenset({"list"}),
    "object": frozenset({"object"}),
}
_OBJECT_WORDS = ("properties", "required", "additionalProperties", "patternProperties", "unevaluatedProperties")
_ARRAY_WORDS = ("items", "prefixItems")
_OPEN = Field(DYN, False)


def of_schema(schema: Schema) -> Type:
    """The type of a value that this schema let through, with its defaults filled in."""
    return _Reader(schema, generous=True).read(schema, 0)


def accepted_by(schema: Schema) -> Type:
    """A type that holds at least every value this schema accepts."""
    return _Reader(schema, generous=False).read(schema, 0)


class _Reader:
    """One schema document; `generous` takes an undeclared field for a mistake and `properties` for an object."""

    def __init__(self, root: Schema, generous: bool) -> None:
        self._root = root
        self._generous = generous

    def read(self, schema: Any, depth: int) -> Type:
        if not isinstance(schema, Mapping) or depth >= DEEPEST:
            return DYN
        found = self._own(schema, depth)
        if isinstance(schema.get("$ref"), str):
            found = meet(found, self.read(self._target(schema["$ref"]), depth + 1))
        for branch in _branches(schema, "allOf"):
            found = meet(found, self.read(branch, depth + 1))
        for word in ("anyOf", "oneOf"):
            branches = [branch for branch in _branches(schema, word) if branch is not False]
            if branches:
                found = meet(found, join(self.read(branch, depth + 1) for branch in branches))
        return found

    def _target(self, reference: str) -> Any:
        """A place in the same document; what lies elsewhere says nothing here."""
        if not reference.startswith("#"):
            return {}
        found: Any = self._root
        for step in reference[1:].strip("/").split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            if step:
                found = found.get(step) if isinstance(found, Mapping) else None
        return found

    def _own(self, schema: Mapping[str, Any], depth: int) -> Type:
        kinds = self._kinds(schema)
        found = DYN
        if kinds:
            item = self._item(schema, depth) if "list" in kinds else None
            least = schema.get("minItems", 0)
            shape = self._object(schema, depth) if "object" in kinds else {}
            found = Type(kinds, item=item, least=least if isinstance(least, int) else 0, **shape)
        values = _values(schema)
        return found if values is None else meet(values, found)

    def _kinds(self, schema: Mapping[str, Any]) -> frozenset[str]:
        stated = schema.get("type")
        names = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
        kinds = frozenset[str]().union(*(_KINDS.get(name, frozenset()) for name in names if isinstance(name, str)))
        if kinds or stated is not None or not self._generous or _values(schema) is not None:
            return kinds
        if any(word in schema for word in _OBJECT_WORDS):
            return _KINDS["object"]
        return _KINDS["array"] if any(word in schema for word in _ARRAY_WORDS) else frozenset()

    def _item(self, schema: Mapping[str, Any], depth: int) -> Type:
        first = schema.get("prefixItems")
        rest = schema.get("items", True)
        if isinstance(rest, list):
            first, rest = rest, schema.get("additionalItems", True)
        kinds = [self.read(one, depth + 1) for one in first] if isinstance(first, list) else []
        return join([*kinds, self.read(rest, depth + 1)]) if rest is not False else join(kinds)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Fields, additional and sealed, as `Type` takes them."""
        if not any(word in schema for word in _OBJECT_WORDS):
            return {"additional": TRUSTED if self._generous else _OPEN}
        required = schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        additional = self._additional(schema, depth)
        rest = additional.type if additional else DYN
        fields = {name: Field(rest, True) for name in names}
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            for name, below in properties.items():
                fields[name] = Field(self.read(below, depth + 1), name in names or self._defaults(below))
        return {"fields": fields, "additional": additional, "sealed": _sealed(schema)}

    def _defaults(self, schema: Any) -> bool:
        return self._generous and isinstance(schema, Mapping) and "default" in schema

    def _additional(self, schema: Mapping[str, Any], depth: int) -> Field | None:
        if "patternProperties" in schema:
            return _OPEN
        stated = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
        if stated is None:
            declared = "properties" in schema and self._generous
            return None if declared else TRUSTED if self._generous else _OPEN
        return None if stated is False else Field(self.read(stated, depth + 1), False)


def _sealed(schema: Mapping[str, Any]) -> bool:
    return schema.get("additionalProperties") is False and "patternProperties" not in schema


def _branches(schema: Mapping[str, Any], word: str) -> list[Any]:
    branches = schema.get(word)
    return branches if isinstance(branches, list) else []


def _values(schema: Mapping[str, Any]) -> Type | None:
    """The type of an enum or a const; one that lists objects or arrays says no more than their kinds."""
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(listed, list) or not listed:
        return None
    kinds = frozenset(kind_of(value) for value in listed)
    if kinds & {"list", "object"}:
        return DYN
    return Type(kinds, enum=tuple(listed) if len(listed) <= MOST_VALUES else None)
