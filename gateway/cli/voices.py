"""What models say while they say it: Temporal keeps the end of it with each call's sign of life."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client

from activities.contracts import Sign
from gateway.cli.runs import Handle


@dataclass(frozen=True)
class Voice:
    """One call of a model: the end of what it has said. A call that was lost with its worker begins anew."""

    call: str
    attempt: int
    heard: int
    text: str

    @property
    def node(self) -> str:
        """The node of the main graph that it belongs to."""
        return re.split("[/#~^.+]", self.call, maxsplit=1)[0]

    @property
    def tag(self) -> str:
        return f"{self.call} (attempt {self.attempt})" if self.attempt > 1 else self.call


async def voices(client: Client, handle: Handle) -> list[Voice]:
    """Those that are heard now in a run; its child runs have their own."""
    description = await handle.describe()
    calls = [each for each in description.raw_description.pending_activities if _speaks(each)]
    return [voice for each in calls if (voice := await _heard(client, each)).text]


def _speaks(call: PendingActivityInfo) -> bool:
    return call.activity_type.name == "models.call" and bool(call.heartbeat_details.payloads)


async def _heard(client: Client, call: PendingActivityInfo) -> Voice:
    (sign,) = await client.data_converter.decode(call.heartbeat_details.payloads[:1], [Sign])
    # The server may be at the next attempt already: whose words these are only they themselves tell.
    return Voice(call.activity_id, sign.attempt, sign.heard, sign.text)


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
