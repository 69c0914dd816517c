"""An agent proposes a graph; what compiles by the same checks is run as a child."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.contracts import Proposal, Proposed
from manifests import plan as plans
from manifests.plan import AROUND
from manifests.values import misfit
from workflows.children import child_run
from workflows.failures import Failed
from workflows.kinds import agent
from workflows.walk import NOTHING, Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

COMPILING = timedelta(seconds=20)
_NOT_AROUND = ("input", "run", "error")


async def perform(run: Interpreter, walk: Walk, node: plans.Planning) -> Any:
    variables = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)
    around = {name: value for name, value in walk.scope.items() if name not in _NOT_AROUND and value is not NOTHING}
    refused = ""

    async def attempt(number: int) -> Any:
        nonlocal refused
        told = {**variables, "refused": refused} if refused else variables
        graph = await agent.propose(run, walk, node, number, told)
        refused = ""
        tag = f"{walk.at(node)}~{number}" if number > 1 else walk.at(node)
        request = Proposal(plan=run.sha256, node=node.path, names=list(around), graph=graph)
        try:
            proposed = await run.calls.local(
                "plans.propose", request, Proposed, time=COMPILING, id=f"{tag}!", summary=f"{node.id}: compiles"
            )
        except Failed as failure:
            refused = failure.message
            raise
        given, key = {**run.input, AROUND: around}, f"{walk.key}~{number}"
        output = await child_run(run, walk, node, proposed.name, proposed.sha256, given, key)
        wrong = misfit(node.output, output) if node.output is not None else ""
        if wrong:
            raise Failed("json_major", f"what the proposed graph gave does not fit: {wrong}")
        return output

    return await run.calls.laddered(node, attempt)
