"""What each kind of node does, one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.kinds import agent, emit, human, loop, mapping, memory, planning, subflow, tool, wait
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def perform(run: Interpreter, walk: Walk, node: plans.Node) -> Any:
    """Carries one node out and gives its output; raises `Failed`."""
    match node:
        case plans.Agent():
            return await agent.perform(run, walk, node)
        case plans.Tool():
            return await tool.perform(run, walk, node)
        case plans.Map():
            return await mapping.perform(run, walk, node)
        case plans.Loop():
            return await loop.perform(run, walk, node)
        case plans.Subflow():
            return await subflow.perform(run, walk, node)
        case plans.Human():
            return await human.perform(run, walk, node)
        case plans.Wait():
            return await wait.perform(run, walk, node)
        case plans.Recall():
            return await memory.recall(run, walk, node)
        case plans.Remember():
            return await memory.remember(run, walk, node)
        case plans.Emit():
            return await emit.perform(run, walk, node)
        case plans.Planning():
            return await planning.perform(run, walk, node)
    raise AssertionError(node.kind)
