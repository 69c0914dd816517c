import pytest

from manifests.expressions.guards import facts, roots
from manifests.expressions.syntax import parse

PROOFS = [
    ("has(a.x)", {"a"}, set()),
    ("!has(a.x)", set(), {"a"}),
    ("has(a.x) && has(b.y)", {"a", "b"}, set()),
    ("has(a.x) || has(b.y)", set(), set()),
    ("!has(a.x) || !has(b.y)", set(), {"a", "b"}),
    ("has(a.x) ? b.y : false", {"a", "b"}, set()),
    ("has(a.x) || (has(a.y) && has(b.y))", {"a"}, set()),
    ("a.x == 1", {"a"}, {"a"}),
    ("a.x", {"a"}, {"a"}),
    ("a", set(), set()),
    ("a.?x.orValue(true)", set(), set()),
    ("a.?x.hasValue()", {"a"}, set()),
    ("'x' in a", {"a"}, set()),
    ("size(a.x) > 0", {"a"}, {"a"}),
    ("a.x.exists(i, i == b.y)", {"a"}, {"a"}),
    ("true", set(), set()),
    ("has(a.b.c)", {"a"}, {"a"}),
]


@pytest.mark.parametrize(("text", "when_true", "when_false"), PROOFS, ids=[row[0] for row in PROOFS])
def test_an_outcome_proves_that_roots_are_there(text: str, when_true: set[str], when_false: set[str]) -> None:
    expression = parse(text)
    found = [set(roots(facts(expression.root, outcome))) for outcome in (True, False)]
    assert found == [when_true, when_false]
