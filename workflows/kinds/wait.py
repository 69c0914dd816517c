"""Waits for a time or a signal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from manifests import plan as plans
from manifests.values import misfit
from workflows.ending import Afterwards
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Wait) -> Any:
    until = _until(run, walk, node)
    if node.signal is None:
        if until > run.now():
            await workflow.sleep(until - run.now(), summary=node.id)
        return {"at": run.now().isoformat().replace("+00:00", "Z")}
    run.clock.waits(1)
    with Afterwards(lambda: run.clock.waits(-1)):
        return await _signal(run, node, node.signal, until)


def _until(run: Interpreter, walk: Walk, node: plans.Wait) -> datetime:
    """When the wait is over; a run that goes on from another keeps to it."""
    saved = walk.inside.get(node.id)
    if saved is None:
        length = node.for_ms if node.signal is None else node.within_ms
        until = run.now() + timedelta(milliseconds=length or 0)
        if node.until is not None:
            until = _time(run.value(walk, node, node.until))
        saved = walk.inside[node.id] = {"until": until.isoformat()}
    return datetime.fromisoformat(saved["until"])


def _time(said: Any) -> datetime:
    try:
        time = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        raise Failed("input", f"{said!r} is not a time in RFC 3339, such as 2027-01-31T09:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


async def _signal(run: Interpreter, node: plans.Wait, name: str, until: datetime) -> Any:
    """The first signal of that name that fits; those that do not are noted and passed over."""
    inbox = run.steering.signals.setdefault(name, [])
    while True:
        while inbox:
            brought = inbox.pop(0)
            wrong = misfit(node.payload, brought) if node.payload is not None else ""
            if not wrong:
                return brought
            run.steering.note("signal refused", name, f"{node.id}: {wrong}")
        left = until - run.now()
        try:
            if left <= timedelta(0):
                raise TimeoutError
            await workflow.wait_condition(
                lambda: bool(inbox), timeout=left, timeout_summary=f"{node.id}: signal {name}"
            )
        except TimeoutError:
            raise Failed("expired", f"the signal {name!r} did not come in time") from None
