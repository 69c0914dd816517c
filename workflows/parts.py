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
    graphs = [graph for graph in (run.plan.graph, run.plan.final) if graph is not None]
    node = next((each for graph in graphs for each in graph.walk() if each.path == part.node), None)
    if not isinstance(node, plans.Map):
        raise Failed("engine", f"there is no map {part.node!r} in the plan")
    walk = Walk(run.ground_of(node), run.root_scope(), part.names, part.key)
    return await work_on(run, walk, node, part.items, part.offset, run.part_state)
