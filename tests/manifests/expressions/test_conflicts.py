from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manifests.expressions.conflicts import conflict
from manifests.expressions.inference import examine
from manifests.expressions.schemas import of_schema

NEEDS = {"type": "object", "properties": {"goal": {"type": "string"}, "k": {"type": "integer"}}, "required": ["goal"]}
CLOSED = {**NEEDS, "additionalProperties": False}
CONFLICTS: list[tuple[Any, str, list[tuple[Any, str]]]] = [
    (NEEDS, "{'goal': 'x', 'k': 3}", []),
    (NEEDS, "{'k': 3}", [((), "the field 'goal' is missing")]),
    (NEEDS, "{'goal': 3}", [(("goal",), "string is wanted, and this is int")]),
    (NEEDS, "{'goal': 'x', 'more': 1}", []),
    (CLOSED, "{'goal': 'x', 'more': 1}", [(("more",), "the field 'more' is not accepted here")]),
    (NEEDS, "null", [((), "object is wanted, and this is null")]),
    (NEEDS, "[]", [((), "object is wanted, and this is list")]),
    (NEEDS, "any", []),
    ({"type": "number"}, "3", []),
    ({"type": "integer"}, "3.5", []),
    ({"type": "array", "items": {"type": "string"}}, "[1]", [((0,), "string is wanted, and this is int")]),
    ({"type": "array", "items": {"type": "string"}}, "[]", []),
    ({"enum": ["low", "high"]}, "'mid'", [((), "one of 'low', 'high' is wanted, and this is 'mid'")]),
    ({"enum": ["low", "high"]}, "true ? 'mid' : 'low'", []),
    ({"anyOf": [NEEDS, {"type": "null"}]}, "null", []),
    ({"type": "string"}, "any.?x.orValue('a')", []),
    (False, "1", [((), "nothing is accepted here")]),
]


@pytest.mark.parametrize(("wanted", "text", "found"), CONFLICTS)
def test_certain_conflicts_are_told_and_no_others(wanted: Any, text: str, found: list[tuple[Any, str]]) -> None:
    got = examine(text, {"any": of_schema(True)}).type
    assert [(one.path, one.message) for one in conflict(wanted, got)] == found


VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 1.5, "a", "b"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=5,
)
SCALARS = st.sampled_from([None, True, 0, 1, 1.0, 1.5, "a", "b"])
NAMES = st.sampled_from(["null", "boolean", "integer", "number", "string"])


def _larger(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from("abc"), below, max_size=3)
    an_object = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": fields},
        optional={
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": st.booleans() | below,
            "patternProperties": st.just({"^b": True}),
        },
    )
    a_list = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": below,
            "minItems": st.integers(0, 2),
            "prefixItems": st.lists(below, min_size=1, max_size=2),
        },
    )
    several = st.lists(below, min_size=1, max_size=2)
    joined = st.tuples(st.sampled_from(["anyOf", "oneOf", "allOf"]), several).map(lambda pair: dict([pair]))
    return an_object | a_list | joined | st.tuples(an_object, joined).map(lambda both: both[0] | both[1])


SCHEMAS = st.recursive(
    NAMES.map(lambda name: {"type": name})
    | st.lists(NAMES, min_size=1, max_size=2, unique=True).map(lambda names: {"type": names})
    | st.lists(SCALARS, min_size=1, max_size=3).map(lambda values: {"enum": values})
    | SCALARS.map(lambda value: {"const": value})
    | st.just({"type": "object"})
    | st.just({}),
    _larger,
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=12))
def test_where_a_conflict_is_claimed_no_value_fits(wanted: Any, got: Any, values: list[Any]) -> None:
    assume(conflict(wanted, of_schema(got)))
    for value in values:
        assert not (jsonschema_rs.is_valid(got, value) and jsonschema_rs.is_valid(wanted, value)), (wanted, got, value)
