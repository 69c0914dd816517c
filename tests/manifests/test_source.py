"""Places: from a value, or a stretch of its text, back to line and column."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from manifests.reading import Unreadable, parse_yaml
from manifests.source import Place, Source, Span

BUNDLE = """\
# a comment
name: gremlin
empty:
nodes:
  - id: é😀
    with: {path: src, n: 1}

  - id: b
    text: |
      one
      two

    last: 'x'
# the end
"""


def spot(place: Place) -> tuple[int, int, int, int]:
    span = place.span
    return span.line, span.column, span.end_line, span.end_column


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("name",), (2, 7, 2, 14), (2, 1, 2, 5)),
        (("empty",), (3, 7, 3, 7), (3, 1, 3, 6)),
        (("nodes",), (5, 3, 13, 14), (4, 1, 4, 6)),
        (("nodes", 0), (5, 5, 6, 28), (5, 5, 6, 28)),
        (("nodes", 0, "id"), (5, 9, 5, 11), (5, 5, 5, 7)),
        (("nodes", 0, "with"), (6, 11, 6, 28), (6, 5, 6, 9)),
        (("nodes", 0, "with", "n"), (6, 26, 6, 27), (6, 23, 6, 24)),
        (("nodes", 1, "text"), (9, 11, 11, 10), (9, 5, 9, 9)),
        (("nodes", 1, "last"), (13, 11, 13, 14), (13, 5, 13, 9)),
        ((), (2, 1, 13, 14), (2, 1, 13, 14)),
        (("nodes", 0, "gone", "further"), (5, 5, 6, 28), (5, 5, 6, 28)),
    ],
)
def test_values_and_keys_have_places(
    path: tuple[str | int, ...], value: tuple[int, int, int, int], key: tuple[int, int, int, int]
) -> None:
    place = parse_yaml(BUNDLE, "workflow.yaml").place
    for step in path:
        place = place / step
    assert spot(place) == value
    assert spot(place.key) == key


def test_a_place_knows_whether_the_file_has_it() -> None:
    place = parse_yaml(BUNDLE, "workflow.yaml").place
    assert (place / "nodes" / 1 / "id").exists()
    assert not (place / "nodes" / 2).exists()
    assert not (place / "name" / "x").exists()


@pytest.mark.parametrize(
    ("text", "spots"),
    [
        ("a: &x foo", (1, 7, 1, 10)),
        ("a: &x\n  'foo'", (2, 3, 2, 8)),
        ("a: ! foo", (1, 6, 1, 9)),
        ("a: &x", (1, 6, 1, 6)),
        ("a: &x # &y\n  |\n  foo", (2, 3, 3, 6)),
        ("? a\n\n", (1, 4, 1, 4)),
        ("{a}", (1, 3, 1, 3)),
        ("a: |\n  x\n\n\n# c", (1, 4, 2, 4)),
        ("a: >-\n  x", (1, 4, 2, 4)),
        ("a: |+\n  x\n\n", (1, 4, 2, 4)),
        ("a: |\n", (1, 4, 1, 5)),
        ("a: x\n  y\n\n", (1, 4, 2, 4)),
        ("a:\n- b\n\n\n", (2, 1, 2, 4)),
    ],
)
def test_the_place_of_a_value_is_the_value(text: str, spots: tuple[int, int, int, int]) -> None:
    assert spot(parse_yaml(text, "f").place / "a") == spots


@pytest.mark.parametrize(
    ("text", "part", "spots"),
    [
        ("a: ${b.c}", "c", (1, 8, 1, 9)),
        ("a: x\n  y ${c}", "${c}", (2, 5, 2, 9)),
        ("a: 'it''s ${c}'", "${c}", (1, 11, 1, 15)),
        ("a: 'it''s ${c}'", "'", (1, 7, 1, 9)),
        ('a: "\\té\\u00e9${c}"', "${c}", (1, 14, 1, 18)),
        ('a: "x\\\n   ${c}"', "${c}", (2, 4, 2, 8)),
        ("a: |\n    x\n      ${c}\n", "${c}", (3, 7, 3, 11)),
        ("a: |2-\n    x\n  ${c}\n", "${c}", (3, 3, 3, 7)),
        ("a: >\n  x\n  y\n\n  ${c}\n", "${c}", (5, 3, 5, 7)),
        ("a: >\n\n\n  x\n   y\n\n  ${c}\n", "${c}", (7, 3, 7, 7)),
        ("a: x\n  y", "x y", (1, 4, 2, 4)),
        ("a: &n 'x ${c}'", "${c}", (1, 10, 1, 14)),
    ],
)
def test_a_stretch_of_text_has_a_place(text: str, part: str, spots: tuple[int, int, int, int]) -> None:
    place = parse_yaml(text, "f").place / "a"
    start = place.source.data["a"].index(part)
    assert spot(place.within(start, start + len(part))) == spots


def test_a_stretch_is_at_least_one_character_and_may_start_behind_the_text() -> None:
    place = parse_yaml("a: 'x y'", "f").place / "a"
    assert spot(place.within(1, 1)) == (1, 6, 1, 7)
    assert spot(place.within(3, 3)) == (1, 8, 1, 9)
    assert spot(place.within(90, 99)) == (1, 8, 1, 9)
    assert spot((parse_yaml("a: ''", "f").place / "a").within(0, 1)) == (1, 4, 1, 6)


def test_a_stretch_of_something_else_than_text_is_all_of_it() -> None:
    assert spot((parse_yaml("a: 12", "f").place / "a").within(1, 2)) == (1, 4, 1, 6)


def test_the_end_of_a_large_text_is_found() -> None:
    place = parse_yaml("a: |\n" + "  xxxxxxxx\n" * 100_000 + "  end", "f").place / "a"
    assert spot(place.within(900_000, 900_003)) == (100_002, 3, 100_002, 6)


PIECE = st.sampled_from([*" ab'\"\\\n\té😀:#-{}%\x85\u2028\ufeff\x07"]) | st.characters(exclude_categories=["Cs"])
TEXT = st.text(PIECE, min_size=1, max_size=40)


@given(TEXT, st.sampled_from([None, "'", '"', "|", ">"]), st.sampled_from([5, 20, 80]), st.sampled_from([2, 5]))
def test_every_character_is_found_where_it_was_dumped(text: str, style: str | None, width: int, indent: int) -> None:
    dumped = yaml.dump({"k": [text]}, default_style=style, width=width, indent=indent, allow_unicode=True)
    source = read(dumped.replace("!!null ", ""))
    # PyYAML writes a few texts so that they come back as something else.
    assume(isinstance(source.data["k"][0], str))
    assert_spelt(source.place / "k" / 0)


def read(text: str) -> Source:
    try:
        return parse_yaml(text, "f")
    except Unreadable:
        assume(False)
        raise


def assert_spelt(place: Place) -> None:
    """Each character's place holds the character, its escape, or the line break that stands for it."""
    value = at_path(place)
    last = (0, 0)
    for index, character in enumerate(value):
        span = place.within(index, index + 1).span
        assert (span.line, span.column) > last, (place.source.text, index, span)
        last = (span.line, span.column)
        assert character in spelling(place.source, span), (place.source.text, index, span)


def at_path(place: Place) -> str:
    data = place.source.data
    for step in place.path:
        data = data[step]
    assert isinstance(data, str)
    return data


def spelling(source: Source, span: Span) -> str:
    """The characters that what stands at a place can mean."""
    assert span.end_line == span.line
    line = source.lines[span.line - 1]
    written = line[span.column - 1 : span.end_column - 1]
    if span.column == len(line) + 1:
        return " \n"
    if written == "''":
        return "'"
    return str(yaml.safe_load(f'"{written}"')) if len(written) > 1 else written


FOLD = st.builds(
    lambda blanks, empty, indent: blanks + "\n" * (empty + 1) + " " * indent,
    st.sampled_from(["", " ", "\t ", "  "]), st.integers(0, 3), st.integers(1, 4),
)  # fmt: skip
ESCAPE = st.sampled_from(["\\n", "\\t", "\\ ", "\\x41", "\\u00e9", "\\U0001F600", "\\\\", '\\"', "\\/", "\\\n  "])
RAW = st.sampled_from([*"ab é😀\t:#", " b", "x y"])


@given(st.lists(RAW | FOLD | ESCAPE, max_size=12))
def test_every_character_of_a_double_quoted_text_is_found(pieces: list[str]) -> None:
    assert_spelt(read(f'k: "{"".join(pieces)}"').place / "k")


@given(st.lists(RAW | FOLD | st.just("''"), max_size=12))
def test_every_character_of_a_single_quoted_text_is_found(pieces: list[str]) -> None:
    assert_spelt(read(f"k: '{''.join(pieces)}'").place / "k")


PROPERTIES = st.sampled_from(["", "&a ", "! ", "&a\n  "])


@given(st.lists(RAW | FOLD | st.sampled_from(["'", '"', "\\n"]), max_size=12), PROPERTIES)
def test_every_character_of_a_plain_text_is_found(pieces: list[str], properties: str) -> None:
    source = read(f"k: {properties}x{''.join(pieces)}x\n")
    assume(isinstance(source.data["k"], str))
    assert_spelt(source.place / "k")


LINE = st.sampled_from(
    ["", "", " ", "  ", "  a", "  b c", "  d ", "  # e", "  é😀", "  \tx", "   more", "    f", "    "]
)


@given(
    st.lists(LINE, max_size=8), st.sampled_from("|>"), st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from(["", "-", "+"]), st.sampled_from(["", " # comment"]), st.booleans(),
)  # fmt: skip
def test_every_character_of_a_block_is_found(
    lines: list[str], style: str, indent: str, chomp: str, comment: str, last: bool
) -> None:
    source = read(f"k: {style}{indent}{chomp}{comment}\n" + "\n".join(lines) + ("\n" if last else ""))
    assume(set(source.data) == {"k"})
    assert_spelt(source.place / "k")
