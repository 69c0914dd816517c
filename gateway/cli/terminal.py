"""What a terminal makes of text: colours, the columns a character takes, and characters that must not reach it."""

from __future__ import annotations

import os
import unicodedata
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import TextIO

PIPE_WIDTH = 120
LEAST_WIDTH = 40
TAB = 4


@dataclass(frozen=True)
class Painter:
    """Colours on a terminal, nothing elsewhere; and how wide a line may be."""

    on: bool = False
    width: int = PIPE_WIDTH

    @staticmethod
    def configure(parser: ArgumentParser) -> None:
        parser.add_argument(
            "--color", choices=("auto", "always", "never"), default="auto", help="auto (the default): on a terminal"
        )

    @classmethod
    def chosen(cls, wish: str, stream: TextIO) -> Painter:
        return cls(wish == "always" or (wish == "auto" and _wants_color(stream)), _width(stream))

    def place(self, text: str) -> str:
        return self._paint("1", text)

    def bad(self, text: str) -> str:
        return self._paint("1;31", text)

    def good(self, text: str) -> str:
        return self._paint("32", text)

    def label(self, text: str) -> str:
        return self._paint("36", text)

    def faint(self, text: str) -> str:
        return self._paint("2", text)

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.on and text else text


def _wants_color(stream: TextIO) -> bool:
    """The order Python's own tracebacks follow: NO_COLOR, FORCE_COLOR, then what the terminal can do."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return PIPE_WIDTH
    # A terminal that was never told its size says 0.
    return max(os.get_terminal_size(stream.fileno()).columns or PIPE_WIDTH, LEAST_WIDTH)


def cell(character: str, used: int) -> tuple[str, int]:
    """A character as it is shown when `used` columns of the line are taken, and the columns it takes itself."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        blanks = TAB - used % TAB
        return " " * blanks, blanks
    if _steers(character):
        shown = _spelt(character)
        return shown, len(shown)
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def visible(text: str) -> str:
    """The text with nothing left in it that would steer the terminal or reorder a line."""
    if text.isprintable():
        return text
    return "".join(_spelt(character) if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    bidirectional = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return bidirectional or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _spelt(character: str) -> str:
    """Control characters by their pictures (\N{SYMBOL FOR ESCAPE}), others by their numbers."""
    return chr(0x2400 + ord(character)) if character < " " else f"<U+{ord(character):04X}>"
