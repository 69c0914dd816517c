"""Problems as a person reads them: the place, the line with carets under it, what was expected and the way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from gateway.cli.terminal import Painter, cell, visible
from manifests.problems import Problem
from manifests.source import Span
from manifests.text import MAX_BYTES

WHOLE_SPAN = 3  # a span of more lines is shown by its first and its last
BEFORE = 24  # columns of a long line that are shown before the span


class TextReport:
    def __init__(self, paint: Painter) -> None:
        self.paint = paint

    def of(self, problem: Problem) -> str:
        return "\n".join(self._lines(problem))

    def _lines(self, problem: Problem) -> Iterator[str]:
        span, paint = problem.span, self.paint
        where = f"{visible(span.file)}:{span.line}:{span.column}:"
        yield from _indented(f"{paint.place(where)} {paint.bad(problem.code)} ", problem.message, 2)
        yield from self._excerpt(span)
        for label, text in (("expected", problem.expected), ("fix", problem.fix)):
            if text:
                yield from _indented(f"  {paint.label(f'{label}:')} ", text, len(label) + 4)

    def _excerpt(self, span: Span) -> Iterator[str]:
        """The lines of the span behind a gutter of numbers, each with carets under its part."""
        stretches = _stretches(span)
        gutter = max((len(str(number)) for number, *_ in stretches), default=0) + 2
        before = 0
        for number, line, start, end in stretches:
            if before and number > before + 1:
                yield self.paint.faint("...".rjust(gutter))
            shown, blanks, carets = _window(line, start, end, self.paint.width - gutter - 3)
            yield f"{self.paint.faint(f'{number:>{gutter}} |')} {shown}".rstrip()
            yield f"{self.paint.faint(' ' * gutter + ' |')} {' ' * blanks}{self.paint.bad('^' * carets)}"
            before = number


def _indented(head: str, text: str, indent: int) -> Iterator[str]:
    first, *more = text.split("\n")
    yield head + visible(first)
    yield from (" " * indent + visible(line) for line in more)


def _stretches(span: Span) -> list[tuple[int, str, int, int]]:
    """Line number, line, and the columns, from 0, that the span takes of it."""
    lines = _lines_of(span.file)
    last = min(span.end_line, len(lines))
    if last > span.line and (span.end_line, span.end_column) == (last, 1):
        last -= 1  # a block ends where the next thing starts
    while last > span.line and not lines[last - 1].strip():
        last -= 1
    numbers: Iterable[int] = range(span.line, last + 1)
    if last - span.line >= WHOLE_SPAN:
        numbers = (span.line, last)
    return [(number, line, *_part(span, number, line)) for number in numbers for line in [lines[number - 1]]]


def _part(span: Span, number: int, line: str) -> tuple[int, int]:
    start = span.column - 1 if number == span.line else len(line) - len(line.lstrip())
    end = span.end_column - 1 if number == span.end_line else len(line.rstrip())
    return start, end


@lru_cache(maxsize=32)
def _lines_of(file: str) -> Sequence[str]:
    """A file's lines, or none when it cannot be shown."""
    # Reading a pipe would wait for ever, and nobody wants to see a line of a file that is refused for its size.
    if not os.path.isfile(file) or os.path.getsize(file) > MAX_BYTES:
        return ()
    try:
        text = Path(file).read_bytes().decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ()
    return text.replace("\r\n", "\n").split("\n")


def _window(line: str, start: int, end: int, width: int) -> tuple[str, int, int]:
    """What fits of a line around its columns `start` to `end`, and how many blanks and carets go below it."""
    start = min(start, len(line))
    end = max(min(end, len(line)), start + 1)
    first = 0 if _size(line[: min(end, width)]) < width and end <= width else _back(line, start, BEFORE)
    shown, used = ("…", 1) if first else ("", 0)
    blanks, carets = used, 0
    for column, character in enumerate(line[first : first + width * 4], first):
        text, size = cell(character, used)
        if used + size > width - (column + 1 < len(line)):
            shown += "…"
            break
        shown, used = shown + text, used + size
        if column < start:
            blanks += size
        elif column < end:
            carets += size
    return shown, blanks, max(carets, 1)


def _back(line: str, start: int, columns: int) -> int:
    """The place in the line that is so many columns before `start`."""
    while start > 0 and columns > 0:
        start -= 1
        columns -= cell(line[start], 0)[1]
    return start


def _size(text: str) -> int:
    used = 0
    for character in text:
        used += cell(character, used)[1]
    return used


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary(problems: Sequence[Problem]) -> str:
    files = {problem.span.file for problem in problems}
    return f"{counted(len(problems), 'problem')} in {counted(len(files), 'file')}"


def refuse(problems: Sequence[Problem], color: str) -> None:
    """Tells all problems on standard error, with their number at the end."""
    report = TextReport(Painter.chosen(color, sys.stderr))
    for problem in problems:
        print(report.of(problem), end="\n\n", file=sys.stderr)
    print(report.paint.bad(summary(problems)), file=sys.stderr)
