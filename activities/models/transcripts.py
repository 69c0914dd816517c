"""Conversations, kept turn by turn: a blob holds what is new, and the hash of the turn before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from activities.blobs import BlobStore, encoded
from activities.failing import Failing
from activities.models.protocol import Message

# Turns that are kept in memory: an agent's next call reads what its last one wrote.
REMEMBERED = 512


@dataclass(frozen=True)
class Context:
    """What a first turn was put together from: the last `own` characters of its prompt are the agent's own.

    `earlier` is the conversation before this one, of which the rest of the prompt tells.
    """

    earlier: str | None
    own: int


class Transcripts:
    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._turn = lru_cache(REMEMBERED)(self._read)

    def put(self, before: str | None, said: Sequence[Message], context: Context | None = None) -> str:
        """Keeps a turn, and gives the hash by which the conversation up to it is known."""
        more = {} if context is None else {"context": {"earlier": context.earlier, "own": context.own}}
        return self._blobs.put(encoded({"before": before, "said": [each.as_json() for each in said], **more}))

    def up_to(self, turn: str | None) -> list[Message]:
        """All that was said; raises `Failing` where a turn is missing."""
        turns = []
        while turn is not None:
            turn, said, _ = self._turn(turn)
            turns.append(said)
        return [message for said in reversed(turns) for message in said]

    def conversation(self, turn: str | None, last: int) -> tuple[list[Message], bool]:
        """The last messages of this answer and of those before it, without their contexts; and whether there are more.

        Raises `Failing` where a turn is missing.
        """
        backwards: list[Message] = []
        while turn is not None and len(backwards) <= last:
            turn, said, context = self._turn(turn)
            backwards += reversed(said if context is None else _own(said, context))
            turn = turn if context is None else context.earlier
        return backwards[:last][::-1], len(backwards) > last

    def _read(self, turn: str) -> tuple[str | None, tuple[Message, ...], Context | None]:
        try:
            found = json.loads(self._blobs.get(turn))
        except KeyError:
            said = f"the turn {turn[:12]} of a conversation is not in this worker's blob store"
            raise Failing("engine", f"{said}: do all workers share one?") from None
        context = Context(**found["context"]) if "context" in found else None
        return found["before"], tuple(map(Message.of, found["said"])), context


def _own(said: Sequence[Message], context: Context) -> list[Message]:
    """What was said without what was put around it."""
    prompt, *rest = (each for each in said if each.role != "system")
    return [replace(prompt, text=prompt.text[len(prompt.text) - context.own :]), *rest]
