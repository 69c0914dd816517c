import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.expressions.syntax import Malformed, parse
from manifests.expressions.tree import Call, Comprehension, Const, Ident, MapExpr, Select, children, path_of, source_of

MALFORMED = [
    ("", 0, 0, "the expression is empty"),
    ("  ", 0, 2, "the expression is empty"),
    ("1 +", 3, 3, "the expression ends too early"),
    ("a ? 1", 5, 5, "':' is missing"),
    ("[1, 2", 5, 5, "']' is missing"),
    ("{'a': 1", 7, 7, "'}' is missing"),
    ("has(a.b", 7, 7, "')' is missing"),
    ("a b", 2, 3, "unexpected 'b'"),
    ("1 + + 2", 4, 5, "unexpected '+'"),
    ("a..b", 2, 3, "unexpected '.'"),
    ("a.", 2, 2, "the expression ends too early"),
    ("é", 0, 1, "`é` cannot stand here"),
    ("a = 1", 2, 3, "write '=='"),
    ("a === 1", 2, 5, "write '=='"),
    ("a !== 1", 2, 5, "write '!='"),
    ("a & b", 2, 3, "write '&&'"),
    ("a | b", 2, 3, "write '||'"),
    ("a ?? b", 2, 4, "write a.?b.orValue(x)"),
    ("a ?.b", 2, 4, "write '.?'"),
    ("a and b", 2, 5, "write '&&'"),
    ("a or b", 2, 4, "write '||'"),
    ("not a", 0, 3, "write '!x'"),
    ("a is null", 2, 4, "write '=='"),
    ("x if c else y", 2, 4, "write c ? x : y"),
    ("x => x + 1", 2, 4, "there are no lambdas"),
    ("a ** 2", 2, 4, "there is no '**'"),
    ("'abc", 0, 4, "the string is not closed"),
    ("'\\q'", 1, 3, "`\\q` is no escape"),
    ("while", 0, 5, "'while' is a reserved word"),
    ("a.in", 2, 4, "'in' is a reserved word"),
    ("has(a)", 4, 5, "has() asks for a field"),
    ("xs.map(1, 2)", 7, 8, "the first argument names the item"),
    ("99999999999999999999", 0, 20, "does not fit 64 bits"),
    ("a\n  b", 4, 5, "unexpected 'b'"),
    ("a\0b", 1, 2, "U+0000"),
    ("a\ud800", 1, 2, "U+D800"),
]


@pytest.mark.parametrize(("text", "start", "end", "says"), MALFORMED, ids=[ascii(row[0]) for row in MALFORMED])
def test_what_cannot_be_read_is_refused_in_plain_words(text: str, start: int, end: int, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse(text)
    error = refused.value
    assert (error.code, error.offset, error.end) == ("HL300", start, end)
    assert says in f"{error.message}; {error.fix}"


HOSTILE = [
    "'(' * 9999",
    "'(' * 4999 + '1' + ')' * 4999",
    "'[' * 300",
    "'[' * 300 + ']' * 300",
    "'{1:' * 1000 + '1' + '}' * 1000",
    "'a' + '.b' * 4000",
    "'a' + '+1' * 4000",
    "'a?b:' * 2000 + 'c'",
    "'f(' * 3000 + ')' * 3000",
    "'a.map(x,' * 500 + '1' + ')' * 500",
    "'a.map(x,' * 3 + '1' + ')' * 3",
    "'a' * 10_001",
]


def test_hostile_texts_are_refused_by_their_limit_and_harm_no_process() -> None:
    """In a process of its own, for a parser in C++ can take this one along."""
    script = f"""
from manifests.expressions.syntax import Malformed, parse
for text in [{", ".join(HOSTILE)}]:
    try:
        parse(text)
    except Malformed as error:
        assert error.code == "HL306", (text[:40], error.code, str(error))
    else:
        raise AssertionError(text[:40])
for text in ["!" * 5000 + "a", "-" * 5000 + "a", "a" + "&&a" * 3000]:
    parse(text)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="(){}[]?:.'\"\\!-1a,`\n", max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    start, end = _refused(text)
    assert 0 <= start <= end <= len(text)


def _refused(text: str) -> tuple[int, int]:
    try:
        parse(text)
    except Malformed as error:
        return error.offset, error.end
    return 0, 0


def test_paths_are_read_off_selections_and_constant_indexes() -> None:
    assert path_of(parse("a.b[0].?c['d']").root) == ("a", "b", 0, "c", "d")
    assert path_of(parse("a.b[i]").root) is None


PLAIN = ["a", "b_1", "_x", "loop", "in", "true", "null", "as", "int", "math", "size", "E"]


@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=4))
def test_a_name_with_fields_is_what_the_same_in_brackets_is(words: list[str]) -> None:
    """Plain names are read without CEL, which sees whatever has a blank in it."""
    try:
        plain = parse(".".join(words)).root
    except Malformed:
        with pytest.raises(Malformed):
            parse(".".join(words) + " ")
    else:
        assert plain == parse(".".join(words) + " ").root


def test_loop_is_a_variable_and_may_still_be_a_field_and_a_word() -> None:
    root = parse("loop.loop + 'loop'").root
    assert isinstance(root, Call)
    select, word = root.args
    assert select == Select(Ident("loop", 0), "loop", False, 5)
    assert word == Const("loop", "string", 12)


@pytest.mark.parametrize("kind", ["all", "exists", "exists_one", "filter", "map"])
def test_macros_stay_whole(kind: str) -> None:
    text = f"xs.{kind}(x, x > 1)"
    root = parse(text).root
    assert isinstance(root, Comprehension)
    assert (root.kind, root.variable, root.offset) == (kind, "x", 3)
    assert source_of(root.body or root.condition or root, text) == "x > 1"


def test_map_with_a_condition_keeps_both() -> None:
    root = parse("xs.map(x, x > 1, x + 1)").root
    assert isinstance(root, Comprehension)
    assert root.kind == "map"
    assert (root.condition is not None, root.body is not None) == (True, True)


def test_optional_entries_are_marked() -> None:
    root = parse("{?'a': b, 'c': d}").root
    assert isinstance(root, MapExpr)
    assert [entry.optional for entry in root.entries] == [True, False]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-9223372036854775808", -(2**63)),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("r'\\n'", "\\n"),
        ("'é😀'", "é😀"),
        ("null", None),
    ],
)
def test_constants_are_read(text: str, value: object) -> None:
    root = parse(text).root
    assert isinstance(root, Const)
    assert root.value == value


PIECES = [
    "a.b",
    "f(a, (b))",
    "[a, [b]]",
    "{'k': (v)}",
    "a.b(c)[0]",
    "has(a.b)",
    "!(a)",
    "-a",
    "'s' + r'\\q'",
    "a ? b : c.d()",
]


@pytest.mark.parametrize("text", PIECES)
def test_the_text_of_a_node_is_found_again(text: str) -> None:
    assert source_of(parse(f"  {text}").root, f"  {text}") == text or text == "!(a)"


def test_names_are_all_that_is_mentioned() -> None:
    assert parse("a.b + xs.map(x, x + c['d'])").names == {"a", "xs", "x", "c"}
    assert list(children(parse("a").root)) == []
