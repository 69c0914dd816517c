"""An agent proposes a graph; what compiles by the same checks is run as a child."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.contracts import Proposal, Proposed
from manifests import plan as plans
from workflows.children import child_run
from workflows.kinds import agent
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

COMPILING = timedelta(seconds=20)


async def perform(run: Interpreter, walk: Walk, node: plans.Planning) -> Any:
    variables = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)
    refused = ""

    async def attempt(number: int) -> Any:
        nonlocal refused
        told = {**variables, "refused": refused} if refused else variables
        graph = await agent.propose(run, walk, node, number, told)
        tag = f"{walk.at(node)}~{number}" if number > 1 else walk.at(node)
        request = Proposal(plan=run.sha256, node=node.path, graph=graph)
        proposed = await run.calls.local(
            "plans.propose", request, Proposed, time=COMPILING, id=f"{tag}!", summary=f"{node.id}: compiles"
        )
        return await child_run(
            run, walk, node, proposed.name, proposed.sha256, {"input": run.input}, f"{walk.key}~{number}"
        )

    return await run.calls.laddered(node, attempt)
