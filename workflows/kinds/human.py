"""A gate: asks people, waits, and tells approval, rejection, silence and cancellation apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from manifests import plan as plans
from manifests.expressions.evaluation import as_text
from workflows.ending import Afterwards
from workflows.failures import Failed
from workflows.gates import Gate, answer_of
from workflows.orders import Answer
from workflows.sizes import summarized
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Human) -> Any:
    gate = _gate(run, walk, node)
    _take_early(run, gate, run.steering.gates.opened(gate))
    run.clock.waits(1)
    how = "closed"

    def over() -> None:
        run.clock.waits(-1)
        run.steering.gates.close(gate, how)
        run.board.attributes_changed()

    with Afterwards(over):
        try:
            answer = await _answer(run, node, gate)
            how = str(answer.get("choice", "form"))
            return _said(answer)
        except Failed as failure:
            how = failure.category
            raise


def _take_early(run: Interpreter, gate: Gate, early: Answer | None) -> None:
    """An answer from before the gate was open counts when it is one to what is shown now."""
    if early is None:
        return
    wrong = gate.misfit(early)
    if wrong:
        del run.steering.gates.early[gate.place]
        run.steering.note(f"{type(early).__name__.lower()} refused", early.actor, f"{gate.node}: {wrong}", early.reason)
    else:
        gate.answer = answer_of(early)


def _gate(run: Interpreter, walk: Walk, node: plans.Human) -> Gate:
    """The gate as it was asked, also in a run that goes on from another."""
    saved = walk.inside.get(node.id)
    if saved is None:
        now = run.now()
        saved = {
            "ask": as_text(run.value(walk, node, node.ask)),
            "show": run.value(walk, node, node.show),
            "to": None if node.to is None else as_text(run.value(walk, node, node.to)),
            "opened_at": now.isoformat(),
            "until": (now + timedelta(milliseconds=node.within_ms)).isoformat(),
        }
        walk.inside[node.id] = saved
    return Gate(node=node.id, path=node.path, iteration=walk.key, choices=node.choices, form=node.form, **saved)


async def _answer(run: Interpreter, node: plans.Human, gate: Gate) -> dict[str, Any]:
    run.board.attributes_changed()
    until = datetime.fromisoformat(gate.until)
    if node.escalate_after_ms is not None and node.escalate_to is not None:
        escalates = datetime.fromisoformat(gate.opened_at) + timedelta(milliseconds=node.escalate_after_ms)
        if await _waited(run, gate, escalates) is None:
            gate.to = node.escalate_to
            run.board.attributes_changed()
    answer = await _waited(run, gate, until)
    if answer is not None:
        return answer
    if node.on_timeout == "expire":
        raise Failed("expired", f"nobody answered in time: {gate.ask}")
    return {"choice": node.on_timeout, "by": "", "reason": "nobody answered"}


async def _waited(run: Interpreter, gate: Gate, until: datetime) -> dict[str, Any] | None:
    left = until - run.now()
    if gate.answer is None and left > timedelta(0):
        try:
            summary = summarized(f"{gate.node}: waits for {gate.to or 'a person'}")
            await workflow.wait_condition(lambda: gate.answer is not None, timeout=left, timeout_summary=summary)
        except TimeoutError:
            return None
    return gate.answer


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("choice") == "reject":
        by = f" by {answer['by']}" if answer["by"] else ""
        raise Failed("rejected", f"rejected{by}: {answer['reason'] or 'no reason given'}")
    return answer
