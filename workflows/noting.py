"""What a run says of itself when it begins and when it ends, to whoever keeps a record of it; no event comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.contracts import NOTE_OF_RUN
from workflows.budget import Spent

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

T = TypeVar("T")


def begun(run: Interpreter) -> None:
    _note("begun", _facts(run) | {"status": "running"})


async def ended(life: Any, work: Awaitable[T]) -> T:
    """What the work of a life gives, or raises. A run that is handed on has not ended, nor has one out of memory."""
    try:
        given = await work
    except asyncio.CancelledError:
        _end(life, "cancelled", {"category": "cancelled"})
        raise
    except FailureError as error:
        facts: dict[str, Any] = {"category": "engine"}
        if isinstance(error, ApplicationError):
            said = error.details[0] if error.details and isinstance(error.details[0], dict) else {}
            facts = {"category": error.type or "engine", "node": str(said.get("node", ""))}
        _end(life, "cancelled" if facts["category"] == "cancelled" else "failed", facts)
        raise
    _end(life, "completed", {})
    return given


def _end(life: Any, status: str, facts: dict[str, Any]) -> None:
    _note("ended", _facts(life.interpreter) | {"status": status} | facts)


def _note(kind: Literal["begun", "ended"], row: dict[str, Any]) -> None:
    """What has been said before is not said again; a worker that keeps no record does not hear it."""
    note = workflow.extern_functions().get(NOTE_OF_RUN)
    if note is not None and not workflow.unsafe.is_replaying():
        note(kind, row)


def _facts(run: Interpreter | None) -> dict[str, Any]:
    """A row of `runs`; of a run that came to no plan only what Temporal knows."""
    info = workflow.info()
    facts: dict[str, Any] = {
        "first_run_id": info.first_execution_run_id,
        "run_id": info.run_id,
        "workflow_id": info.workflow_id,
        "parent": info.parent.workflow_id if info.parent else "",
        "manifest": info.workflow_type,
        **dict.fromkeys(("plan", "version", "pipeline", "tenant", "mode", "category", "node"), ""),
        "started": info.start_time,
        "ended": None,
    }
    spent = Spent()
    if run is not None:
        spent = run.ledger.spent
        facts |= {
            "plan": run.sha256,
            "version": run.plan.version,
            "pipeline": run.pipeline or "",
            "tenant": run.options.tenant,
            "mode": run.run_facts["mode"],
            "started": datetime.fromisoformat(run.run_facts["started_at"]),
        }
    return facts | {"calls": spent.calls, "tokens": spent.tokens, "usd": Decimal(spent.usd)}
