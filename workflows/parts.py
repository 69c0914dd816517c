"""A child run that carries out nothing but some items of its parent's map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.failures import Failed
from workflows.kinds.mapping import work_on
from workflows.options import Part
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def carry_out_part(run: Interpreter, part: Part) -> list[dict[str, Any]]:
    """What became of each item, in their order; raises `Failed`."""
    node = next((each for each in run.plan.graph.walk() if each.path == part.node), None)
    if not isinstance(node, plans.Map):
        raise Failed("engine", f"there is no map {part.node!r} in the plan")
    ground = run.chart.bodies[part.node.rsplit("/", 1)[0]] if "/" in part.node else run.chart.main
    walk = Walk(ground, run.root_scope(), part.names, part.key)
    return await work_on(run, walk, node, part.items, part.offset, run.part_state)
