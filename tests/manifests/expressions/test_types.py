from typing import Any

import pytest

from manifests.expressions.schemas import of_schema
from manifests.expressions.types import (
    BOOL,
    DYN,
    INT,
    NOTHING,
    STRING,
    Type,
    join,
    list_of,
    literal,
    object_of,
    schema_of,
)

NESTED: dict[str, Any] = {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}}
TYPES: list[tuple[Any, str]] = [
    (True, "anything"),
    ({}, "anything"),
    ({"type": "number"}, "number"),
    ({"type": ["string", "null"]}, "string or null"),
    ({"enum": ["a", "b", None]}, "string or null"),
    ({"const": 3}, "int"),
    ({"enum": [{"a": 1}]}, "anything"),
    ({"type": "array", "items": {"type": "string"}}, "list of string"),
    ({"items": {"type": "string"}}, "list of string"),
    ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, "list of int or string"),
    ({"properties": {"a": {}}}, "object"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "int or string"),
    ({"oneOf": [{"type": "string"}, {}]}, "anything"),
    ({"allOf": [{"type": ["string", "null"]}, {"type": "string"}]}, "string"),
    ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "anything"),
    ({"$ref": "#/$defs/node", **NESTED}, "object"),
    ({"$ref": "https://elsewhere"}, "anything"),
    ({"$ref": "#"}, "anything"),
    ({"type": 3, "properties": [], "required": "x"}, "anything"),
]


@pytest.mark.parametrize(("schema", "says"), TYPES, ids=[str(row[0])[:50] for row in TYPES])
def test_a_schema_has_a_type(schema: Any, says: str) -> None:
    assert str(of_schema(schema)) == says


def always(schema: Any) -> dict[str, bool]:
    return {name: field.always for name, field in of_schema(schema).fields.items()}


def test_required_fields_and_those_with_a_default_are_always_there() -> None:
    properties = {"a": {}, "b": {"default": 1}, "c": {}}
    assert always({"properties": properties, "required": ["a", "d"]}) == {"a": True, "b": True, "c": False, "d": True}


def test_a_field_is_always_there_only_if_every_branch_requires_it() -> None:
    one: dict[str, Any] = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a", "b"]}
    other: dict[str, Any] = {"type": "object", "properties": {"a": {}, "c": {}}, "required": ["a", "c"]}
    assert always({"anyOf": [one, other]}) == {"a": True, "b": False, "c": False}
    assert always({"allOf": [one, other]}) == {"a": True, "b": True, "c": True}


def test_what_is_required_beside_the_properties_counts() -> None:
    properties = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}
    assert always({"allOf": [properties, {"required": ["a"]}]}) == {"a": True, "b": False}
    assert always(properties | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}) == {"a": False, "b": False}


def test_a_schema_within_itself_ends_in_anything() -> None:
    found = of_schema({"$ref": "#/$defs/node", **NESTED})
    for _ in range(12):
        found = found.fields["next"].type if not found.is_dyn else found
    assert found.is_dyn


JOINED = [
    ([INT, INT], "int"),
    ([INT, STRING], "int or string"),
    ([INT, DYN], "anything"),
    ([], "nothing"),
    ([list_of(NOTHING), list_of(STRING)], "list of string"),
    ([literal("a"), literal(None)], "string or null"),
]


@pytest.mark.parametrize(("types", "says"), JOINED)
def test_joined_types_hold_both(types: list[Type], says: str) -> None:
    assert str(join(types)) == says


def test_literals_join_to_an_enum_up_to_a_limit() -> None:
    assert join([literal("a"), literal("b"), literal("a")]).enum == ("a", "b")
    assert join([literal(1), literal(True)]).enum == (1, True)
    assert join(literal(str(number)) for number in range(100)) == STRING


def test_an_object_goes_back_to_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": ["null", "string"]},
            "c": {"enum": ["x"], "type": "string"},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert schema_of(of_schema(schema)) == schema


def test_the_schema_of_a_built_object_requires_its_fields() -> None:
    built = object_of({"a": BOOL, "b": list_of(INT, least=1)})
    assert schema_of(built) == {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "array", "items": {"type": "integer"}, "minItems": 1}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
