"""Where things stand in a file: spans, the tree of a file's values, and places in that tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Literal, TypeAlias

Step: TypeAlias = str | int
Position: TypeAlias = tuple[int, int]
Style: TypeAlias = Literal["plain", "'", '"', "|", ">", "text"]  # the last is a whole file of prose


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(slots=True)
class Scalar:
    """One value as it was written; `start` and `end` count lines and columns from 0."""

    value: str | int | float | bool | None
    text: str
    style: Style
    start: Position
    end: Position


@dataclass(slots=True)
class Mapping:
    """Keys in the order of the file, each with the scalar that spelt it and its value."""

    entries: dict[str, tuple[Scalar, Tree]]
    start: Position
    end: Position


@dataclass(slots=True)
class Sequence:
    items: list[Tree]
    start: Position
    end: Position


Tree: TypeAlias = Scalar | Mapping | Sequence


def plain(tree: Tree) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(tree, Mapping):
        return {key: plain(value) for key, (_, value) in tree.entries.items()}
    if isinstance(tree, Sequence):
        return [plain(item) for item in tree.items]
    return tree.value


@dataclass(eq=False)
class Source:
    """A file of a bundle: its name as the reader knows it, its text and its values."""

    name: str
    text: str = field(repr=False)
    root: Tree = field(repr=False, default_factory=lambda: Scalar(None, "", "plain", (0, 0), (0, 0)))

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def data(self) -> Any:
        return plain(self.root)

    @property
    def place(self) -> Place:
        return Place(self)


@dataclass(frozen=True, slots=True)
class Place:
    """A value (or its key, or a stretch of its text) in a source; its span is found only when it is asked for."""

    source: Source
    path: tuple[Step, ...] = ()
    part: Literal["value", "key"] = "value"
    stretch: tuple[int, int] | None = None

    def __truediv__(self, step: Step) -> Place:
        return Place(self.source, (*self.path, step))

    @property
    def key(self) -> Place:
        return Place(self.source, self.path, "key")

    def within(self, start: int, end: int) -> Place:
        """The characters `start` to `end` of the text that this place holds."""
        return Place(self.source, self.path, "value", (start, end))

    def exists(self) -> bool:
        tree: Tree | None = self.source.root
        for step in self.path:
            tree = _child(tree, step)
        return tree is not None

    @property
    def span(self) -> Span:
        key, tree = self._find()
        if self.part == "key" and key is not None:
            tree = key
        if self.stretch is not None and isinstance(tree, Scalar) and isinstance(tree.value, str):
            (line, column), (end_line, end_column) = self._stretched(tree, *self.stretch)
        else:
            (line, column), (end_line, end_column) = tree.start, tree.end
        return Span(self.source.name, line + 1, column + 1, end_line + 1, end_column + 1)

    def _find(self) -> tuple[Scalar | None, Tree]:
        """The deepest value on the path that the file really has, with its key."""
        key: Scalar | None = None
        tree = self.source.root
        for step in self.path:
            below = _child(tree, step)
            if below is None:
                break
            key = tree.entries[str(step)][0] if isinstance(tree, Mapping) else None
            tree = below
        return key, tree

    def _stretched(self, scalar: Scalar, start: int, end: int) -> tuple[Position, Position]:
        """At least one character wide, and behind the last one when the stretch starts there."""
        stop = min(max(end, start + 1), len(str(scalar.value)))
        first = last = None
        if scalar.style == "text":
            first = _in_prose(self.source.text, start) if start < stop else None
            last = _in_prose(self.source.text, stop - 1) if stop else None
        else:
            for index, spelt in enumerate(islice(_spelt(self.source.lines, scalar), stop)):
                last = spelt
                if index == start:
                    first = spelt
        if last is None:
            return scalar.start, scalar.end
        line, column, size = last
        if first is None:
            return (line, column + size), (line, column + size + 1)
        return first[:2], (line, column + size)


def _child(tree: Tree | None, step: Step) -> Tree | None:
    if isinstance(tree, Mapping):
        entry = tree.entries.get(str(step))
        return entry[1] if entry else None
    if isinstance(tree, Sequence) and isinstance(step, int) and step < len(tree.items):
        return tree.items[step]
    return None


# Line, column and how many characters of the file spell one character of a value.
Spelt: TypeAlias = tuple[int, int, int]

_SPELLINGS = {
    "plain": re.compile("."),
    "'": re.compile("''|."),
    # A pair of surrogates spells one character in JSON; YAML has no such escapes.
    '"': re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\x..|\\u.{4}|\\U.{8}|\\.|."),
}


def _in_prose(text: str, offset: int) -> Spelt:
    """Where a character of a file of prose stands; each spells itself."""
    return text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset) - 1, 1


def _spelt(lines: list[str], scalar: Scalar) -> Iterator[Spelt]:
    """Where each character of a scalar's value stands in the file; a line break stands behind its line."""
    return _block(lines, scalar) if scalar.style in "|>" else _flow(lines, scalar)


def _flow(lines: list[str], scalar: Scalar) -> Iterator[Spelt]:
    """Lines are joined: a single break is a space, of several the first is dropped, of an escaped one nothing stays."""
    (first, column), (last, stop) = scalar.start, scalar.end
    quoted = scalar.style != "plain"
    breaks: list[Spelt] = []
    escaped = False
    for row in range(first, last + 1):
        text = lines[row][: stop - quoted] if row == last else lines[row]
        start = column + quoted if row == first else len(text) - len(text.lstrip(" \t"))
        end = len(text) if row == last else _without_blanks(text, scalar.style)
        if row > first and (start < end or row == last):
            yield from breaks if len(breaks) == 1 and not escaped else breaks[1:]
            breaks, escaped = [], False
        if row < last and end == len(text) and scalar.style == '"' and _ends_in_escape(text):
            end, escaped = end - 1, True
        for spelling in _SPELLINGS[scalar.style].finditer(text, start, max(start, end)):
            yield row, spelling.start(), len(spelling[0])
        breaks.append((row, len(text), 1))


def _without_blanks(text: str, style: Style) -> int:
    """Where a line ends without the blanks behind it; an escaped blank is none."""
    bare = text.rstrip(" \t")
    return len(bare) + (style == '"' and len(bare) < len(text) and _ends_in_escape(bare))


def _ends_in_escape(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _block(lines: list[str], scalar: Scalar) -> Iterator[Spelt]:
    """Line by line; in a folded block a break between two lines that are not indented further is a space."""
    first = scalar.start[0] + 1
    indent = _indent(lines, first, str(scalar.value))
    breaks: list[Spelt] = []
    folds = False
    for row in range(first, len(lines)):
        text = lines[row]
        if len(text) > indent:
            flush = scalar.style == ">" and text[indent] not in " \t"
            yield from breaks[1:] if flush and folds and len(breaks) > 1 else breaks
            yield from ((row, column, 1) for column in range(indent, len(text)))
            breaks, folds = [], flush
        breaks.append((row, len(text), 1))
    yield from breaks


def _indent(lines: list[str], row: int, value: str) -> int:
    """How far a block is indented: what its first line that is not empty has more than its value."""
    text = value.lstrip("\n")
    row += len(value) - len(text)
    return _leading_spaces(lines[row]) - _leading_spaces(text) if text else len(max(lines, key=len))


def _leading_spaces(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
