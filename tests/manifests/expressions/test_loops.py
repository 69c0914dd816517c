"""Loops over long lists: the same values as in CEL, in time in proportion to the list, within limits."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.expressions import engine, loops, programs
from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.expressions.outer import planned

SCOPE: dict[str, Any] = {
    "xs": [3, 1, 2, 0, 5],
    "ys": [0.5, None, "é", [1], {"n": 1}, True],
    "os": [{"n": n, "t": ["a", "b"][: n % 3], "s": "é😀"} for n in range(5)],
    "d": {"z": 1, "a": 2, "m": 3},
    "n": 2,
    "held_0": 7,
    "loop": {"index": 1, "items": [1, 2, 3]},
}
ALIKE = """
xs.map(x, x + 1)
xs.map(x, x > 1, x * 2)
xs.map(x, x > 1, x)
xs.filter(x, x > n)
xs.all(x, x >= 0) ? xs.map(x, x) : [n]
xs.exists(x, 10 / x == 5)
xs.all(x, 10 / x < 1)
xs.all(x, 10 / x < 100)
xs.exists_one(x, x == 3)
xs.exists_one(x, 1 / x == 3)
xs.filter(x, x)
xs.all(x, x)
xs.exists(x, 'a')
xs.map(x, xs.map(y, x * y))
xs.map(x, xs.filter(y, y > x).size())
xs.filter(x, xs.exists(y, y == x + 1) && x > 0)
xs.map(x, xs.exists(y, 1 / y == x) || true)
xs.map(x, x > 1 ? xs.filter(y, y < x) : [])
(xs + [n]).map(x, (x + 1) * 2)[0] + (n)
[xs.map(x, x), {'k': xs.filter(x, x > 1), 'j': !xs.all(x, x > 1)}]
n in xs.map(x, x) && (n) in[1].map(x, x)
size(xs.map(x, x)) + xs.filter(x, x > 1).size() * 2
ys
ys.map(y, y)
ys.map(y, type(y))
ys.map(y, {'k': y, 'a': [y]})
ys.filter(y, y == null || y == 'é')
os.map(o, o.?t)
os.map(o, o.?t[?0].orValue('none'))
os.map(o, o.?u.?v.orValue(o.n))
os.map(o, o.?t).map(t, t.orValue([]))
os.filter(o, has(o.n)).map(o, o.n)
os.map(o, o.nope)
os.map(o, o.s + '😀é').filter(o, o != 'é') // é, and nothing more
os.map(o, o.t.map(t, t + string(o.n)))
os.map(os, os.n)
os.all(o, o.t.all(t, t != 'c')) && os.exists(o, 'b' in o.t)
os.map(o, nope)
d.map(k, k)
d.map(k, d[k])
d.filter(k, d[k] > 1)
d.all(k, d[k] > 0)
d.?a.optMap(v, xs.map(x, x + v))
d.?q.optMap(v, xs.map(x, x + v)).orValue(xs.map(x, x))
optional.of(xs.map(x, x))
n > 1 ? optional.of(xs.map(x, x)) : optional.none()
xs.map(x, x)[?1]
(n > 1 ? xs.map(x, x)[?9] : optional.none()).orValue(4)
xs.map(x, uint(x)).map(x, x)
xs.map(x, 1.0 / double(x)).filter(x, x > 0.0)
xs.map(x, 0.0 / 0.0)
xs.map(x, timestamp(x)).filter(t, t > timestamp(1))
xs.map(x, b'x')
[1/0].map(x, x) == [] || true
true || xs.map(x, 1 / 0) == []
xs.map(x, 1 / 0) == [] || true
false && xs.map(x, 1 / 0) == []
xs.map(x, x) && false
n ? xs.map(x, x) : 1
xs.map(x, x) ? 1 : 2
xs.map(x, 1 / 0) + nope
nope + xs.map(x, 1 / 0)
n.map(x, x)
'abc'.filter(x, x)
null.all(x, x)
xs.map(held_0, held_0 + 1)[0] + held_0
xs.map(x, x + held_0)
loop.items.map(x, x + loop.index)
xs.map(loop, loop + 1)
os.map(loop, loop.n)
has(os.map(o, o)[0].n)
os.map(o, o)[0].n
math.greatest(xs.map(x, x)) + n
math.greatest(1, n, xs.map(x, x)[0])
'map(x, x)' + string(xs.map(x, x)[0])
xs.map(x, '.map(' + string(x) + ')')
xs . map ( x , ( x ) + ( x ) )
{'a': xs}.a.map(x, x)
{'a': 1, 'b': 2}.map(k, k)
{1: 2, 3: 4}.map(k, k)
{1: 2, 3: 4}.all(k, k > 0)
[[1], [2]].map(x, x.map(y, y))
-xs.map(x, x)[0]
xs.map(x, -x)
xs.map(x, x).map(x, x + 1).filter(x, x > 1).exists(x, x == 4)
""".strip().splitlines()


@pytest.fixture(params=[1, 2])
def short(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(engine, "SHORT", request.param)
    return int(request.param)


def _in_cel(text: str, scope: dict[str, Any]) -> tuple[str, str]:
    """What CEL alone makes of it, as JSON, so that 1 and 1.0 differ."""
    engine.count_from(0)
    try:
        return json.dumps(programs.value(programs.compiled(text, text, engine.LONGEST), scope)), ""
    except ExpressionFailed as error:
        return "", str(error)


def _in_parts(text: str, scope: dict[str, Any]) -> tuple[str, str]:
    try:
        return json.dumps(Evaluator().evaluate(text, scope)), ""
    except ExpressionFailed as error:
        return "", str(error)


@pytest.mark.parametrize("text", ALIKE)
def test_a_long_list_gives_what_cel_gives_for_a_short_one(text: str, short: int) -> None:
    assert _in_parts(text, SCOPE) == _in_cel(text, SCOPE)
    with_comment = f"// (é [\n{text.split(' //')[0]}\n// )"
    assert _in_parts(with_comment, SCOPE)[0] == _in_cel(text, SCOPE)[0]


LISTS = "xs ys os d loop.items (xs+xs) [1,n,2.5] d.?nope.orValue(xs) n"
ATOMS = "x x.n x.t x.?n.orValue(0) n 1 2.5 'é' true null loop.index d.a d[x] d.nope xs x.?t"
OPERATORS = """
({}+{}) ({}==({})) ({}<{}) (({})&&({})) (({})||({})) (1/{}+{}) (({})in[{}]) [{},{}] {{'k':{},'j':{}}}
"""
MACROS = "{}.map(x,{}) {}.filter(x,{}) {}.all(x,{}) {}.exists(x,{}) {}.exists_one(x,{}) {}.map(x,{},x)"


def _one_of(words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words.split())


def _joined(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = _one_of(LISTS) | below.map(lambda text: f"({text})")
    loop = st.builds(str.format, _one_of(MACROS), lists, below)
    choice = st.builds("({} ? {} : {})".format, below, below, below)
    return st.builds(str.format, _one_of(OPERATORS), below, below) | loop | loop | choice


EXPRESSIONS = st.recursive(_one_of(ATOMS), _joined, max_leaves=8)
DATA = st.fixed_dictionaries(
    {
        "xs": st.lists(st.integers(-3, 3), max_size=5),
        "ys": st.lists(st.sampled_from([None, 0.5, 1, "é", True, [1], {"n": 1}]), max_size=4),
        "os": st.lists(st.fixed_dictionaries({"n": st.integers(0, 2)}, optional={"t": st.just(["a"])}), max_size=4),
        "d": st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
        "n": st.integers(0, 2),
        "loop": st.just({"index": 1, "items": [1, 2]}),
    }
)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=EXPRESSIONS, data=DATA)
def test_random_loops_give_what_cel_gives(text: str, data: dict[str, Any], short: int) -> None:
    assert _in_parts(text, data) == _in_cel(text, data)
    plan = planned(text)
    if plan is None:
        return
    engine.count_from(0)
    try:
        found = programs.as_json(text, loops._Walk(text).value(plan, data, True))
    except ExpressionFailed:
        return
    assert (json.dumps(found), "") == _in_cel(text, data)


class _Counted:
    """Stands for a program, and counts how often CEL is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        value = programs.value

        def counting(*args: Any) -> Any:
            self.calls += 1
            return value(*args)

        monkeypatch.setattr(programs, "value", counting)


LINEAR = ["xs.map(x, x + 1)", "xs.filter(x, x > 1)", "(xs.map(x, x)).exists(x, x < 0)", "xs.exists_one(x, x == 3)"]


@pytest.mark.parametrize("text", LINEAR)
def test_ten_times_the_list_takes_ten_times_the_evaluations(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = _Counted(monkeypatch)
    evaluator = Evaluator()
    calls = []
    for length in (1_280, 12_800):
        counted.calls = 0
        evaluator.evaluate(text, {"xs": list(range(length))})
        calls.append(counted.calls)
    assert calls[0] <= 21
    assert calls[1] <= 10 * calls[0]


def test_a_short_list_is_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = _Counted(monkeypatch)
    assert Evaluator().evaluate("xs.map(x, xs.filter(y, y > x).size())", {"xs": [1, 2, 3]}) == [2, 1, 0]
    assert counted.calls == 1


def test_ten_thousand_items_and_more_are_read() -> None:
    items = [{"title": f"t{n}", "n": n} for n in range(20_000)]
    scope = {"each": {"ok": items, "count": 3}}
    assert Evaluator().evaluate("each.ok.map(x, x.title)", scope) == [f"t{n}" for n in range(20_000)]
    assert Evaluator().evaluate("each.ok.filter(x, x.n < each.count).map(x, x.n)", scope) == [0, 1, 2]
    assert Evaluator().evaluate("each.ok.all(x, x.n >= 0)", scope) is True
    assert Evaluator().evaluate("size(each.ok.filter(x, x.n % 2 == 0)) > 3 && each.ok.exists(x, x.n == 19999)", scope)


@pytest.mark.parametrize("body", ["ys.map(y, x * y)", "ys.all(y, y >= 0)", "ys.exists_one(y, y == x)"])
def test_three_hundred_times_three_hundred_is_within_the_count(body: str) -> None:
    scope = {"xs": list(range(300)), "ys": list(range(300))}
    assert len(Evaluator().evaluate(f"xs.map(x, {body})", scope)) == 300


LONG = {"xs": list(range(2_000)), "many": list(range(100_001)), "o": {"xs": list(range(2_000))}}
TOO_LONG = "a list of 2,000 is too long for a loop inside CEL (at most 1,000); move it to the outside"
REFUSED = [
    ("many.map(x, x)", engine.TOO_MANY),
    ("many.all(x, x >= 0)", engine.TOO_MANY),
    ("xs.map(x, xs.map(y, y))", engine.TOO_MANY),
    ("xs.map(x, xs.all(y, y >= 0))", engine.TOO_MANY),
    ("xs.map(x, xs.map(y, xs[y]))", engine.TOO_MANY),
    ("xs.map(x, x in many)", engine.TOO_MANY),
    ("o.?xs.optMap(v, v.map(x, x)).orValue([])", TOO_LONG),
    ("o.?nope.orValue(xs.filter(x, x > 1))", TOO_LONG),
    ("xs.map(x, 1 / (x - 1999))", "a division by zero"),
    ("xs.map(x, x).filter(x, x)", "'?' takes a boolean"),
    ("xs.all(x, x)", "'&&' does not take this"),
    ("xs.map(x, timestamp(x)).map(x, x)", "a value of kind timestamp cannot leave"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_takes_too_long_is_refused(text: str, says: str) -> None:
    with pytest.raises(ExpressionFailed) as failed:
        Evaluator().evaluate(text, LONG)
    assert says in failed.value.message
    assert failed.value.text == text


def test_what_is_done_once_more_item_by_item_counts_once_and_all_else_counts() -> None:
    short, long = [{"t": [1]}] * 45_000, [{"t": [1] * 300}] * 200
    assert len(Evaluator().evaluate("os.map(o, o.t.map(t, t))", {"os": short})) == 45_000
    assert len(Evaluator().evaluate("os.map(o, o.t.map(t, t))", {"os": long + short[:15_000]})) == 15_200
    with pytest.raises(ExpressionFailed, match="too many iterations"):
        Evaluator().evaluate("os.map(o, o.t.map(t, t))", {"os": short + long})


def test_a_list_is_not_too_long_where_it_is_not_needed() -> None:
    assert Evaluator().evaluate("o.?xs.orValue(xs.map(x, 1 / 0)).size()", LONG) == 2_000
    assert Evaluator().evaluate("true || xs.map(x, 1 / 0) == []", LONG) is True
    assert Evaluator().evaluate("xs.map(x, 1 / 0) == [] || true", LONG) is True
    assert Evaluator().evaluate("xs.exists(x, 1 / x == 1)", LONG) is True


def test_a_count_begins_anew_with_each_expression() -> None:
    evaluator = Evaluator()
    for _ in range(3):
        assert len(evaluator.evaluate("xs.map(x, x)", {"xs": list(range(60_000))})) == 60_000


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("xs.map(x, x)", "Loop"),
        ("[xs.map(x, x), 1]", "Frame"),
        ("(a + b).map(x, (x))[0] * (c)", "Frame"),
        ("a && xs.all(x, x)", "Branch"),
        ("(a ? xs.map(x, x) : b)", "Branch"),
        ("a.orValue(xs.map(x, x))", None),
        ("a.optMap(v, v.map(x, x))", None),
        ("has(a.b)", None),
        ("xs.map(x, 1u)", None),
        ("'xs.map(x, x)'", None),
    ],
)
def test_what_can_be_cut_is_cut(text: str, kind: str | None) -> None:
    plan = planned(text)
    assert (plan and type(plan).__name__) == kind
