"""Repeats its body, one iteration after the other, until a condition holds or the turns are over."""

from __future__ import annotations

import json
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.children import sub_run
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Loop) -> Any:
    return await run.calls.laddered(node, lambda attempt: _rounds(run, walk, node))


async def _rounds(run: Interpreter, walk: Walk, node: plans.Loop) -> Any:
    saved = walk.inside.setdefault(node.id, {"index": 0, "bodies": {}})
    if "carried" not in saved:
        saved["carried"] = {name: run.value(walk, node, each.first) for name, each in node.carry.items()}
    output: Any = None
    while saved["index"] < node.most:
        await run.clear_to_start()
        index = saved["index"]
        output, scope = await _round(run, walk, node, index, saved)
        saved["bodies"].clear()
        done = run.values.evaluate(node.until, scope)
        if not isinstance(done, bool):
            raise Failed("input", f"{node.until!r} gave {json.dumps(done)[:80]}, not true or false")
        if done:
            break
        saved["carried"] = {name: run.values.render(each.next, scope) for name, each in node.carry.items()}
        saved["index"] = index + 1
    walk.inside.pop(node.id, None)
    return output


async def _round(
    run: Interpreter, walk: Walk, node: plans.Loop, index: int, saved: dict[str, Any]
) -> tuple[Any, ChainMap[str, Any]]:
    """One iteration: what it gives, and the scope that its end is judged in."""
    names = {"loop": saved["carried"], "index": index}
    outer = walk.scope_of(node.id)
    if node.workflow is not None:
        output = await sub_run(run, walk, node, node.workflow, saved["carried"], walk.below(index))
        return output, ChainMap({**names, "output": output}, *outer.maps)
    body = Walk(run.chart.bodies[node.path], outer, names, walk.below(index))
    body.take_up(saved["bodies"], str(index))
    body.said = walk.said
    try:
        return await run.carry_out(body), body.scope
    except Failed as failure:
        raise failure.at(f"iteration {index}", node.kind) from None
