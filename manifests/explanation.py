"""A plan explained: the facts that a person asks for, put together from wherever the plan has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from manifests import wording
from manifests.drawing.captions import duration
from manifests.plan import Agent, Edge, Graph, Node, Pipeline, Plan, Planning, Tool, body_of
from manifests.shape.base import shown_size


@dataclass(frozen=True)
class Standing:
    """A node in the graph that it stands in; `part` is empty in the main graph and its bodies."""

    node: Node
    graph: Graph
    part: str = ""

    @property
    def failures(self) -> dict[str, str]:
        return self.graph.ways.failures.get(self.node.id, {})


@dataclass(frozen=True)
class Bound:
    """What a run costs at worst, beside what it may."""

    name: str
    worst: str
    budget: str = ""
    within: bool = True


def standings(plan: Plan) -> list[Standing]:
    """Every node of a plan, those of bodies after the node they are in, `finally` last."""
    found = list(_standings(plan.graph, ""))
    return found + (list(_standings(plan.final, "finally")) if plan.final else [])


def _standings(graph: Graph, part: str) -> Iterator[Standing]:
    for node in graph.nodes:
        yield Standing(node, graph, part)
        body = body_of(node)
        if body:
            yield from _standings(body, part)


def bounds(plan: Plan) -> list[Bound]:
    """The worst case of one run, with the budget beside what it limits."""
    worst, may = plan.bounds, plan.budget
    calls = worst.model_calls + worst.tool_calls
    return [
        Bound("events", f"{worst.events:,}"),
        Bound("activities", f"{worst.activities:,}"),
        Bound("bytes in history", shown_size(worst.bytes)),
        Bound("model calls", f"{worst.model_calls:,}"),
        Bound("tool calls", f"{worst.tool_calls:,}"),
        Bound("calls in all", f"{calls:,}", *_limited(may.calls, calls)),
        Bound("tokens", f"{worst.tokens:,}", *_limited(may.tokens, worst.tokens)),
        Bound("cost", wording.money(worst.usd), *_affordable(may.usd, worst.usd)),
        Bound("working time", "", duration(may.time_ms) if may.time_ms else ""),
    ]


def _limited(limit: int | None, worst: int) -> tuple[str, bool]:
    return ("", True) if limit is None else (f"{limit:,}", worst <= limit)


def _affordable(limit: str | None, worst: str) -> tuple[str, bool]:
    return ("", True) if limit is None else (wording.money(limit), Decimal(worst) <= Decimal(limit))


def left_out(plan: Plan, pipeline: Pipeline) -> list[str]:
    """The nodes of the main graph that a pipeline steps over."""
    kept = set(pipeline.ways.nodes)
    return [node.id for node in plan.nodes if node.id not in kept]


def edge_words(edge: Edge) -> str:
    """What an edge is taken on, besides success."""
    if edge.otherwise:
        return "else"
    return f"when {edge.when}" if edge.when else ""


def summary(standing: Standing) -> dict[str, Any]:
    """A node in the list of nodes."""
    node = standing.node
    return {
        "path": node.path,
        "part": standing.part or "main",
        "kind": node.kind,
        "placement": node.placement,
        "runs": wording.runs(node),
        "tries": wording.tries(node.retry),
        "timeout_ms": node.timeout_ms,
        "failures": standing.failures,
    }


def explained(plan: Plan) -> dict[str, Any]:
    """All about a plan, for programs."""
    return {
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "sha256": plan.sha256,
        "ir_version": plan.ir_version,
        "nodes": [summary(standing) for standing in standings(plan)],
        "segments": plan.segments,
        "agents": {name: _agent(plan, name) for name in plan.agents},
        "pipelines": [_pipeline(plan, pipeline) for pipeline in plan.pipelines],
        "projections": plan.projections,
        "bounds": plan.bounds.model_dump(mode="json"),
        "budget": plan.budget.model_dump(mode="json", exclude_none=True),
        "children": {name: child.sha256 for name, child in plan.children.items()},
    }


def _agent(plan: Plan, name: str) -> dict[str, Any]:
    agent = plan.agents[name]
    rungs = [{"name": rung, **_model(plan, rung)} for rung in agent.ladder]
    return {"ladder": rungs, "next_rung_on": agent.next_rung_on, "tools": agent.tools, "max_turns": agent.max_turns}


def _model(plan: Plan, name: str) -> dict[str, Any]:
    model = plan.models.get(name)
    return {"provider": model.provider, "model": model.model, "pool": model.pool} if model else {}


def _pipeline(plan: Plan, pipeline: Pipeline) -> dict[str, Any]:
    said = pipeline.model_dump(mode="json", include={"name", "description", "when", "score"})
    return {**said, "left_out": left_out(plan, pipeline)}


def node_explained(plan: Plan, standing: Standing) -> dict[str, Any]:
    """All about one node: what it says itself, what stands around it, and what it runs."""
    node, ways = standing.node, standing.graph.ways
    inside = {"body", "templates"}
    return {
        **summary(standing),
        **node.model_dump(mode="json", exclude_none=True, exclude=inside),
        "after": [_way(edge, edge.source) for edge in ways.edges if edge.target == node.id],
        "before": [_way(edge, edge.target) for edge in ways.edges if edge.source == node.id],
        "takes_failures_of": {
            name: [category for category, target in targets.items() if target == node.id]
            for name, targets in ways.failures.items()
            if node.id in targets.values()
        },
        "segment": next((segment for segment in plan.segments if node.path in segment), None),
        "projection": plan.projections.get(node.path),
        "left_out_by": [p.name for p in plan.pipelines if standing.graph is plan.graph and node.id not in p.ways.nodes],
        "runs_with": _spec(plan, node),
    }


def _way(edge: Edge, end: str) -> dict[str, Any]:
    return {"node": end, **edge.model_dump(mode="json", exclude_defaults=True, exclude={"source", "target"})}


def _spec(plan: Plan, node: Node) -> dict[str, Any] | None:
    spec: Any = None
    match node:
        case Agent() | Planning():
            spec = plan.agents.get(node.agent)
        case Tool():
            spec = plan.tools.get(node.tool)
    return spec.model_dump(mode="json", exclude_defaults=True) if spec else None
