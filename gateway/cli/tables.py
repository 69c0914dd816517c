"""Columns that line up, in as many columns as the terminal has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from gateway.cli.terminal import cell, visible

GAP = 2
LEAST = 8
LEAST_FIRST = 12


def size(text: str) -> int:
    """The columns that a text takes."""
    used = 0
    for character in text:
        used += cell(character, used)[1]
    return used


def shortened(text: str, width: int) -> str:
    """The text, cut where it does not fit."""
    if size(text) <= width:
        return text
    kept = text[: max(width - 1, 0)]
    while kept and size(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    paint: Callable[[str], str],
    right: str = "",
    whole: bool = False,
    first: str = "",
) -> Iterator[str]:
    """Lines of a table without the columns that are empty; the widest ones shrink.

    `right` names the columns set right, `first` the one that gives up its room before the others; `whole` breaks what
    does not fit into lines, where otherwise it is cut.
    """
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    names = [head[index] for index in kept]
    cells = [[[visible(line) for line in row[index].split("\n")] for index in kept] for row in rows]
    columns = zip([[name] for name in names], *cells, strict=True)
    yielding = names.index(first) if first in names else None
    widths = _fitting([max(size(line) for lines in column for line in lines) for column in columns], width, yielding)
    yield paint(_line(names, widths, names, right))
    for row in cells:
        lines = [_broken(cell, width) if whole else cell[:1] for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*lines, fillvalue=""):
            yield _line(parts, widths, names, right)


def _broken(lines: Sequence[str], width: int) -> list[str]:
    indent = "  " if width > LEAST else ""
    return [part for line in lines for part in wrap(line, width, subsequent_indent=indent) or [""]]


def _fitting(widths: list[int], width: int, first: int | None) -> list[int]:
    widths = list(widths)
    over = sum(widths) + GAP * (len(widths) - 1) - width
    if first is not None and over > 0:
        given = min(over, max(widths[first] - LEAST_FIRST, 0))
        widths[first] -= given
        over -= given
    while over > 0 and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
        over -= 1
    return widths


def _line(row: Sequence[str], widths: Sequence[int], names: Sequence[str], right: str) -> str:
    parts = []
    for text, width, name in zip(row, widths, names, strict=True):
        fitting = shortened(text, width)
        blanks = " " * (width - size(fitting))
        parts.append(blanks + fitting if name in right.split() else fitting + blanks)
    return (" " * GAP).join(parts).rstrip()
