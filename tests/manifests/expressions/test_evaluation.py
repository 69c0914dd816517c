import subprocess
import sys
from typing import Any

import pytest

from manifests.expressions.evaluation import Evaluator, ExpressionFailed

SCOPE: dict[str, Any] = {
    "a": {"n": 3, "x": 1.5, "s": "x,y", "l": [1, 2], "o": {"z": 1, "y": {"q": [None]}}, "none": None, "b": True},
    "absent": {},
    "loop": {"index": 2},
}
VALUES: list[tuple[str, Any]] = [
    ("a.b && a.n == 3", True),
    ("a.o", {"y": {"q": [None]}, "z": 1}),
    ("a.l.map(i, i * 2)", [2, 4]),
    ("a.o.map(k, k)", ["y", "z"]),
    ("a.o.filter(k, k != 'y')", ["z"]),
    ("loop.index + 1", 3),
    ("a.?n", 3),
    ("a.?nope", None),
    ("a.?nope // why", None),
    ("[?a.?nope, 1]", [1]),
    ("{'k': [{'j': a.?n.orValue(0)}]}", {"k": [{"j": 3}]}),
    ("optional.of(optional.of(1))", 1),
    ("has(absent.x)", False),
    ("absent.?x.orValue('none')", "none"),
    ("a.x + 1.0", 2.5),
    ("null", None),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_an_expression_gives_json(text: str, value: Any) -> None:
    assert Evaluator().evaluate(text, SCOPE) == value


FAILURES = [
    ("nope", "there is no 'nope' here"),
    ("a.nope", "there is no field 'nope'"),
    ("a.l[7]", "there is no item 7 in a list of 2"),
    ("a.l['x']", "a list is indexed by a number"),
    ("1 / 0", "a division by zero"),
    ("9223372036854775807 + 1", "the number does not fit 64 bits"),
    ("0.0 / 0.0", "the result is nan"),
    ("1 + 'a'", "'+' does not take int and string"),
    ("a.b < 3", "'<' does not take bool and int"),
    ("a.n ? 1 : 2", "'?' takes a boolean"),
    ("a.none.x", "a field is read from a value that has none"),
    ("timestamp('2020-01-01T00:00:00Z')", "a value of kind timestamp cannot leave"),
    ("[duration('3s')]", "a value of kind duration cannot leave"),
    ("b'x'", "a value of kind bytes cannot leave"),
    ("type(1)", "a value of kind type cannot leave"),
    ("{1: 2}", "the keys of an object are strings"),
    ("[a.?n]", "an optional cannot be stored"),
    ("{'x': a.?nope}", "an optional cannot be stored"),
    ("optional.none().value()", "the optional is empty"),
    ("{'x': 1, 'x': 2}", "duplicate key"),
    ("1 +", "the expression ends too early"),
    ("a\ud800", "this does not parse"),
]


@pytest.mark.parametrize(("text", "says"), FAILURES, ids=[ascii(text) for text, _ in FAILURES])
def test_a_failure_says_why_in_plain_words(text: str, says: str) -> None:
    with pytest.raises(ExpressionFailed) as failed:
        Evaluator().evaluate(text, SCOPE)
    assert says in failed.value.message
    assert failed.value.text == text


TEMPLATES: list[tuple[Any, Any]] = [
    ("plain", "plain"),
    ("${a.l}", [1, 2]),
    ("n = ${a.n}, x = ${a.x}", "n = 3, x = 1.5"),
    ("${a.b} ${a.none} ${a.s}", "true null x,y"),
    ("${a.o}!", '{"y":{"q":[null]},"z":1}!'),
    ("$${a.n} ${a.n}", "${a.n} 3"),
    ({"k": ["${a.n}", {"j": "${ {'é': '}'} } é"}], "n": 1}, {"k": [3, {"j": '{"é":"}"} é'}], "n": 1}),
]


@pytest.mark.parametrize(("template", "value"), TEMPLATES)
def test_templates_are_filled_in(template: Any, value: Any) -> None:
    assert Evaluator().render(template, SCOPE) == value


def test_two_processes_give_the_same_bytes() -> None:
    """CEL's maps come in a new order in every process; a replay must not notice."""
    script = """
import json
from manifests.expressions.evaluation import Evaluator
scope = {"a": {f"key{n}": n for n in range(40)}}
texts = ["a", "a.map(k, k)", "{'d': 1, 'c': 2, 'b': a}", "a.filter(k, k > 'key2')"]
texts += ["{'x': 1, 'y': 2, 'z': 3}.map(k, k)", "'%s'.format([a])"]
print(json.dumps([Evaluator().evaluate(text, scope) for text in texts]))
"""
    runs = [subprocess.run([sys.executable, "-c", script], check=True, capture_output=True) for _ in range(3)]
    assert len({run.stdout for run in runs}) == 1
