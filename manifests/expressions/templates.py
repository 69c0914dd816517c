"""Finds `${ … }` in values; what it holds is an expression, everything else stays as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from manifests.expressions.tokens import TOKEN

Path: TypeAlias = tuple[str | int, ...]
_OPENING = re.compile(r"\$\$\{|\$\{")


class Unclosed(Exception):
    """A `${` without its `}`, at `offset` of the string."""

    def __init__(self, offset: int, message: str = "'${' is not closed") -> None:
        self.offset = offset
        self.fix = "add '}', or write '$${' for a literal '${'"
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """An expression in a string; `start` and `end` are those of the expression, without `${` and `}`."""

    text: str
    start: int
    end: int


Part: TypeAlias = Text | Embedded


def parts(text: str) -> list[Part]:
    """The string cut into literal text and expressions; raises `Unclosed`."""
    return list(_parts(text)) if "${" in text else [Text(text)]


@lru_cache(maxsize=8192)
def _parts(text: str) -> tuple[Part, ...]:
    found: list[Part] = []
    literal, at = "", 0
    while opening := _OPENING.search(text, at):
        literal += text[at : opening.start()]
        if opening.group() == "$${":
            literal, at = literal + "${", opening.end()
            continue
        if literal:
            found.append(Text(literal))
        end = _closing(text, opening.end())
        found.append(Embedded(text[opening.end() : end], opening.end(), end))
        literal, at = "", end + 1
    if literal + text[at:] or not found:
        found.append(Text(literal + text[at:]))
    return tuple(found)


def _closing(text: str, start: int) -> int:
    """Where the `}` stands that closes an expression; braces in strings and comments do not count."""
    depth = 0
    for token in TOKEN.finditer(text, start):
        if token.lastgroup == "unclosed":
            raise Unclosed(start - 2, f"a string inside '${{' is not closed: {token.group()[:20]}")
        if token.group() == "{":
            depth += 1
        elif token.group() == "}":
            depth -= 1
            if depth < 0:
                return token.start()
    raise Unclosed(start - 2)


def is_whole(found: Sequence[Part]) -> bool:
    """Whether the string is one expression and nothing else, and so keeps the expression's type."""
    return len(found) == 1 and isinstance(found[0], Embedded)


def embedded_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, str, list[Part]]]:
    """Every string of a value that holds expressions or an escaped `${`, with the way to it."""
    if isinstance(value, str):
        if "${" in value:
            yield path, value, parts(value)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from embedded_in(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from embedded_in(below, (*path, index))
