"""How many tokens a text has, near enough to keep within a limit, without the tokenizer of the model.

What is counted are characters by script, starts of words and long runs, in C. The weights are fitted to eight
tokenizers (docs/context.md names them and has the table): whichever of them a model has, an estimate is at most
`MARGIN` below its count. It is above it more often than not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

# An estimate is at least this part below one of what a tokenizer counts.
MARGIN = 0.15
_CONTINUATION = bytes(range(0x80, 0xC0))
# Classes of characters by the first byte of their UTF-8, up to and with each byte.
_FIRST = (
    (0x08, "c"), (0x0A, "n"), (0x0C, "c"), (0x0D, "n"), (0x1F, "c"), (0x20, " "), (0x2F, "p"), (0x39, "0"),
    (0x40, "p"), (0x5A, "A"), (0x60, "p"), (0x7A, "a"), (0x7E, "p"), (0x7F, "c"), (0xBF, "."),
    (0xCA, "l"), (0xCD, "z"), (0xCF, "g"), (0xD3, "y"), (0xD6, "z"), (0xD7, "w"), (0xDF, "r"),
    (0xE0, "i"), (0xE1, "j"), (0xE2, "s"), (0xE9, "k"), (0xED, "h"), (0xEF, "u"), (0xFF, "e"),
)  # fmt: skip
# Thousandths of a token: for each character of a class (control, digit, Latin with marks, Greek, Cyrillic, Hebrew,
# Arabic, other two-byte, Indic and Thai, Khmer and Georgian, signs, Chinese and Japanese, Korean, other, emoji) …
_EACH = {
    "a": 61, " ": 82, "n": 90, "c": 830, "p": 200, "0": 880, "l": 2400, "g": 1000, "y": 760, "w": 870, "r": 990,
    "z": 1900, "i": 2640, "j": 2570, "s": 1490, "k": 1650, "h": 1830, "u": 1450, "e": 3950,
}  # fmt: skip
# … for each of these in a row: a change of case, punctuation, and words that are longer than words are …
_RUNS = {"aA": 620, "Aa": 1000, "AA": 660, "A" * 16: 5000, "a" * 6: 1810, "a" * 24: 4220, "pp": 960}
# … and for each first character of a run of these.
_STARTS = {"aAl": 625, "ygwr": 845, "0": 1010, " ": 190, "n": 1665}


def _table(class_of: Callable[[int], str]) -> bytes:
    return bytes(ord(class_of(byte)) for byte in range(256))


_CLASSES = _table(lambda byte: next(name for last, name in _FIRST if byte <= last))
_GROUPS = tuple(
    (_table(lambda byte, group=group: "x" if chr(byte) in group else "."), weight)  # type: ignore[misc]
    for group, weight in _STARTS.items()
)
_COUNTED = tuple((name.encode(), weight) for name, weight in (*_EACH.items(), *_RUNS.items()))


def tokens(text: str) -> int:
    """About how many tokens a text has: the same on every machine, and for its parts at line ends together no less."""
    seen = text.encode("utf-8", "surrogatepass").translate(_CLASSES, _CONTINUATION)
    total = sum(weight * seen.count(name) for name, weight in _COUNTED)
    for group, weight in _GROUPS:
        marked = seen.translate(group)
        total += weight * (marked.count(b".x") + marked.startswith(b"x"))
    return -(-total // 1000)


def bound(text: str) -> int:
    """More tokens than this no text has: one for each byte, also of what a tokenizer makes of it, and one in front."""
    if text.isascii():
        return len(text) + 1
    longer = unicodedata.normalize("NFKC", text)
    return max(len(each.encode("utf-8", "surrogatepass")) for each in (text, longer)) + 1


def beginning(text: str, room: int) -> str:
    """As much of the beginning of a text as has room, up to the end of a word where there is one near."""
    return text[: _most(lambda length: text[:length], len(text), room)]


def end(text: str, room: int) -> str:
    length = _most(lambda length: text[-length:], len(text), room)
    return text[-length:] if length else ""


def _most(part: Callable[[int], str], length: int, room: int) -> int:
    """The longest part that has room; it is looked for near where it must be, not in the whole of a long text."""
    low, high = 0, 8 * room
    while low < high < length and tokens(part(high)) <= room:
        low, high = high, 2 * high
    high = min(high, length)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens(part(middle)) <= room else (low, middle - 1)
    return low
