"""What a context is made of: pieces, each from one layer, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Layer: TypeAlias = Literal["conversation", "retrieval", "state", "profile", "environment"]


@dataclass(frozen=True)
class Piece:
    """One thing that may stand in a context; `source` is whose it is: a node, a tool, a speaker, a memory."""

    layer: Layer
    source: str
    text: str
    importance: float = 1.0


@dataclass(frozen=True)
class Absent:
    """What is not there to choose from, and why; `dropped` where there is something all the same."""

    layer: Layer
    source: str
    why: str
    dropped: bool = False


@dataclass(frozen=True)
class Fate:
    """What became of a piece: `tokens` is what it would take, `sent` what it takes, `text` what is left of it."""

    piece: Piece
    what: Literal["included", "compressed", "dropped"]
    why: str
    tokens: int
    sent: int
    text: str


@dataclass(frozen=True)
class Memo:
    """Something remembered; the more important one is kept for longer when room is short."""

    id: str
    text: str
    importance: float = 1.0


class Memory(Protocol):
    """Whoever remembers: `source` is a store, or `profile` for what is known of people."""

    def recall(self, source: str, query: str, k: int, policy: str, tenant: str) -> list[Memo]:
        """The best first; the same question has the same answer for as long as nothing is written."""
        ...
