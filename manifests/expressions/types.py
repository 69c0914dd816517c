"""What is known about a value before it exists: kinds, fields and enum values, as its JSON Schema tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

# A type that lists more values than this says no more than "string" does, and makes messages unreadable.
MOST_VALUES = 32


@dataclass(frozen=True, slots=True)
class Field:
    """A field's type, and whether it is there whenever its object is."""

    type: Type
    always: bool


@dataclass(frozen=True, slots=True)
class Type:
    """A value that is of one of the `kinds`; no kinds at all means that nothing is known (dyn).

    `additional` is what a field not named in `fields` holds; `None` says that there should be none, and `sealed` that
    there is none. `enum` lists all values it may take, `least` how many items a list has at least.
    """

    kinds: frozenset[str] = frozenset()
    item: Type | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    additional: Field | None = None
    sealed: bool = False
    enum: tuple[Scalar, ...] | None = None
    least: int = 0

    @property
    def is_dyn(self) -> bool:
        return not self.kinds

    @property
    def nullable(self) -> bool:
        return "null" in self.kinds

    @property
    def items(self) -> Type:
        return self.item or DYN

    def lookup(self, name: str) -> Field | None:
        return self.fields.get(name) or self.additional

    def without_null(self) -> Type:
        if "null" not in self.kinds or len(self.kinds) == 1:
            return self
        values = None if self.enum is None else tuple(value for value in self.enum if value is not None)
        return replace(self, kinds=self.kinds - {"null"}, enum=values)

    def widened(self) -> Type:
        """The type without its list of values."""
        return replace(self, enum=None) if self.enum is not None else self

    def __str__(self) -> str:
        if self.is_dyn:
            return "anything"
        names = self.kinds
        if {"int", "double"} <= names:
            names = names - {"int", "double"} | {"number"}
        spelt = [_spelt(self, name) for name in sorted(names - {"null"})] + ["null"] * self.nullable
        return " or ".join(spelt)


def _spelt(type_: Type, kind: str) -> str:
    if kind in ("list", "optional") and type_.item is not None and not type_.item.is_dyn and type_.item != NOTHING:
        return f"{kind} of {type_.item}"
    return kind


DYN = Type()
NOTHING = Type(frozenset({"nothing"}))
NULL = Type(frozenset({"null"}))
BOOL = Type(frozenset({"bool"}))
INT = Type(frozenset({"int"}))
DOUBLE = Type(frozenset({"double"}))
NUMBER = Type(frozenset({"int", "double"}))
STRING = Type(frozenset({"string"}))
# What says nothing about its fields is read without being asked whether they are there, as dyn is; told by identity.
TRUSTED = Field(DYN, True)
OBJECT = Type(frozenset({"object"}), additional=TRUSTED)


def kind(*names: str) -> Type:
    return Type(frozenset(names))


def list_of(item: Type, least: int = 0) -> Type:
    return Type(frozenset({"list"}), item=item, least=least)


def optional_of(item: Type) -> Type:
    return Type(frozenset({"optional"}), item=item)


def object_of(fields: Mapping[str, Type | Field], sealed: bool = True) -> Type:
    """An object with these fields and, when sealed, no others."""
    given = {name: value if isinstance(value, Field) else Field(value, True) for name, value in fields.items()}
    return Type(frozenset({"object"}), fields=given, sealed=sealed)


def literal(value: Scalar) -> Type:
    return Type(frozenset({kind_of(value)}), enum=(value,))


def kind_of(value: Any) -> str:
    """The kind of a JSON value."""
    if value is None:
        return "null"
    names = {bool: "bool", int: "int", float: "double", str: "string", list: "list"}
    return names.get(type(value), "object")


def same_value(left: Scalar, right: Scalar) -> bool:
    """Equal as CEL and JSON Schema see it: 1 and 1.0 are, 1 and true are not."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def is_among(value: Scalar, values: Iterable[Scalar]) -> bool:
    return any(same_value(value, other) for other in values)


def join(types: Iterable[Type]) -> Type:
    """The narrowest type that holds every value of all of them."""
    found = list(types)
    return reduce(_join, found) if found else NOTHING


def _join(left: Type, right: Type) -> Type:
    if left == right or right == NOTHING:
        return left
    if left == NOTHING:
        return right
    if left.is_dyn or right.is_dyn:
        return DYN
    return Type(
        left.kinds | right.kinds,
        item=_join_items(left, right),
        **_joined_object(left, right),
        enum=_join_values(left, right),
        least=min((type_.least for type_ in (left, right) if "list" in type_.kinds), default=0),
    )


def _join_items(left: Type, right: Type) -> Type | None:
    held = [type_.items for type_ in (left, right) if type_.kinds & {"list", "optional"}]
    return join(held) if held else None


def _join_values(left: Type, right: Type) -> tuple[Scalar, ...] | None:
    if left.enum is None or right.enum is None:
        return None
    values = list(left.enum)
    values += [value for value in right.enum if not is_among(value, values)]
    return tuple(values) if len(values) <= MOST_VALUES else None


def _joined_object(left: Type, right: Type) -> dict[str, Any]:
    objects = [type_ for type_ in (left, right) if "object" in type_.kinds]
    if len(objects) < 2:
        only = objects[0] if objects else DYN
        return {"fields": only.fields, "additional": only.additional, "sealed": only.sealed}
    fields = {name: _join_field(left.lookup(name), right.lookup(name)) for name in {**left.fields, **right.fields}}
    additional = None
    if left.additional or right.additional:
        additional = _join_field(left.additional, right.additional)
    return {"fields": fields, "additional": additional, "sealed": left.sealed and right.sealed}


def _join_field(left: Field | None, right: Field | None) -> Field:
    if left is right and left is not None:
        return left
    known = [found for found in (left, right) if found is not None and found is not TRUSTED]
    if len(known) == 1 and (left is TRUSTED or right is TRUSTED):
        return Field(DYN, False)
    return Field(join(found.type for found in known), len(known) == 2 and all(found.always for found in known))


def meet(left: Type, right: Type) -> Type:
    """A type that holds every value of both; dyn where they contradict each other."""
    if left == right or right.is_dyn:
        return left
    if left.is_dyn:
        return right
    kinds = left.kinds & right.kinds
    if not kinds:
        return DYN
    item = meet(left.items, right.items) if "list" in kinds else None
    least = max(left.least, right.least)
    met = Type(kinds, item=item, **_met_object(left, right), enum=_meet_values(left, right), least=least)
    return met if met.enum != () else DYN


def _meet_values(left: Type, right: Type) -> tuple[Scalar, ...] | None:
    if left.enum is None or right.enum is None:
        listed = left.enum if right.enum is None else right.enum
        other = right if right.enum is None else left
        return None if listed is None else tuple(value for value in listed if _kind_fits(value, other))
    return tuple(value for value in left.enum if is_among(value, right.enum))


def _kind_fits(value: Scalar, type_: Type) -> bool:
    name = kind_of(value)
    return name in type_.kinds or (name in ("int", "double") and bool(type_.kinds & {"int", "double"}))


def _met_object(left: Type, right: Type) -> dict[str, Any]:
    fields = {name: _meet_field(left.lookup(name), right.lookup(name)) for name in {**left.fields, **right.fields}}
    additional = _met_additional(left.additional, right.additional)
    return {"fields": fields, "additional": additional, "sealed": left.sealed or right.sealed}


def _met_additional(left: Field | None, right: Field | None) -> Field | None:
    """An object that names its fields says more than one that says nothing."""
    if left is None or right is None:
        return None
    return _meet_field(left, right)


def _meet_field(left: Field | None, right: Field | None) -> Field:
    if left is None or right is None:
        return left or right or Field(DYN, False)
    if left is TRUSTED or right is TRUSTED:
        return right if left is TRUSTED else left
    return Field(meet(left.type, right.type), left.always or right.always)


_NAMES = {"bool": "boolean", "int": "integer", "double": "number", "list": "array"}


def schema_of(type_: Type) -> dict[str, Any]:
    """The JSON Schema of a type; what leaves no trace in JSON (optionals, bytes) says nothing."""
    if type_.is_dyn or not type_.kinds <= {"null", "bool", "int", "double", "string", "list", "object"}:
        return {}
    names = sorted({_NAMES.get(name, name) for name in type_.kinds})
    if {"integer", "number"} <= set(names):
        names.remove("integer")
    schema: dict[str, Any] = {"type": names[0] if len(names) == 1 else names}
    if type_.enum is not None:
        schema["enum"] = list(type_.enum)
    if "list" in type_.kinds and schema_of(type_.items):
        schema["items"] = schema_of(type_.items)
    if "list" in type_.kinds and type_.least:
        schema["minItems"] = type_.least
    return schema | (_object_schema(type_) if "object" in type_.kinds else {})


def _object_schema(type_: Type) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if type_.fields or type_.sealed:
        schema["properties"] = {name: schema_of(found.type) for name, found in type_.fields.items()}
    required = [name for name, found in type_.fields.items() if found.always]
    if required:
        schema["required"] = required
    if type_.additional is not None and type_.additional is not TRUSTED:
        schema["additionalProperties"] = schema_of(type_.additional.type)
    elif type_.sealed:
        schema["additionalProperties"] = False
    return schema
