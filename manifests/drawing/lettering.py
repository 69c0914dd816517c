"""Text as it is drawn: nothing in it that is no text, how wide it is, and where it is cut."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

ELLIPSIS = "…"

# Widths in em, near those of the usual sans-serif faces; a character that is in no row is of the middle one.
_MIDDLE = 0.6
_ROWS = {
    0.27: "ijl|'",
    0.33: " .,:;!/\\Ift`",
    0.42: "r-()[]°·*",
    0.52: 'ckszvxyJ^{}"',
    0.65: "_+=<>~¬#$?",
    0.73: "ABEKPSVXY&TZFL",
    0.8: "CDHNRUGOQw",
    0.93: "mMW%@…—",
}
_WIDTHS = {character: size for size, characters in _ROWS.items() for character in characters}
_BOLD = 1.12

# What XML, a terminal or a bidirectional override would make something else of than a mark on paper.
_NO_MARK = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200c\u200e-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff0-\uffff]"
)


def plain(text: str) -> str:
    """One line of marks; white space becomes one blank, and what has no mark is shown as a picture of itself."""
    return _NO_MARK.sub(_shown, " ".join(text.split()))


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    return chr(0x2400 + number) if number < 0x20 else "\N{REPLACEMENT CHARACTER}"


def width(text: str, size: float, bold: bool = False) -> float:
    """About how wide the text is when set in a sans-serif face of this size."""
    return sum(map(_em, text)) * size * (_BOLD if bold else 1)


@lru_cache(maxsize=4096)
def _em(character: str) -> float:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.15 if unicodedata.east_asian_width(character) in "WF" else _MIDDLE


def fitted(text: str, most: float, size: float, bold: bool = False) -> str:
    """The text, or as much of its start as leaves room for an ellipsis."""
    # No text is narrower than its marks of no width let it be, and nobody reads a thousand of those.
    text = text[:1000]
    if width(text, size, bold) <= most:
        return text
    room = most / (size * (_BOLD if bold else 1)) - _em(ELLIPSIS)
    for end, character in enumerate(text):
        room -= _em(character)
        if room < 0:
            return text[:end].rstrip() + ELLIPSIS
    return text.rstrip() + ELLIPSIS


def clipped(text: str, most: int) -> str:
    """The text, or its start with an ellipsis, in no more characters than that."""
    return text if len(text) <= most else text[: most - 1].rstrip() + ELLIPSIS
