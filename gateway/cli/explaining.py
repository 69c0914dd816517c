"""The text of `haul explain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any

from gateway.cli.tables import table
from gateway.cli.terminal import Painter, visible
from manifests import wording
from manifests.drawing.captions import duration
from manifests.explanation import Standing, bounds, edge_words, left_out, node_explained, standings
from manifests.plan import AgentSpec, Node, Plan, ToolSpec

HEAD = ("node", "kind", "where", "runs", "retries", "timeout", "on failure")


class Explanation:
    """A plan as lines of text; sections with nothing in them are left out."""

    def __init__(self, plan: Plan, paint: Painter) -> None:
        self._plan = plan
        self._paint = paint

    def whole(self) -> Iterator[str]:
        plan = self._plan
        identity = f"version {plan.version} · sha256 {plan.sha256[:12]} · ir {plan.ir_version}"
        yield f"{self._paint.place(visible(plan.name))}  {self._paint.faint(visible(identity))}"
        if plan.description:
            yield from self._wrapped(plan.description)
        yield from self._table("Nodes", HEAD, [self._row(standing) for standing in standings(plan)], first="runs")
        yield from self._list("Fused into one local activity", (" + ".join(segment) for segment in plan.segments))
        agents = [self._agent(name, agent) for name, agent in plan.agents.items()]
        yield from self._table("Agents", ("agent", "models, first choice first", "next one on", "tools"), agents)
        tools = [_tool(name, tool) for name, tool in plan.tools.items()]
        yield from self._table("Tools", ("tool", "uses", "effect", "risk", "may"), tools)
        yield from self._table("Failures that are handled", ("node", "failure", "goes to"), self._failures())
        pipelines = [_pipeline(plan, index) for index in range(len(plan.pipelines))]
        yield from self._table("Pipelines", ("pipeline", "score", "when", "leaves out"), pipelines)
        fields = [(path, wording.fields(names)) for path, names in plan.projections.items() if names]
        yield from self._table("Fields that travel beside a stored output", ("node", "fields"), fields)
        yield from self._bounds()
        children = [(name, child.sha256[:12]) for name, child in plan.children.items()]
        yield from self._table("Sub-runs", ("workflow", "sha256"), children)

    def _row(self, standing: Standing) -> Sequence[str]:
        node = standing.node
        path = f"{standing.part}: {node.path}" if standing.part else node.path
        targets = dict.fromkeys(standing.failures.values())
        timeout = duration(node.timeout_ms) if node.timeout_ms else ""
        where = node.placement
        return path, node.kind, where, wording.runs(node), wording.tries(node.retry), timeout, ", ".join(targets)

    def _agent(self, name: str, agent: AgentSpec) -> Sequence[str]:
        following = ", ".join(wording.folded(agent.next_rung_on)) if len(agent.ladder) > 1 else ""
        return (
            name,
            "\n".join(wording.rung(self._plan, rung) for rung in agent.ladder),
            following,
            ", ".join(agent.tools),
        )

    def _failures(self) -> list[Sequence[str]]:
        return [
            (standing.node.path, what, target)
            for standing in standings(self._plan)
            for what, target in wording.failures(standing.node.kind, standing.failures)
        ]

    def _bounds(self) -> Iterator[str]:
        found = [bound for bound in bounds(self._plan) if bound.worst or bound.budget]
        rows = [(bound.name, bound.worst, bound.budget, "" if bound.within else "over it") for bound in found]
        head = ("", "worst case", "budget", " ")
        yield from self._table("One run, at worst", head, rows, right="worst case budget")
        if any(not bound.within for bound in found):
            yield from self._wrapped("What goes over the budget does not happen: the budget stops the run first.")

    def of(self, standing: Standing) -> Iterator[str]:
        """One node."""
        facts = node_explained(self._plan, standing)
        node, ways = standing.node, standing.graph.ways
        yield f"{self._paint.place(visible(node.path))}  {self._paint.faint(f'{node.kind}, {node.placement}')}"
        if node.description:
            yield from self._wrapped(node.description)
        said = [(key, _shown(what)) for key, what in _about(node, facts) if what not in (None, "", [])]
        yield from self._table("", ("", " "), said)
        yield from self._table("Inputs", ("", " "), [(key, _shown(what)) for key, what in node.inputs.items()])
        after = [(edge.source, edge_words(edge)) for edge in ways.edges if edge.target == node.id]
        after += [(name, ", ".join(of)) for name, of in facts["takes_failures_of"].items()]
        yield from self._table("Comes after", ("", " "), after)
        leads = [(edge.target, edge_words(edge)) for edge in ways.edges if edge.source == node.id]
        leads += [(target, f"on {what}") for what, target in wording.failures(node.kind, standing.failures)]
        yield from self._table("Leads to", ("", " "), leads)
        yield from self._table("Runs with", ("", " "), _flat(facts["runs_with"] or {}))

    def _table(
        self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "", first: str = ""
    ) -> Iterator[str]:
        if not rows:
            return
        yield ""
        if title:
            yield self._paint.label(title)
        lines = table(head, rows, self._paint.width - 2, self._paint.faint, right, not first, first)
        if not any(name.strip() for name in head):
            next(lines)
        yield from (f"  {line}" for line in lines)

    def _list(self, title: str, items: Iterable[str]) -> Iterator[str]:
        lines = [line for item in items for line in self._wrapped(item)]
        if lines:
            yield from ("", self._paint.label(title), *lines)

    def _wrapped(self, text: str) -> Iterator[str]:
        yield from (f"  {visible(line)}" for line in wrap(text, self._paint.width - 2))


def _about(node: Node, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "runs", wording.runs(node)
    yield "retries", wording.tries(node.retry)
    if node.retry and node.retry.attempts > 1:
        yield "tried again on", ", ".join(wording.folded(node.retry.on))
    yield "timeout", duration(node.timeout_ms) if node.timeout_ms else None
    for key in ("queue", "priority", "undo", "on_budget", "reads", "default"):
        yield key, facts.get(key)
    yield "fused with", ", ".join(path for path in facts["segment"] or () if path != node.path)
    yield "travels beside", wording.fields(facts["projection"] or [])
    yield "left out by", ", ".join(facts["left_out_by"])


def _shown(what: Any) -> str:
    return ", ".join(what) if isinstance(what, list) and all(isinstance(x, str) for x in what) else wording.value(what)


def _flat(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, what.strip() if key == "prompt" else _shown(what)) for key, what in facts.items()]


def _tool(name: str, tool: ToolSpec) -> Sequence[str]:
    kinds = ("read", "write", "network", "commands", "secrets")
    may = ((kind, getattr(tool, kind)) for kind in kinds)
    return name, tool.uses, tool.effect, tool.risk, "; ".join(f"{kind} {', '.join(what)}" for kind, what in may if what)


def _pipeline(plan: Plan, index: int) -> Sequence[str]:
    pipeline = plan.pipelines[index]
    return pipeline.name, wording.value(pipeline.score), pipeline.when or "always", ", ".join(left_out(plan, pipeline))
