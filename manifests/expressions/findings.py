"""What inference has to say: what is wrong with an expression, what it gives, and what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from manifests.expressions.complaints import Malformed
from manifests.expressions.tree import Node, Path, end_of, source_of, start_of
from manifests.expressions.types import Type

SYNTAX, NAME, FIELD, ABSENT, KIND = "HL300", "HL301", "HL302", "HL303", "HL304"
FUNCTION, LIMIT, SETTLED = "HL305", "HL306", "HL313"


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake from `start` to `end` in the text of an expression."""

    code: str
    start: int
    end: int
    message: str
    expected: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """An access to a scope root; a guarded one gives a value even if the root is absent."""

    root: str
    path: Path
    offset: int
    end: int
    guarded: bool


@dataclass(frozen=True, slots=True)
class Inferred:
    type: Type
    findings: tuple[Finding, ...]
    reads: tuple[Read, ...]


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: (finding.start, finding.end, finding.code)))


def of_syntax(error: Malformed) -> Finding:
    return Finding(error.code, error.offset, error.end, error.message, fix=error.fix)


class Report:
    """Collects findings about nodes of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Finding] = []

    def source(self, node: Node) -> str:
        """A node's text, cut where it would drown the message."""
        spelt = source_of(node, self.text)
        return spelt if len(spelt) <= 60 else spelt[:57] + "…"

    def about(self, node: Node, code: str, message: str, expected: str = "", fix: str = "") -> None:
        start, end = start_of(node, self.text), end_of(node, self.text)
        self.found.append(Finding(code, start, end, message, expected, fix))

    def at(self, start: int, size: int, code: str, message: str, expected: str = "", fix: str = "") -> None:
        self.found.append(Finding(code, start, start + size, message, expected, fix))

    def maybe_null(self, node: Node) -> None:
        spelt = self.source(node)
        self.about(node, ABSENT, f"{spelt} may be null here", "a value", f"ask first: {spelt} != null")
