"""Reads and writes memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities import contracts
from manifests import plan as plans
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def recall(run: Interpreter, walk: Walk, node: plans.Recall) -> Any:
    arguments = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)

    async def attempt(number: int) -> Any:
        request = contracts.Recall(
            **run.calls.call(walk, node, run.calls.number(f"recall {node.name}")),
            source=node.source, name=node.name, arguments=arguments,
        )  # fmt: skip
        return await _asked(run, walk, node, "memory.recall", request, number, f"reads {node.name}")

    return await run.calls.laddered(node, attempt)


async def remember(run: Interpreter, walk: Walk, node: plans.Remember) -> Any:
    arguments = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)

    async def attempt(number: int) -> Any:
        request = contracts.Remember(
            **run.calls.call(walk, node, run.calls.number(f"remember {node.store}")),
            store=node.store, arguments=arguments,
        )  # fmt: skip
        return await _asked(run, walk, node, "memory.remember", request, number, f"writes {node.store}")

    return await run.calls.laddered(node, attempt)


async def _asked(
    run: Interpreter, walk: Walk, node: plans.Node, name: str, request: contracts.Call, number: int, summary: str
) -> Any:
    tag = f"{walk.at(node)}~{number}" if number > 1 else walk.at(node)
    result = await run.calls.activity(
        node,
        name,
        request,
        contracts.Result,
        id=tag,
        queue=node.queue or "haulage.memory",
        summary=f"{walk.at(node)}: {summary}",
    )
    return run.noted(result.output)
