"""What a run tells an agent that has a context profile: short values and hashes, never a conversation itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.contracts import Known, Noted
from manifests import plan as plans
from manifests.plan import TOLD_BYTES
from workflows.sizes import size_of
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# What is neither a node nor one of these is the item of a map, or what a loop carries.
_KINDS = {"input": "input", "error": "error"}


def known(run: Interpreter, walk: Walk, node: plans.Node, agent: str) -> Known | None:
    """None for an agent without a profile."""
    profile = run.plan.profiles.get(run.plan.agents[agent].context or "")
    if profile is None:
        return None
    layers = [source.layer for source in profile.sources]
    state, left_out = _state(run, walk, node) if "state" in layers else ([], {})
    return Known(
        facts=_facts(run) if "environment" in layers else {},
        state=state,
        left_out=left_out,
        earlier=_last(walk, agent) if "conversation" in layers else None,
    )


def answered(run: Interpreter, walk: Walk, node: plans.Node, agent: str, transcript: str | None) -> None:
    """Remembers where the conversation stands, for the next answer of an agent that is told of it."""
    if transcript is not None and run.plan.agents[agent].context is not None:
        said = walk.said.setdefault(agent, {})
        said.pop(node.path, None)
        said[node.path] = transcript


def _last(walk: Walk, agent: str) -> str | None:
    return next(reversed(walk.said.get(agent, {}).values()), None)


def _facts(run: Interpreter) -> dict[str, str]:
    facts = run.run_facts
    said = {
        "mode": facts["mode"],
        "pipeline": run.pipeline or "",
        "tags": ", ".join(facts["tags"]),
        "started": facts["started_at"],
    }
    return {name: value for name, value in said.items() if value}


def _state(run: Interpreter, walk: Walk, node: plans.Node) -> tuple[list[Noted], dict[str, int]]:
    """What expressions of the node may read, from the outside to the inside and in plan order: the newest that fit."""
    kinds, values = _KINDS | _kinds(run, node), dict[str, Any]()
    for names in reversed(walk.scope_of(node.id).maps):
        for name, value in names.items():
            if name != "run" and value != {}:
                values.pop(name, None)
                values[name] = value
    state, left_out, room = list[Noted](), dict[str, int](), TOLD_BYTES
    for name, value in reversed(values.items()):
        size = size_of(value)
        if size <= room:
            room -= size
            state.append(Noted(name=name, kind=kinds.get(name, "item"), value=value))
        else:
            left_out[name] = size
    return state[::-1], left_out


def _kinds(run: Interpreter, node: plans.Node) -> dict[str, str]:
    """The kinds of all nodes that a node sees, by their names."""
    *owners, _ = node.path.split("/")
    around = [run.chart.bodies["/".join(owners[: depth + 1])] for depth in range(len(owners))]
    grounds = [run.chart.main, *around, run.ground_of(node)]
    return {name: each.kind for ground in grounds for name, each in ground.nodes.items()}
