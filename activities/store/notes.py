"""What is noted of runs and of tries, before there is a database to write it to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contracts import Call, Done, ModelAnswer, ModelCall, Proposal, Segment, Usage
from activities.failing import Failing

# Of a text that nobody has bounded.
LONGEST = 500
_TRY = re.compile(r"~(\d+)")
_TOLD: ContextVar[dict[str, Any] | None] = ContextVar("told", default=None)


class Note(NamedTuple):
    """One row of a table: a run that has `begun` or `ended`, a try of a `node`, a `call` of a model."""

    kind: Literal["begun", "ended", "node", "call"]
    row: dict[str, Any]


def tell(**facts: Any) -> None:
    """What an activity that is under way says of itself, besides its answer."""
    told = _TOLD.get()
    if told is not None:
        told.update(facts)


class Tried:
    """One try of an activity, from its beginning on."""

    def __init__(self, began: datetime) -> None:
        self._info = activity.info()
        self._began = began
        self._told: dict[str, Any] = {}
        _TOLD.set(self._told)

    def notes(self, request: Any, answer: Any, error: BaseException | None, took_ms: int) -> list[Note]:
        """What there is to note about it; nothing where it was no node's."""
        info = self._info
        match request:
            case Call() | Proposal():
                node = request.node
            case Segment():
                node = info.activity_id
            case _:
                return []
        found = _TRY.search(info.activity_id)
        row = {
            "id": os.urandom(16).hex(),
            "workflow_id": info.workflow_id or "",
            "run_id": info.workflow_run_id or "",
            "activity_id": info.activity_id,
            "node": node,
            "attempt": int(found[1]) if found else 1,
            "worker_attempt": info.attempt,
            "category": _category(answer, error),
            "began": self._began,
            "took_ms": took_ms,
        }
        notes = [Note("node", row | {"activity": info.activity_type})]
        if isinstance(request, ModelCall):
            notes.append(Note("call", row | self._called(request) | _answered(answer, error)))
        return notes

    def _called(self, request: ModelCall) -> dict[str, Any]:
        facts = {"key": request.key, "tenant": request.tenant, "agent": request.agent, "name": request.model}
        return facts | {name: self._told.get(name, "") for name in ("model", "provider", "pool", "finish")}


def _category(answer: Any, error: BaseException | None) -> str:
    match error:
        case ApplicationError():
            return error.type or "engine"
        case BaseException():
            return "cancelled"
    return answer.failure.category if isinstance(answer, Done) and answer.failure is not None else ""


def _answered(answer: Any, error: BaseException | None) -> dict[str, Any]:
    """What a call has used, also where it failed."""
    usage = Usage()
    if isinstance(answer, ModelAnswer):
        usage = answer.usage
    elif isinstance(error, Failing) and error.usage is not None:
        usage = error.usage
    counts = usage.model_dump(include={"tokens_in", "tokens_out", "cached", "reasoning"})
    rung, hit = getattr(answer, "rung", None) or "", bool(getattr(answer, "cached", False))
    return {**counts, "usd": Decimal(usage.usd), "rung": rung, "hit": hit}


def clean(row: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of a length, and of characters, that every database takes."""
    return {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}


def _text(value: str) -> str:
    return value[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
