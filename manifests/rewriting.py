"""Changing a file as an editor would: stretches are replaced, and every other byte stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from manifests.source import Position, Span


@dataclass(frozen=True, order=True)
class Edit:
    """What stands between two positions (lines and columns from 0) becomes this text, with \\n for line ends."""

    start: Position
    end: Position
    text: str


def at(span: Span, text: str) -> Edit:
    """The edit that replaces a span."""
    return Edit((span.line - 1, span.column - 1), (span.end_line - 1, span.end_column - 1), text)


def edited(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """The file after the edits, none of which overlap; its byte order mark and its line ends are kept."""
    text = raw.decode()
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    line_end = "\r\n" if "\r\n" in text else "\n"
    starts = _line_starts(text)
    pieces, done = [mark], 0
    for edit in sorted(edits):
        start, end = _offset(starts, edit.start, text), _offset(starts, edit.end, text)
        pieces += [text[done:start], edit.text.replace("\n", line_end)]
        done = end
    return "".join([*pieces, text[done:]]).encode()


def _line_starts(text: str) -> list[int]:
    return [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]


def _offset(starts: list[int], position: Position, text: str) -> int:
    line, column = position
    return starts[line] + column if line < len(starts) else len(text)
