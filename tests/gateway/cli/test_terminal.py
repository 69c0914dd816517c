"""When there is colour, and when there is not."""

from __future__ import annotations

import io
import os
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from gateway.cli.terminal import Painter


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A real one, which was told no size."""
    ours, theirs = os.openpty()
    with open(theirs, "w") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("wish", "on_terminal", "environment", "colored"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_and_for_those_who_ask(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: TextIO,
    wish: str,
    on_terminal: bool,
    environment: dict[str, str],
    colored: bool,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    painter = Painter.chosen(wish, terminal if on_terminal else io.StringIO())
    assert (painter.bad("x") != "x") is colored


def test_a_terminal_that_knows_no_size_is_taken_for_a_wide_one(terminal: TextIO) -> None:
    assert Painter.chosen("never", terminal).width == 120


@pytest.mark.parametrize(("columns", "width"), [(72, 72), (9, 40)])
def test_a_terminal_is_filled_unless_it_is_tiny(terminal: TextIO, columns: int, width: int) -> None:
    termios.tcsetwinsize(terminal.fileno(), (24, columns))
    assert Painter.chosen("never", terminal).width == width


def test_a_pipe_has_a_width_of_its_own() -> None:
    assert Painter.chosen("never", io.StringIO()).width == 120
