"""Sends a message: to another run as a signal, to an agent's mailbox, or through a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities import contracts
from manifests import plan as plans
from workflows.failures import Failed
from workflows.sizes import LONGEST_NAME, checked
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Emit) -> Any:
    message = run.value(walk, node, node.message)
    key = run.calls.key(walk, node)
    if node.agent is not None:
        run.mail(node.agent, {"from": node.id, "text": message})
        return {"id": key}
    return await run.calls.laddered(node, lambda n: _sent(run, walk, node, message, key, n))


async def _sent(run: Interpreter, walk: Walk, node: plans.Emit, message: Any, key: str, number: int) -> Any:
    if node.plugin is None:
        return await _signalled(run, walk, node, message, key)
    request = contracts.Emit(
        **run.calls.call(walk, node, run.calls.number(f"emit {node.plugin}")),
        plugin=node.plugin, message=message,
    )  # fmt: skip
    tag = f"{walk.at(node)}~{number}" if number > 1 else walk.at(node)
    result = await run.calls.activity(
        node, "plugins.emit", request, contracts.Result, id=tag, queue=node.queue or "haulage.tools",
        summary=f"{walk.at(node)}: to {node.plugin}",
    )  # fmt: skip
    return run.noted(result.output)


async def _signalled(run: Interpreter, walk: Walk, node: plans.Emit, message: Any, key: str) -> Any:
    other = run.value(walk, node, node.run)
    if not isinstance(other, str) or not 0 < len(other.encode(errors="replace")) <= LONGEST_NAME:
        raise Failed("input", f"the id of a run is a text of at most {LONGEST_NAME} bytes, not {str(other)[:80]!r}")
    await run.calls.room.needed(checked("a message", message))
    try:
        await workflow.get_external_workflow_handle(other).signal(node.signal or "message", message)
    except FailureError as error:
        raise Failed("unavailable", f"the run {other!r} cannot be reached: {error}") from error
    return {"id": key}
