"""One tool call: in this process when it is local, else on a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.contracts import Result, ToolCall
from manifests import plan as plans
from workflows.budget import Spent
from workflows.failures import Failed
from workflows.kinds import embed
from workflows.kinds.segment import one_step
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Tool) -> Any:
    given = run.steering.inputs(walk, node)
    if node.placement == "local" and given is None:
        return await run.calls.laddered(node, lambda attempt: one_step(run, walk, node))
    arguments = run.value(walk, node, node.inputs) if given is None else given

    async def attempt(number: int) -> Any:
        tag = f"{walk.at(node)}~{number}" if number > 1 else walk.at(node)
        return await called(run, walk, node, node.tool, arguments, tag, key=run.calls.key(walk, node))

    return await run.calls.laddered(node, attempt)


async def called(
    run: Interpreter, walk: Walk, node: plans.Node, name: str, arguments: dict[str, Any], tag: str, key: str = ""
) -> Any:
    """One call of a tool, for a node or for an agent in it; raises `Failed`."""
    spec = run.plan.tools[name]
    refuse_in_safe_mode(run, name, spec)
    if spec.uses == "embed":
        return await embed.called(run, walk, node, name, arguments, tag, key)
    reserved = await run.ledger.reserved_for(Spent(calls=1))
    calls = run.calls
    key = key or f"{calls.key(walk, node)}/{tag}"
    request = ToolCall(**calls.call(walk, node, calls.number(name), key=key), tool=name, arguments=arguments)
    try:
        result = await calls.activity(
            node, "tools.call", request, Result, id=tag, queue=_queue(node), summary=_summary(walk, node, name, tag)
        )
    finally:
        run.ledger.settle(reserved, Spent(calls=1))
    if spec.undo is not None and not isinstance(node, plans.Tool):
        run.undoing.push(walk, node, spec.undo, {**arguments, **_fields(result.output)}, key)
    return run.noted(result.output)


def _summary(walk: Walk, node: plans.Node, name: str, tag: str) -> str:
    if isinstance(node, plans.Agent):
        return f"{walk.at(node)}: {name} for {node.agent}"
    number = tag.rpartition("~")[2] if "~" in tag else ""
    return f"{walk.at(node)}: {name}{f', try {number}' if number else ''}"


def refuse_in_safe_mode(run: Interpreter, name: str, spec: plans.ToolSpec) -> None:
    mode = run.run_facts["mode"]
    if mode != "normal" and spec.effect not in run.plan.safe_modes.get(mode, []):
        raise Failed("denied", f"in the mode {mode} the tool {name!r} may not act: its effect is {spec.effect}")


def _queue(node: plans.Node) -> str:
    return node.queue if isinstance(node, plans.Tool) and node.queue else "haulage.tools"


def _fields(output: Any) -> dict[str, Any]:
    return output if isinstance(output, dict) else {}
