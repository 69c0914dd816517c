from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.expressions.templates import Part, Text, Unclosed, embedded_in, is_whole, parts

CUT: list[tuple[str, list[str]]] = [
    ("plain", ["plain"]),
    ("", [""]),
    ("costs $5 {x}", ["costs $5 {x}"]),
    ("${a}", ["<a>"]),
    ("a ${ b } c", ["a ", "< b >", " c"]),
    ("${a}${b}", ["<a>", "<b>"]),
    ("$${a}", ["${a}"]),
    ("x $${a} ${b}", ["x ${a} ", "<b>"]),
    ("${ {'k': {'l': 1}} }", ["< {'k': {'l': 1}} >"]),
    ("${ '}' }", ["< '}' >"]),
    ("""${ "}" + '\\'}' }""", ["""< "}" + '\\'}' >"""]),
    ("""${ '''}'}''' }""", ["""< '''}'}''' >"""]),
    ('${ """a"}b""" }!', ['< """a"}b""" >', "!"]),
    (r"${ r'\' + '}' }", [r"< r'\' + '}' >"]),
    ("${ '' + '}' }", ["< '' + '}' >"]),
    ("${ a // }\n }", ["< a // }\n >"]),
    ("${}", ["<>"]),
]


@pytest.mark.parametrize(("text", "pieces"), CUT, ids=[text for text, _ in CUT])
def test_a_string_is_cut_into_text_and_expressions(text: str, pieces: list[str]) -> None:
    assert [part.text if isinstance(part, Text) else f"<{part.text}>" for part in parts(text)] == pieces


@pytest.mark.parametrize(("text", "offset"), [("${a", 0), ("ab ${ {'x': 1 }", 3), ("${'a}", 0), ("${a} ${'''b}''", 5)])
def test_an_expression_that_is_not_closed_is_refused_where_it_opens(text: str, offset: int) -> None:
    with pytest.raises(Unclosed) as refused:
        parts(text)
    assert refused.value.offset == offset


def test_only_an_expression_alone_is_whole() -> None:
    assert is_whole(parts("${a}"))
    assert not any(is_whole(parts(text)) for text in ("${a} ", "${a}${b}", "a", "$${a}", ""))


def test_expressions_are_found_anywhere_in_a_value() -> None:
    value: Any = {"a": ["x", {"b": "see ${c}"}], "d": 3, "e": "${f}"}
    found = [(path, text, len(pieces)) for path, text, pieces in embedded_in(value)]
    assert found == [(("a", 1, "b"), "see ${c}", 2), (("e",), "${f}", 1)]


@given(st.text(alphabet="a${}'\"\\ r/\n", max_size=30))
def test_every_part_and_every_refusal_stands_where_it_says(text: str) -> None:
    found, unclosed = _cut(text)
    for part in found:
        assert isinstance(part, Text) or text[part.start - 2 : part.end + 1] == "${" + part.text + "}"
    assert unclosed is None or text.startswith("${", unclosed)


def _cut(text: str) -> tuple[list[Part], int | None]:
    try:
        return parts(text), None
    except Unclosed as error:
        return [], error.offset


def test_a_long_hostile_string_is_read_in_no_time() -> None:
    with pytest.raises(Unclosed):
        parts("${" + '"""' * 100_000 + "'" + "{" * 100_000)
    assert len(parts("$${" * 100_000)) == 1
