"""Random expressions over random data: inference never crashes, and what it says about values is true."""

from typing import Any

import jsonschema_rs
from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_optional, ext_strings
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.expressions.inference import examine
from manifests.expressions.schemas import of_schema
from manifests.expressions.syntax import parse
from manifests.expressions.tree import children, end_of, start_of
from manifests.expressions.types import schema_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "s": {"type": "string"},
        "b": {"type": "boolean"},
        "m": {"enum": ["one", "two"]},
        "z": {"type": ["integer", "null"]},
        "l": {"type": "array", "items": {"type": "integer"}},
        "o": {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]},
        "d": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["n", "x", "s", "b", "m", "z", "l", "d"],
    "additionalProperties": False,
}
SCOPE = {"a": of_schema(SCHEMA), "any": of_schema(True)}
WHOLE = st.integers(-9, 9)
WORDS = st.sampled_from(["", "one", "a b", "é"])
DATA = st.fixed_dictionaries(
    {
        "n": WHOLE,
        "x": WHOLE | st.sampled_from([0.5, -1.5]),
        "s": WORDS,
        "b": st.booleans(),
        "m": st.sampled_from(["one", "two"]),
        "z": WHOLE | st.none(),
        "l": st.lists(WHOLE, max_size=3),
        "d": st.dictionaries(st.sampled_from("ab"), WORDS),
    },
    optional={"o": st.fixed_dictionaries({"n": WHOLE}, optional={"s": WORDS})},
)
ANYTHING = st.sampled_from([None, 1, 0.5, "s", [1, "x"], {"n": 1}])
ATOMS = """
a a.n a.x a.s a.b a.m a.z a.l a.o a.d a.o.n a.o.s a.d.a a.?o.n a.?o.?s any any.n a.nope nope a.l[0] a.d['a'] a.l[?0]
1 2.5 'one' true false null [] [1,2] {} {'k':1} has(a.o) has(a.o.s) has(a.n) a.z!=null 1u b'x'
"""
SHAPES = """
{}+{} {}-{} {}*{} {}/{} {}<{} {}>={} {}=={} {}!={} ({})in({}) {}&&{} {}||{} {}?{}:{} !{} -{}
[{},{}] {{'k':{}}} [?{}] {{?'k':{},'j':{}}} {}.k {}.n {}[{}] {}.?n {}.orValue({}) {}.hasValue()
size({}) string({}) int({}) double({}) {}.contains({}) {}.split({}) {}.join({}) {}.trim()
{}.map(i,{}) {}.filter(i,{}) {}.all(i,{}) {}.exists(i,{}) {}.map(i,i+{}) {}.filter(i,i=={})
math.greatest({},{}) math.abs({}) math.round({}) {}.optMap(v,{}) optional.of({}) dyn({}) type({})
nosuch({}) {}.size() '%s'.format([{}]) {}.replace({},{}) {}.indexOf({}) {}.value() {}.or({})
"""


def _written(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def fill(shape: str) -> st.SearchStrategy[str]:
        holes = shape.count("{}")
        return st.tuples(*[below.map(_bracketed)] * holes).map(lambda given: shape.format(*given))

    return st.sampled_from(SHAPES.split()).flatmap(fill)


def _bracketed(text: str) -> str:
    return text if text.replace(".", "").replace("?", "").isalnum() else f"({text})"


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS.split()), _written, max_leaves=6)
GARBAGE = st.text(alphabet="ab1.?[]{}()'\"+-=!&|<>,: \n\\/$`é😀\0", max_size=40)
# What no type can rule out.
BY_VALUE = ("no item", "division", "64 bits", "convert", "no field", "is empty", "is nan", "is inf", "is greater than")
EVALUATOR = Evaluator()


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS | GARBAGE)
def test_inference_never_crashes_and_findings_lie_in_the_text(text: str) -> None:
    for finding in examine(text, SCOPE).findings:
        assert 0 <= finding.start <= finding.end <= len(text)
        assert finding.message


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_every_node_has_its_place_in_the_text(text: str) -> None:
    nodes = (
        [] if any(finding.code in ("HL300", "HL306") for finding in examine(text, {}).findings) else [parse(text).root]
    )
    while nodes:
        node = nodes.pop()
        nodes.extend(children(node))
        assert 0 <= start_of(node, text) <= end_of(node, text) <= len(text)


@settings(max_examples=1000, deadline=None)
@given(EXPRESSIONS, DATA, ANYTHING)
def test_what_is_found_sound_has_a_value_of_its_type(text: str, data: dict[str, Any], anything: Any) -> None:
    inferred = examine(text, SCOPE)
    if inferred.findings:
        return
    value, failure = _outcome(text, {"a": data, "any": anything})
    if failure:
        assert "any" in text or "dyn" in text or any(cause in failure for cause in BY_VALUE), failure
    else:
        assert jsonschema_rs.is_valid(schema_of(inferred.type), value), (text, inferred.type, value)


def _outcome(text: str, scope: dict[str, Any]) -> tuple[Any, str]:
    try:
        return EVALUATOR.evaluate(text, scope), ""
    except ExpressionFailed as error:
        return None, error.message


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS)
def test_every_name_and_function_that_is_found_sound_is_known_to_cel(text: str) -> None:
    if not examine(text, SCOPE).findings:
        assert "undeclared reference" not in _checked(text)


def _checked(text: str) -> str:
    """What CEL's own checker has to say."""
    try:
        CHECKED.compile(text)
    except RuntimeError as error:
        return str(error)
    return ""


CHECKED = cel.NewEnv(
    variables={"a": cel.Type.DYN, "any": cel.Type.DYN},
    extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings(), ext_math.ExtMath()],
)
