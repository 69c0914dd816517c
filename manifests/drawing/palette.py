"""The colours of each kind of node, on light and on dark paper."""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
    fill: str
    line: str
    dark_fill: str
    dark_line: str


_GREY = Ink("#f3f4f6", "#7d8794", "#262c36", "#8b96a5")
_GREEN = Ink("#e3f6ea", "#22935a", "#12301f", "#3fb97a")
_TEAL = Ink("#f0faf9", "#148f87", "#10201f", "#2fb3a8")
_PURPLE = Ink("#f2ebfd", "#8250df", "#2a1d45", "#a78bfa")

INKS = {
    "agent": _PURPLE,
    "tool": Ink("#e4effd", "#2a6fd1", "#122848", "#5b9df5"),
    "decision": Ink("#fdf3cf", "#b07d04", "#352a08", "#dcaa2e"),
    "merge": _GREY,
    "transform": _GREY,
    "map": _TEAL,
    "loop": _TEAL,
    "workflow": Ink("#e7e9fd", "#4b51d6", "#1c1f47", "#858bf5"),
    "human": Ink("#ffe9dc", "#d2591a", "#3d1e0c", "#f5874b"),
    "wait": Ink("#e8eef3", "#4f7189", "#1b2730", "#7fa3bb"),
    "recall": _GREEN,
    "remember": _GREEN,
    "emit": Ink("#fde6f1", "#c93a80", "#3c1428", "#ec72ac"),
    "plan": _PURPLE,
    "finally": Ink("#f7f8f9", "#8a93a0", "#161b22", "#7d8794"),
}
PLAIN = _GREY

PAPER, DARK_PAPER = "#ffffff", "#0d1117"
TEXT, DARK_TEXT = "#1b2129", "#e9eef4"
SOFT_TEXT, DARK_SOFT_TEXT = "#566070", "#a6b0bd"
ARROW, DARK_ARROW = "#717b89", "#8d98a7"
FAILURE, DARK_FAILURE = "#cf3a44", "#f4727a"


def ink(kind: str) -> Ink:
    return INKS.get(kind, PLAIN)
