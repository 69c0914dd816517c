"""Columns that line up."""

from __future__ import annotations

from gateway.cli.tables import shortened, size, table

ROWS = [("a", "", "one two three four"), ("名前", "", "x")]


def test_columns_line_up_and_empty_ones_are_left_out() -> None:
    assert list(table(("k", "none", "what"), ROWS, 80, str)) == ["k     what", "a     one two three four", "名前  x"]


def test_what_does_not_fit_is_cut() -> None:
    assert list(table(("k", "none", "what"), ROWS, 16, str))[1] == "a     one two t…"


def test_or_broken_into_lines() -> None:
    lines = list(table(("k", "none", "what"), ROWS, 16, str, whole=True))
    assert lines[1:4] == ["a     one two", "        three", "        four"]


def test_numbers_are_set_right() -> None:
    assert list(table(("n",), [("1",), ("1,000",)], 80, str, right="n")) == ["    n", "    1", "1,000"]


def test_nothing_steers_the_terminal() -> None:
    assert "\x1b" not in "".join(table(("k",), [("\x1b[2J",)], 80, str))


def test_a_cut_text_fits() -> None:
    assert size(shortened("名前名前名前", 7)) <= 7
