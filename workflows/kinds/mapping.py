"""The same for every element of a list: side by side in this run, or dealt out over child runs when there are many."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.children import part_of, sub_run
from workflows.failures import Failed
from workflows.together import all_of
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Map) -> Any:
    return await run.calls.laddered(node, lambda attempt: _all(run, walk, node))


async def _all(run: Interpreter, walk: Walk, node: plans.Map) -> Any:
    saved = walk.inside.setdefault(node.id, {"results": {}, "bodies": {}})
    if "items" not in saved:
        saved["items"] = _items(run, walk, node)
    items: list[Any] = saved["items"]
    if node.partition is None:
        results = await work_on(run, walk, node, items, 0, saved)
    else:
        results = await _dealt_out(run, walk, node, items, node.partition, saved["results"])
    walk.inside.pop(node.id, None)
    return _gathered(node, items, results)


async def work_on(
    run: Interpreter, walk: Walk, node: plans.Map, items: list[Any], offset: int, saved: dict[str, Any]
) -> list[dict[str, Any]]:
    """What became of these items, the first of which is number `offset` of the list."""

    async def one(place: int) -> list[dict[str, Any]]:
        result = await _item(run, walk, node, offset + place, items[place], saved["bodies"])
        saved["bodies"].pop(str(offset + place), None)
        return [result]

    return await _in_lanes(run, list(range(len(items))), node.concurrency, one, saved["results"])


async def _dealt_out(
    run: Interpreter, walk: Walk, node: plans.Map, items: list[Any], size: int, results: dict[str, Any]
) -> list[dict[str, Any]]:
    async def part(start: int) -> list[dict[str, Any]]:
        return await part_of(run, walk, node, start, items[start : start + size])

    starts = list(range(0, len(items), size))
    return await _in_lanes(run, starts, max(1, node.concurrency // size), part, results)


async def _in_lanes(
    run: Interpreter,
    starts: list[int],
    lanes: int,
    work: Callable[[int], Awaitable[list[dict[str, Any]]]],
    results: dict[str, Any],
) -> list[dict[str, Any]]:
    """So many at once, in order; the first failure ends them all. What is in `results` already is not done again."""
    waiting = deque(start for start in starts if str(start) not in results)

    async def lane() -> None:
        while waiting:
            await run.clear_to_start()
            if waiting:
                start = waiting.popleft()
                results[str(start)] = await work(start)

    running = [asyncio.create_task(lane()) for _ in range(min(lanes, len(waiting)))]
    try:
        await all_of(running)
    finally:
        waiting.clear()
    return [result for start in starts for result in results[str(start)]]


def _items(run: Interpreter, walk: Walk, node: plans.Map) -> list[Any]:
    items = run.evaluate(walk, node, node.over)
    if not isinstance(items, list):
        raise Failed("input", f"{node.over!r} gave {json.dumps(items)[:80]}, and a map goes over a list")
    if len(items) > node.most:
        raise Failed("input", f"{len(items):,} items, and at most {node.most:,} are worked on: raise `map.max`")
    return items


async def _item(
    run: Interpreter, walk: Walk, node: plans.Map, place: int, value: Any, bodies: dict[str, Any]
) -> dict[str, Any]:
    """What became of one item: `{ok}` or, where the map goes on without it, `{failed}`."""
    try:
        return {"ok": await _worked_on(run, walk, node, place, value, bodies)}
    except Failed as failure:
        if node.on_error == "fail" or failure.category in ("cancelled", "engine"):
            raise failure.at(f"item {place}", node.kind) from None
        return {"failed": failure.as_error()}


async def _worked_on(
    run: Interpreter, walk: Walk, node: plans.Map, place: int, value: Any, bodies: dict[str, Any]
) -> Any:
    if node.workflow is not None:
        return await sub_run(run, walk, node, node.workflow, value, walk.below(place), shares=node.concurrency)
    names = {node.element: value, "index": place}
    body = Walk(run.chart.bodies[node.path], walk.scope_of(node.id), names, walk.below(place))
    body.take_up(bodies, str(place))
    return await run.carry_out(body)


def _gathered(node: plans.Map, items: list[Any], results: list[dict[str, Any]]) -> Any:
    ok = [result["ok"] for result in results if "ok" in result]
    if node.on_error != "partition":
        return ok
    failed = [
        {"index": place, "item": items[place], "error": result["failed"]}
        for place, result in enumerate(results)
        if "failed" in result
    ]
    return {"ok": ok, "failed": failed}
