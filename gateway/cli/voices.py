"""What models say while they say it: Temporal keeps the end of it with each call's sign of life."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.service import RPCError

from activities.contracts import Sign
from gateway.cli.runs import Handle

# Child runs that are listened to, and how far down.
MOST_CHILDREN = 8
DEEPEST = 3


@dataclass(frozen=True)
class Voice:
    """One call of a model, for a node of the graph that is watched: the end of what it has said.

    A call that was lost with its worker begins anew, as another attempt.
    """

    node: str
    call: str
    attempt: int
    heard: int
    text: str

    @property
    def tag(self) -> str:
        return f"{self.call} (attempt {self.attempt})" if self.attempt > 1 else self.call


async def voices(client: Client, handle: Handle, depth: int = 0) -> list[Voice]:
    """Those that are heard now in a run and in its child runs."""
    about = (await handle.describe()).raw_description
    found = [await _heard(client, each) for each in about.pending_activities if _speaks(each)]
    for child in about.pending_children[: MOST_CHILDREN if depth < DEEPEST else 0]:
        # A run that is handed on keeps its id; one that has ended says nothing more.
        with suppress(RPCError):
            below = await voices(client, client.get_workflow_handle(child.workflow_id), depth + 1)
            found += [_of_child(each, child.workflow_id.removeprefix(f"{handle.id}/")) for each in below]
    return [voice for voice in found if voice.text]


def _of_child(voice: Voice, child: str) -> Voice:
    """A part of a map calls its nodes as the map does; those of another workflow stand below the node that runs it."""
    node = _first(child)
    return replace(voice, node=node, call=voice.call if voice.node == node else f"{child}/{voice.call}")


def _first(id: str) -> str:
    return re.split("[/#~^.+]", id, maxsplit=1)[0]


def _speaks(call: PendingActivityInfo) -> bool:
    return call.activity_type.name == "models.call" and bool(call.heartbeat_details.payloads)


async def _heard(client: Client, call: PendingActivityInfo) -> Voice:
    (sign,) = await client.data_converter.decode(call.heartbeat_details.payloads[:1], [Sign])
    # The server may be at the next attempt already: whose words these are only they themselves tell.
    return Voice(_first(call.activity_id), call.activity_id, sign.attempt, sign.heard, sign.text)


class Listener:
    """Tells what is new in what voices say, each piece once, and never that of one try as another's."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], int] = {}

    def new(self, heard: Sequence[Voice]) -> Iterator[tuple[Voice, str]]:
        for voice in heard:
            known = self._known.get((voice.call, voice.attempt), 0)
            fresh = voice.heard - known
            if fresh > 0:
                self._known[voice.call, voice.attempt] = voice.heard
                gap = "… " if fresh > len(voice.text) else ""
                yield voice, gap + voice.text[-fresh:]
