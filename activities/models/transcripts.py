"""Conversations, kept turn by turn: a blob holds what is new, and the hash of the turn before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from activities.blobs import BlobStore, encoded
from activities.failing import Failing
from activities.models.protocol import Message

# Turns that are kept in memory: an agent's next call reads what its last one wrote.
REMEMBERED = 512


class Transcripts:
    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._turn = lru_cache(REMEMBERED)(self._read)

    def put(self, before: str | None, said: Sequence[Message]) -> str:
        """Keeps a turn, and gives the hash by which the conversation up to it is known."""
        return self._blobs.put(encoded({"before": before, "said": [each.as_json() for each in said]}))

    def up_to(self, turn: str | None) -> list[Message]:
        """All that was said; raises `Failing` where a turn is missing."""
        turns = []
        while turn is not None:
            turn, said = self._turn(turn)
            turns.append(said)
        return [message for said in reversed(turns) for message in said]

    def _read(self, turn: str) -> tuple[str | None, tuple[Message, ...]]:
        try:
            found = json.loads(self._blobs.get(turn))
        except KeyError:
            said = f"the turn {turn[:12]} of a conversation is not in this worker's blob store"
            raise Failing("engine", f"{said}: do all workers share one?") from None
        return found["before"], tuple(map(Message.of, found["said"]))
