"""What a person sees of a problem."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.diagnostics import TextReport, _window, summary
from gateway.cli.terminal import Painter
from manifests.problems import Problem
from manifests.source import Span
from tests.gateway.cli.conftest import Drawn


def under(lines: list[str]) -> str:
    """What stands above the carets of a one-line excerpt that has one column a character."""
    source, marks = lines[1], lines[2]
    return source[marks.index("^") : marks.rindex("^") + 1]


def test_a_problem_is_drawn_with_its_place_its_line_and_its_way_out(drawn: Drawn) -> None:
    lines = drawn(
        "nodes:\n  - id: join\n    kind: mrge\n", 3, 11, 3, 15,
        message="no kind 'mrge'", expected="a node kind", fix="did you mean 'merge'?",
    )  # fmt: skip
    assert lines == [
        "workflow.yaml:3:11: HL214 no kind 'mrge'",
        "  3 |     kind: mrge",
        "    |           ^^^^",
        "  expected: a node kind",
        "  fix: did you mean 'merge'?",
    ]


def test_tabs_become_blanks_and_the_carets_follow(drawn: Drawn) -> None:
    lines = drawn("a:\tbad\tworse", 1, 8, 1, 13)
    assert "\t" not in "".join(lines)
    assert under(lines) == "worse"


def test_wide_characters_take_two_columns(drawn: Drawn) -> None:
    assert drawn("名前: 悪い値 # x", 1, 5, 1, 8)[2] == "    |       ^^^^^^"


def test_combining_characters_take_none(drawn: Drawn) -> None:
    text = unicodedata.normalize("NFD", "éé: né")
    start = text.index("n") + 1
    assert drawn(text, 1, start, 1, start + 3)[2] == "    |     ^^"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_shift_nothing(drawn: Drawn, end: str) -> None:
    assert under(drawn(f"\ufeffkind: bad{end}more: 1{end}", 1, 7, 1, 10)) == "bad"


def test_a_span_of_no_width_gets_one_caret(drawn: Drawn) -> None:
    assert drawn("kind:", 1, 6, 1, 6)[2] == "    |      ^"


@pytest.mark.parametrize("before", [0, 3, 60, 5_000, 2_000_000])
@pytest.mark.parametrize("after", [0, 3, 60, 2_000_000])
def test_a_long_line_is_shown_around_its_span(drawn: Drawn, before: int, after: int) -> None:
    lines = drawn("x" * before + "BAD" + "y" * after, 1, before + 1, 1, before + 4, width="80")
    assert under(lines) == "BAD"
    assert max(map(len, lines[1:])) <= 80


def test_a_span_longer_than_the_window_is_cut(drawn: Drawn) -> None:
    lines = drawn("key: " + "z" * 500, 1, 6, 1, 506, width="60")
    assert set(under(lines)) == {"z"}
    assert lines[1].endswith("…")
    assert max(map(len, lines[1:])) <= 60


def test_a_short_block_is_drawn_whole(drawn: Drawn) -> None:
    assert drawn("a:\n  - x: 1\n    y: 2\nb: 1\n", 2, 5, 4, 1)[1:] == [
        "  2 |   - x: 1",
        "    |     ^^^^",
        "  3 |     y: 2",
        "    |     ^^^^",
    ]


def test_a_long_block_is_drawn_by_its_ends(drawn: Drawn) -> None:
    text = "a:\n" + "".join(f"  k{number}: {number}\n" for number in range(20)) + "\n\nb: 1\n"
    assert drawn(text, 2, 3, 24, 1)[1:] == [
        "   2 |   k0: 0",
        "     |   ^^^^^",
        " ...",
        "  21 |   k19: 19",
        "     |   ^^^^^^^",
    ]


def test_a_file_that_is_not_there_is_only_named(drawn: Drawn) -> None:
    problem = Problem("HL001", Span("gone/workflow.yaml", 1, 1, 1, 1), "no workflow.yaml")
    assert TextReport(Painter()).of(problem) == "gone/workflow.yaml:1:1: HL001 no workflow.yaml"


def test_a_place_beyond_the_file_is_only_named(drawn: Drawn) -> None:
    assert len(drawn("one\n", 9, 4, 9, 5)) == 1


def test_nothing_in_a_manifest_steers_the_terminal(drawn: Drawn) -> None:
    hostile = "k: \x1b[2J\x07\u202eevil\u2066\x9b"
    lines = drawn(hostile, 1, 4, 1, 8, message=f"no {hostile}", fix=hostile)
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u2066"} & set("".join(lines))
    assert "␛[2J␇<U+202E>" in lines[1]
    assert lines[2] == "    |    ^^^^"


def test_a_message_of_several_lines_stays_together(drawn: Drawn) -> None:
    lines = drawn("a: 1", 1, 1, 1, 2, message="first\nsecond", fix="do\nthis")
    assert lines[:2] == ["workflow.yaml:1:1: HL214 first", "  second"]
    assert lines[-2:] == ["  fix: do", "       this"]


def test_the_summary_counts_problems_and_files() -> None:
    problems = [Problem("HL1", Span(file, 1, 1, 1, 2), "m") for file in ("a", "a", "b")]
    assert summary(problems) == "3 problems in 2 files"
    assert summary(problems[:1]) == "1 problem in 1 file"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=300),
    start=st.integers(0, 310),
    length=st.integers(0, 310),
    width=st.integers(20, 100),
)
def test_any_stretch_of_any_line_fits_the_window(line: str, start: int, length: int, width: int) -> None:
    shown, blanks, carets = _window(line, start, start + length, width)
    assert shown.isprintable() or all(
        unicodedata.category(c) in ("Cf", "Zs", "Co", "Cn") for c in shown if not c.isprintable()
    )
    assert blanks + carets <= width + 1
    assert carets >= 1
