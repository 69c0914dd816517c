import pytest

from manifests.expressions.coverage import exhaustive
from manifests.expressions.schemas import of_schema
from manifests.expressions.syntax import parse

SCHEMA = {
    "type": "object",
    "properties": {
        "mode": {"enum": ["low", "mid", "high"]},
        "ok": {"type": "boolean"},
        "maybe": {"type": ["boolean", "null"]},
        "n": {"type": "integer"},
    },
    "required": ["mode", "ok", "maybe", "n"],
}
SCOPE = {"a": of_schema(SCHEMA)}

COVERED = ["true", "a.n == 1 | true", "has(a.n) | !has(a.n)", "a.n < 3 | a.n >= 3", "a.n == 3 | a.n  !=  3"]
COVERED += [
    "a.mode == 'low' | a.mode == 'mid' | 'high' == a.mode",
    "a.mode == 'low' || a.mode == 'mid' | a.mode == 'high'",
]
COVERED += ["a.mode in ['low', 'mid'] | a.mode == 'high'", "a.mode != 'low' | a.mode in ['low']"]
COVERED += ["a.ok | !a.ok", "a.ok == true | a.ok == false", "a.ok | a.ok == false", "a.maybe == true | a.maybe != true"]
LEFT_OVER = ["false", "a.n < 3 | a.n > 3", "a.n == 1 | a.n == 2", "a.mode == 'low' | a.mode == 'mid'"]
LEFT_OVER += [
    "a.maybe == true | a.maybe == false",
    "a.ok",
    "a.ok == true | a.mode == 'low'",
    "a.mode in ['low', 'mid']",
]


def parsed(conditions: str) -> list[str]:
    return conditions.split(" | ")


@pytest.mark.parametrize("conditions", COVERED)
def test_conditions_that_leave_nothing_over(conditions: str) -> None:
    assert exhaustive([parse(text) for text in parsed(conditions)], SCOPE)


@pytest.mark.parametrize("conditions", LEFT_OVER)
def test_conditions_that_may_all_be_false(conditions: str) -> None:
    assert not exhaustive([parse(text) for text in parsed(conditions)], SCOPE)
