"""Child runs: sub-workflows, and parts of a large map. Each gets a share of what is left, and says what it spent."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from manifests import plan as plans
from workflows.budget import NOTHING, Spent
from workflows.failures import Failed
from workflows.sizes import LONGEST_NAME
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def sub_run(
    run: Interpreter, walk: Walk, node: plans.Node, name: str, given: Any, key: str, shares: int = 1,
    keep: list[str] | None = None,
) -> Any:  # fmt: skip
    """A run of another manifest; what it gives, with the fields in `keep` where the whole is too large."""
    child = run.plan.children[name]
    return await child_run(run, walk, node, child.name, child.sha256, given, key, shares, keep)


async def child_run(
    run: Interpreter, walk: Walk, node: plans.Node, type: str, sha256: str, given: Any, key: str, shares: int = 1,
    keep: list[str] | None = None,
) -> Any:  # fmt: skip
    if given is not None and not isinstance(given, dict):
        raise Failed("input", f"the input of a run is an object, and this is {json.dumps(given)[:80]}")
    where = f"{node.path}#{key}" if key else node.path
    options = {"plan": sha256, "keep": keep}
    return await _started(run, walk, node, type, given, options, _id(node, key), shares, f"{where}: {type}")


async def part_of(run: Interpreter, walk: Walk, node: plans.Map, start: int, items: list[Any]) -> list[dict[str, Any]]:
    """Some items of a map, worked on by a child run of the same plan."""
    assert node.partition is not None
    scope = walk.scope_of(node.id)
    names = {name: scope[name] for name in run.chart.words(node.path) if name in scope}
    for name in ("input", "run"):
        names.pop(name, None)
    part = {"node": node.path, "key": walk.key, "offset": start, "items": items, "names": names}
    id = f"{_id(node, walk.below(start))}+{len(items)}"
    shares = max(1, node.concurrency // node.partition)
    options = {"plan": run.sha256, "pipeline": run.pipeline, "part": part}
    summary = f"{walk.at(node)}: items {start} to {start + len(items) - 1}"
    results: list[dict[str, Any]] = await _started(
        run, walk, node, run.plan.name, run.input, options, id, shares, summary
    )
    return results


def _id(node: plans.Node, key: str) -> str:
    where = f"{node.path}#{key}" if key else node.path
    id = f"{workflow.info().workflow_id}/{where}"
    if len(id.encode()) <= LONGEST_NAME:
        return id
    return f"{id[: LONGEST_NAME // 4]}…{hashlib.sha256(id.encode()).hexdigest()}"


async def _started(
    run: Interpreter,
    walk: Walk,
    node: plans.Node,
    type: str,
    given: Any,
    options: dict[str, Any],
    id: str,
    shares: int,
    summary: str,
) -> Any:
    lease, budget = await run.ledger.leased(shares)
    used = unheard = NOTHING
    said = run.options.model_dump(include={"tags", "tenant", "actor", "priority"})
    said |= {"mode": run.run_facts["mode"], "budget": budget.model_dump(exclude_none=True), "is_child": True}
    try:
        answer = await run.calls.child(node, type, id, [given, {**said, **options}], summary=summary)
        used, unheard = _billed(answer["spent"])
    except Failed as failure:
        used, unheard = _billed(failure.usage)
        if failure.lost and run.calls.repeats_lost:
            unheard = lease
        raise
    finally:
        run.ledger.settle(lease, used, unheard)
    run.undoing.inherit(walk, node, answer.get("deeds") or [])
    return run.noted(answer["output"], deep=True)


def _billed(bill: dict[str, Any]) -> tuple[Spent, Spent]:
    """What a child run has spent, and what it may have spent besides."""
    return Spent.of(bill), Spent.of(bill.get("unheard", {}))
