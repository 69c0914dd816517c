"""Text to syntax tree: parsed by CEL once for each text, within limits, refused in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from manifests.expressions import engine
from manifests.expressions.complaints import RESERVED, Malformed, complaint
from manifests.expressions.tree import Ident, Node, Path, Select, children, path_of
from manifests.expressions.wire import Decoder, TooNested

__all__ = ["LONGEST", "RESERVED", "Expression", "Malformed", "parse"]

LONGEST = 10_000
_STRANGE = re.compile("[\x00\ud800-\udfff]")
# Each level multiplies the work by the length of its list, inside workflow code that must answer within two seconds.
NESTED_LOOPS = 2
# A name and a few of its fields: more than half of all expressions, told without asking CEL.
_FIELDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,8}")
_NO_NAMES = RESERVED - {engine.LOOP}


@dataclass(frozen=True)
class Expression:
    text: str
    root: Node

    @cached_property
    def names(self) -> frozenset[str]:
        """All names it mentions, those of its own loops among them."""
        return frozenset(node.name for node in self._nodes() if isinstance(node, Ident))

    @property
    def paths(self) -> Iterator[Path]:
        """The fixed ways to all that it reads, and to all above that."""
        for node in self._nodes():
            path = path_of(node)
            if path is not None:
                yield path

    def _nodes(self) -> Iterator[Node]:
        open_nodes = [self.root]
        while open_nodes:
            node = open_nodes.pop()
            open_nodes.extend(children(node))
            yield node


@lru_cache(maxsize=16384)
def parse(text: str) -> Expression:
    """Raises `Malformed`."""
    _refuse_unreadable(text)
    words = plain_path(text)
    return _parsed(text) if words is None else _selected(text, words)


def plain_path(text: str) -> tuple[str, ...] | None:
    """The words of `name.field.field`, unless one of them is a word of the language."""
    if not _FIELDS.fullmatch(text):
        return None
    words = tuple(text.split("."))
    return None if _NO_NAMES.intersection(words) else words


def _selected(text: str, words: tuple[str, ...]) -> Expression:
    root: Node = Ident(words[0], 0)
    at = len(words[0]) + 1
    for word in words[1:]:
        root = Select(root, word, False, at)
        at += len(word) + 1
    return Expression(text, root)


def _parsed(text: str) -> Expression:
    given = engine.spelt(text)
    try:
        data = engine.compiled(given).serialize()
    except RuntimeError as error:
        raise complaint(text, str(error)) from None
    try:
        return Expression(text, Decoder(data, given, NESTED_LOOPS, engine.name_from_cel).root())
    except TooNested as error:
        said = f"loops nest more than {NESTED_LOOPS} deep"
        fix = "flatten the list in a transform or a tool first"
        raise Malformed(error.offset, error.offset + 1, said, fix, "HL306") from None


def _refuse_unreadable(text: str) -> None:
    if len(text) > LONGEST:
        said = f"the expression is {len(text):,} characters long, at most {LONGEST:,} are read"
        raise Malformed(0, len(text), said, "move a part into a transform node", "HL306")
    if not text.strip():
        raise Malformed(0, len(text), "the expression is empty", "write a value, or leave the field out")
    strange = _STRANGE.search(text)
    if strange is not None:
        at = strange.start()
        raise Malformed(at, at + 1, f"the character U+{ord(text[at]):04X} cannot stand here")
