"""A sub-run: another manifest, with an input of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.children import sub_run
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Subflow) -> Any:
    given = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)

    async def attempt(number: int) -> Any:
        key = f"{walk.key}~{number}" if number > 1 else walk.key
        return await sub_run(run, walk, node, node.workflow, given, key, keep=run.plan.projections.get(node.path))

    return await run.calls.laddered(node, attempt)
