"""What differs in meaning between two plans; comments, and an order that nothing hangs on, do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from manifests import widening
from manifests.changes import ADDED, REMOVED, Change, come_or_gone, normal, properties, union
from manifests.failures import CATEGORIES
from manifests.plan import Decision, Edge, Graph, Merge, Node, Part, Pipeline, Plan, body_of
from manifests.wording import categories

SPECS = ("models", "stores", "profiles", "plugins")
OWN = ("name", "version", "description", "input", "parallel", "call_limit")
INSIDE = {"id", "path", "body", "templates", "kind"}


def compared(one: Plan, other: Plan) -> list[Change]:
    """All differences, section by section; none of them means the same plan."""
    if one.sha256 == other.sha256:
        return []
    return [
        *properties("workflow", "", _own(one), _own(other)),
        *_graphs(one, other),
        *_agents(one, other),
        *widening.compared(one, other),
        *(change for section in SPECS for change in _specs(section, one, other)),
        *_pipelines(one, other),
        *properties("budget", "", _data(one.budget), _data(other.budget)),
        *_stored("segments", map(" + ".join, one.segments), map(" + ".join, other.segments)),
        *_named("projections", one.projections, other.projections),
        *properties("bounds", "", _data(one.bounds), _data(other.bounds)),
        *_children(one, other),
    ]


def _own(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(mode="json", exclude_none=True, include=set(OWN))


def _data(part: Part | None) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_none=True) if part else {}


def _graphs(one: Plan, other: Plan) -> Iterator[Change]:
    """Nodes first, then what lies between them, graph by graph."""
    before, after = graphs(one), graphs(other)
    old, new = _nodes(before.values()), _nodes(after.values())
    for path in union(old, new):
        yield from _node(path, old.get(path), new.get(path))
    for where in union(before, after):
        yield from _ways(where, before.get(where), after.get(where))
    for where in union(before, after):
        yield from _routes(before.get(where), after.get(where))
    for where in union(before, after):
        yield from _output(where, before.get(where), after.get(where))


def graphs(plan: Plan) -> dict[str, Graph]:
    """The graphs of a plan by where they are: the main one by an empty name, bodies by the path of their node."""
    found: dict[str, Graph] = {}
    waiting = [("", plan.graph), *([("finally", plan.final)] if plan.final else [])]
    while waiting:
        where, graph = waiting.pop(0)
        found[where] = graph
        waiting += [(node.path, body) for node in graph.nodes for body in [body_of(node)] if body]
    return found


def _nodes(found: Iterable[Graph]) -> dict[str, Node]:
    return {node.path: node for graph in found for node in graph.nodes}


def _node(path: str, one: Node | None, other: Node | None) -> Iterator[Change]:
    if one is None or other is None:
        yield come_or_gone("nodes", path, one and one.kind, other and other.kind)
    elif one.kind != other.kind:
        yield Change("nodes", path, "kind", one.kind, other.kind)
    else:
        before, after = (node.model_dump(mode="json", exclude_none=True, exclude=INSIDE) for node in (one, other))
        yield from properties("nodes", path, before, after)


def _ways(where: str, one: Graph | None, other: Graph | None) -> Iterator[Change]:
    yield from _stored("edges", _edges(one), _edges(other), where)
    if one and other:
        yield from _order(where, one, other)


def _routes(one: Graph | None, other: Graph | None) -> Iterator[Change]:
    before, after = _failures(one), _failures(other)
    kinds = {node.path: node.kind for graph in (one, other) if graph for node in graph.nodes}
    for path in union(before, after):
        yield from _rerouted(path, kinds[path], before.get(path, {}), after.get(path, {}))


def _rerouted(path: str, kind: str, before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    """The categories that lead elsewhere than before, those with the same way together."""
    ways: dict[tuple[str | None, str | None], list[str]] = {}
    for category in CATEGORIES:
        old, new = before.get(category), after.get(category)
        if old != new:
            ways.setdefault((old, new), []).append(category)
    for (old, new), found in ways.items():
        yield Change("failures", path, ", ".join(categories(kind, found, found)), old, new)


def _edges(graph: Graph | None) -> list[str]:
    return [said(edge) for edge in graph.ways.edges] if graph else []


def said(edge: Edge) -> str:
    """An edge on one line."""
    way = f"{edge.source} -> {edge.target}"
    return f"{way} else" if edge.otherwise else f"{way} when {edge.when}" if edge.when else way


def _failures(graph: Graph | None) -> dict[str, dict[str, str]]:
    if graph is None:
        return {}
    paths = {node.id: node.path for node in graph.nodes}
    return {paths.get(name, name): targets for name, targets in graph.ways.failures.items()}


def _order(where: str, one: Graph, other: Graph) -> Iterator[Change]:
    """Where order is meaning: the ways out of a decision that takes the first, and the ways into most merges."""
    for node in one.nodes:
        same = other.by_id.get(node.id)
        if isinstance(node, Decision) and isinstance(same, Decision) and not same.many:
            before, after = ([said(e) for e in graph.ways.edges if e.source == node.id] for graph in (one, other))
        elif isinstance(node, Merge) and isinstance(same, Merge) and same.policy not in ("object", "value"):
            before, after = ([name for name in g.ways.nodes if name in _into(g, node.id)] for g in (one, other))
        else:
            continue
        if before != after and sorted(before) == sorted(after):
            yield Change("edges", node.path, "order", before, after)


def _into(graph: Graph, node: str) -> set[str]:
    direct = {edge.source for edge in graph.ways.edges if edge.target == node}
    return direct | {name for name, targets in graph.ways.failures.items() if node in targets.values()}


def _output(where: str, one: Graph | None, other: Graph | None) -> Iterator[Change]:
    if one and other and one.output != other.output:
        yield Change("output", where, "output", one.output, other.output)


def _agents(one: Plan, other: Plan) -> Iterator[Change]:
    for name in union(one.agents, other.agents):
        before, after = one.agents.get(name), other.agents.get(name)
        if before is None or after is None:
            yield come_or_gone("agents", name, _data(before) or None, _data(after) or None)
            continue
        if before.prompt != after.prompt:
            yield Change("prompts", name, "prompt", before.prompt, after.prompt)
        for change in properties("agents", name, _data(before), _data(after)):
            if change.what == "tools":
                more = bool(set(after.tools) - set(before.tools))
                yield Change("agents", name, "tools", before.tools, after.tools, more)
            elif change.what != "prompt":
                yield change


def _specs(section: str, one: Plan, other: Plan) -> Iterator[Change]:
    before: dict[str, Part] = getattr(one, section)
    after: dict[str, Part] = getattr(other, section)
    for name in union(before, after):
        old, new = _data(before.get(name)), _data(after.get(name))
        if name in before and name in after:
            yield from properties(section, name, old, new)
        else:
            yield come_or_gone(section, name, old or None, new or None)


def _pipelines(one: Plan, other: Plan) -> Iterator[Change]:
    before, after = ({pipeline.name: pipeline for pipeline in plan.pipelines} for plan in (one, other))
    for name in union(before, after):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield come_or_gone("pipelines", name, old and _choice(old), new and _choice(new))
            continue
        yield from properties("pipelines", name, _choice(old), _choice(new))


def _choice(pipeline: Pipeline) -> dict[str, Any]:
    """When it is chosen and which nodes it keeps; its edges follow from those and from the main graph's."""
    chosen = pipeline.model_dump(mode="json", exclude_none=True, include={"description", "when", "score"})
    return {**chosen, "nodes": sorted(pipeline.ways.nodes)}


def _children(one: Plan, other: Plan) -> Iterator[Change]:
    for name in union(one.children, other.children):
        before, after = one.children.get(name), other.children.get(name)
        if before and after:
            for change in compared(before, after):
                path = f"{name}: {change.path}" if change.path else name
                yield Change(change.section, path, change.what, change.before, change.after, change.widens)
        else:
            yield come_or_gone("sub-runs", name, before and before.sha256[:12], after and after.sha256[:12])


def _stored(section: str, before: Iterable[str], after: Iterable[str], path: str = "") -> Iterator[Change]:
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    yield from (Change(section, path, REMOVED, line) for line in old if line not in new)
    yield from (Change(section, path, ADDED, None, line) for line in new if line not in old)


def _named(section: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in union(before, after):
        if normal("required", before.get(name)) != normal("required", after.get(name)):
            yield Change(section, name, "fields", before.get(name), after.get(name))
