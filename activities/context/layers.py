"""The five layers that a context is made of, as pieces: what was said, remembered, done, and is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from activities.blobs import Keeper, encoded
from activities.context.pieces import Absent, Layer, Memory, Piece
from activities.contracts import BLOB, Known, Noted
from activities.models.protocol import Message
from activities.models.transcripts import Transcripts
from manifests.plan import Plan, SourceSpec

Found: TypeAlias = Iterator[Piece | Absent]
# A value that is kept outside and has more bytes than this is not read for a context.
MOST_BYTES = 4 * 1024 * 1024
LONGEST_LABEL = 80
NO_MEMORY = "nothing there: no memory is attached"
# What a person or an expression decided counts for more than what a tool gave, and a question for more than its answer.
_STATE = {"input": 1.0, "decision": 1.0, "human": 1.0, "error": 1.0}
_SAID = {"user": 1.0, "assistant": 0.7, "tool": 0.3}


@dataclass(frozen=True)
class Asker:
    """Who wants to know: an agent of a plan, with what the run has told of itself."""

    plan: Plan
    agent: str
    known: Known
    query: str
    tenant: str


class Layers:
    def __init__(self, keeper: Keeper, transcripts: Transcripts, memory: Memory | None) -> None:
        self._keeper = keeper
        self._transcripts = transcripts
        self._memory = memory

    def of(self, source: SourceSpec, asker: Asker) -> list[Piece | Absent]:
        """What one source of a profile has; raises `Failing`."""
        match source.layer:
            case "conversation":
                found = self._conversation(source.last, asker.known.earlier)
            case "state":
                found = self._state(asker.known)
            case "environment":
                found = _environment(asker)
            case _:
                found = self._remembered(source, asker)
        return list(found)

    def _conversation(self, last: int, earlier: str | None) -> Found:
        said, more = self._transcripts.conversation(earlier, last)
        if not said:
            yield Absent("conversation", "", "nothing there: nothing was said before")
        if more:
            yield Absent("conversation", "earlier", f"only the last {last:,} messages are looked at", dropped=True)
        for each in said:
            speaker = label(f"tool {each.tool}") if each.role == "tool" else each.role
            yield Piece("conversation", speaker, _said(each), _SAID[each.role])

    def _state(self, known: Known) -> Found:
        for name, size in known.left_out.items():
            why = f"older than the newest that a run tells of itself: {size:,} bytes"
            yield Absent("state", name, why, dropped=True)
        for noted in known.state:
            yield self._noted(noted)

    def _noted(self, noted: Noted) -> Piece | Absent:
        value = noted.value
        size = value[BLOB].get("size", 0) if isinstance(value, dict) and BLOB in value else 0
        if size > MOST_BYTES:
            return Absent("state", noted.name, f"too large to be read for a context: {size:,} bytes", dropped=True)
        value = self._keeper.brought_back(value)
        text = value if isinstance(value, str) else encoded(value).decode("utf-8", "replace")
        return Piece("state", noted.name, text, _STATE.get(noted.kind, 0.6))

    def _remembered(self, source: SourceSpec, asker: Asker) -> Found:
        layer: Layer = "profile" if source.layer == "profile" else "retrieval"
        name = "profile" if layer == "profile" else source.store or ""
        store = asker.plan.stores.get(name)
        if self._memory is None:
            yield Absent(layer, name, NO_MEMORY)
        elif store is not None and store.readers is not None and asker.agent not in store.readers:
            yield Absent(layer, name, f"the agent {asker.agent!r} may not read it")
        else:
            found = self._memory.recall(name, asker.query, source.k, source.policy, asker.tenant)
            if not found:
                yield Absent(layer, name, "nothing there: nothing is remembered")
            for each in found:
                yield Piece(layer, label(each.id), each.text, each.importance)


def label(text: str) -> str:
    """A name from outside, as it may stand before a fence: in one line, and short."""
    return " ".join(text.replace("`", "'").split())[:LONGEST_LABEL]


def _said(message: Message) -> str:
    calls = [f"calls {each.tool} with {json.dumps(each.arguments, ensure_ascii=False)}" for each in message.calls]
    return "\n".join(filter(None, [message.spoken, *calls]))


def _environment(asker: Asker) -> Found:
    facts = [f"{name}: {value}" for name, value in asker.known.facts.items()]
    if facts:
        yield Piece("environment", "run", "\n".join(facts))
    for name in asker.plan.agents[asker.agent].tools:
        tool = asker.plan.tools[name]
        about = f"{tool.description}\n" if tool.description else ""
        yield Piece("environment", f"tool {name}", f"{about}effect: {tool.effect}, risk: {tool.risk}", 0.5)
