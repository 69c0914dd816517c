"""What is said of a value that its schema does not take."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from manifests.values import misfit

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "additionalProperties": False,
}
NAMES = [f"field-{place:02}" for place in range(12)]
MANY = {"type": "object", "properties": {key: {} for key in NAMES}, "additionalProperties": False}
LIST = {"$defs": {"person": PERSON}, "type": "array", "items": {"$ref": "#/$defs/person"}}
ELSEWHERE = {
    "$defs": {"person": True},
    "properties": {"he": {"$id": "https://example.org/he", "$defs": {"person": PERSON}, "$ref": "#/$defs/person"}},
}
NOTHING = {"type": "object", "additionalProperties": False}
NOT_ALLOWED = "Additional properties are not allowed"


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (PERSON, {"name": "Ada", "age": 36}, ""),
        (PERSON, {"age": "old"}, 'age: "old" is not of type "integer"'),
        (PERSON, {"nam": "Ada"}, f"{NOT_ALLOWED} ('nam' was unexpected); did you mean 'name'?"),
        (PERSON, {"colour": 1, "nam": 2}, f"{NOT_ALLOWED} ('colour', 'nam' were unexpected); did you mean 'name'?"),
        (PERSON, {"colour": 1}, f"{NOT_ALLOWED} ('colour' was unexpected); it takes name, age"),
        ({**PERSON, "patternProperties": {"^x": {}}}, {"y": 1}, f"{NOT_ALLOWED} ('y' was unexpected)"),
        (
            {"properties": {"1": PERSON}},
            {"1": {"nam": "Ada"}},
            f"1: {NOT_ALLOWED} ('nam' was unexpected); did you mean 'name'?",
        ),
        (LIST, [{}, {"nmae": "Ada"}], f"1: {NOT_ALLOWED} ('nmae' was unexpected); did you mean 'name'?"),
        (ELSEWHERE, {"he": {"nam": "Ada"}}, f"he: {NOT_ALLOWED} ('nam' was unexpected)"),
        (MANY, {"x": 1}, f"{NOT_ALLOWED} ('x' was unexpected); it takes {', '.join(NAMES[:10])}, …"),
        ({**NOTHING, "properties": {}}, {"x": 1}, f"{NOT_ALLOWED} ('x' was unexpected)"),
        (NOTHING, {"x": 1}, "no properties are allowed"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"x": 1}, 'x: 1 is not of type "string"'),
    ],
)
def test_what_does_not_fit_is_said_and_what_was_meant(schema: dict[str, Any], value: Any, said: str) -> None:
    assert misfit(schema, value) == said


def test_what_is_said_has_a_bound_and_keeps_its_end() -> None:
    said = misfit({"properties": {"name": {"type": "integer"}}}, {"name": "x" * 5_000_000})
    assert len(said) < 1_100
    assert said.startswith('name: "xxx')
    assert said.endswith('xxx" is not of type "integer"')


NAME = st.sampled_from(["name", "nam", "1"])
BELOW: st.SearchStrategy[Any] = st.deferred(lambda: st.just(1) | OBJECT | st.lists(OBJECT, min_size=1, max_size=2))
OBJECT: st.SearchStrategy[Any] = st.dictionaries(NAME, BELOW, min_size=1, max_size=2)


def closed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that take a few names, in every place where a schema may stand."""
    some = st.dictionaries(NAME, inner, min_size=1)
    objects = st.fixed_dictionaries(
        {"properties": some, "additionalProperties": st.just(False)},
        optional={"$id": st.sampled_from(["https://example.org/a", "b"]), "patternProperties": some},
    )
    both = st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"allOf": parts})
    return objects | objects | both | inner.map(lambda each: {"items": each})


@settings(max_examples=500)
@given(schema=closed(st.recursive(st.sampled_from([{}, {"$ref": "#"}]), closed, max_leaves=4)), value=OBJECT)
def test_there_are_words_for_every_misfit(schema: Any, value: Any) -> None:
    try:
        fits = jsonschema_rs.validator_for(schema, offline=True).is_valid(value)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        reject()
    assert (misfit(schema, value) == "") is fits
