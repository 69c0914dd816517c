"""What is said of a value that its schema does not take."""

from __future__ import annotations

from typing import Any

import pytest

from manifests.values import misfit

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "additionalProperties": False,
}
NAMES = [f"field-{place:02}" for place in range(12)]
MANY = {"type": "object", "properties": {key: {} for key in NAMES}, "additionalProperties": False}
LIST = {"$defs": {"person": PERSON}, "type": "array", "items": {"$ref": "#/$defs/person"}}
ELSEWHERE = {"$defs": {"person": {**PERSON, "$id": "https://example.org/person"}}, "$ref": "https://example.org/person"}
NOTHING = {"type": "object", "additionalProperties": False}
NOT_ALLOWED = "Additional properties are not allowed"


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (PERSON, {"name": "Ada", "age": 36}, ""),
        (PERSON, {"age": "old"}, 'age: "old" is not of type "integer"'),
        (PERSON, {"nam": "Ada"}, f"{NOT_ALLOWED} ('nam' was unexpected); did you mean 'name'?"),
        (PERSON, {"colour": 1, "nam": 2}, f"{NOT_ALLOWED} ('colour', 'nam' were unexpected); it takes age, name"),
        (LIST, [{}, {"nmae": "Ada"}], f"1: {NOT_ALLOWED} ('nmae' was unexpected); did you mean 'name'?"),
        (ELSEWHERE, {"nam": "Ada"}, f"{NOT_ALLOWED} ('nam' was unexpected)"),
        (MANY, {"x": 1}, f"{NOT_ALLOWED} ('x' was unexpected); it takes {', '.join(NAMES[:10])}, …"),
        ({**NOTHING, "properties": {}}, {"x": 1}, f"{NOT_ALLOWED} ('x' was unexpected); it takes none"),
        (NOTHING, {"x": 1}, "no properties are allowed"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"x": 1}, 'x: 1 is not of type "string"'),
    ],
)
def test_what_does_not_fit_is_said_and_what_was_meant(schema: dict[str, Any], value: Any, said: str) -> None:
    assert misfit(schema, value) == said
