"""Chains of short pure tools, carried out by one local activity: one marker in history for all of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.contracts import Done, Segment, Step
from manifests import plan as plans
from workflows.budget import Spent
from workflows.calls import heard
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# A segment ends itself well within the ten seconds of a workflow task; what is left goes into the next one.
LONGEST = timedelta(seconds=20)


async def perform_segment(run: Interpreter, walk: Walk, chain: list[str]) -> None:
    """Carries a chain out; what finished before a failure is kept, and the failed node goes its own way."""
    todo = [_tool(walk, name) for name in chain]
    try:
        try:
            await _steps(run, walk, todo)
        except asyncio.CancelledError:
            if not todo or not run.steering.has_word(walk, todo[0]):
                raise
            heard()
        if todo:
            await run.perform_alone(walk, todo[0])
    finally:
        for name in chain[1:]:
            walk.tasks.pop(name, None)


async def _steps(run: Interpreter, walk: Walk, todo: list[plans.Tool]) -> None:
    """Until all are settled; where there is an order for one of them, `todo` begins with it when this ends."""
    tries = 1
    task = walk.tasks[todo[0].id]
    while todo and not run.steering.has_word(walk, todo[0]):
        done = await _go(run, walk, todo)
        if done.outputs:
            tries = 1
        for output in done.outputs:
            if run.steering.has_word(walk, todo[0]):
                return
            run.completed(walk, todo.pop(0), run.noted(output))
            if todo:
                walk.cursor.begin(todo[0].id)
                walk.tasks[todo[0].id] = task
        if done.failure is None or run.steering.has_word(walk, todo[0]):
            continue
        failure = Failed(done.failure.category, done.failure.message, attempt=tries)
        if not await run.calls.try_again(todo[0], tries, failure):
            run.failed(walk, todo[0], failure)
            todo.clear()
        tries += 1


async def one_step(run: Interpreter, walk: Walk, node: plans.Tool) -> Any:
    """The same for a node that stands alone; raises `Failed`."""
    done = await _go(run, walk, [node])
    if done.failure is not None:
        raise Failed(done.failure.category, done.failure.message)
    return run.noted(done.outputs[0])


async def _go(run: Interpreter, walk: Walk, todo: list[plans.Tool]) -> Done:
    scope = walk.scope_of(todo[0].id)
    own = {node.id for node in todo}
    names = dict.fromkeys(name for node in todo for name in node.reads if name not in own and name in scope)
    steps = [
        Step(
            node=node.id, tool=node.tool, arguments=node.inputs, timeout_ms=node.timeout_ms or 60_000,
            keep=run.plan.projections.get(node.path),
        )
        for node in todo
    ]  # fmt: skip
    reserved = await run.ledger.reserved_for(Spent(calls=len(todo)))
    try:
        done = await run.calls.local(
            "tools.segment",
            Segment(plan=run.sha256, scope={name: scope[name] for name in names}, steps=steps),
            Done,
            time=LONGEST,
            id=walk.at(todo[0]),
            summary=todo[0].id if len(todo) == 1 else f"{todo[0].id} … {todo[-1].id}",
        )
    except Failed:
        run.ledger.settle(reserved, Spent())
        raise
    run.ledger.settle(reserved, Spent(calls=len(done.outputs) + (done.failure is not None)))
    return done


def _tool(walk: Walk, name: str) -> plans.Tool:
    node = walk.node(name)
    assert isinstance(node, plans.Tool)
    return node
