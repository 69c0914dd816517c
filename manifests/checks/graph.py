"""Graphs that can be walked: no circles, no dead ends, no accidental meetings."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.analysis import Analysis
from manifests.draft import Edge, Graph, Node
from manifests.expressions.coverage import exhaustive
from manifests.expressions.syntax import Expression, Malformed, parse
from manifests.flow import Flow
from manifests.problems import Problem
from manifests.shape.workflow import CheaperModel, Decision, Merge
from manifests.source import Place


def nothing_goes_in_circles(found: Analysis) -> Iterator[Problem]:
    main = found.flows[found.draft.graph].cycle
    for graph, flow in found.flows.items():
        if flow.cycle is None or (graph.pipeline and main):
            continue
        steps = list(zip(flow.cycle, flow.cycle[1:], strict=False))
        at = _where(found, graph, steps)
        way = " -> ".join(flow.cycle)
        fix = "remove one of these ways; what repeats goes into a loop"
        where = f" in pipeline {graph.pipeline!r}" if graph.pipeline else ""
        yield Problem("HL210", at, f"the graph goes in a circle{where}: {way}", "a graph without circles", fix)


def _where(found: Analysis, graph: Graph, steps: list[tuple[str, str]]) -> Place:
    """The step that closes the circle: a fallback if it took one, else an edge."""
    drawn = {(edge.source, edge.target): edge for edge in graph.edges}
    for _, target in (step for step in steps if step not in drawn):
        cells = [cell for cell in found.draft.bundle.fallbacks if cell.value.to == target]
        if cells:
            return cells[0].at
    failing = [drawn[step] for step in steps if step in drawn and not drawn[step].normal]
    closing = failing[0] if failing else next((drawn[step] for step in steps if step in drawn), None)
    return closing.at if closing else graph.nodes[steps[0][0]].at.key


def only_decisions_choose(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        for edge in graph.edges:
            chooses = edge.when is not None or edge.otherwise
            decides = isinstance(graph.nodes[edge.source].spec, Decision)
            if chooses and not decides:
                key = "when" if edge.when is not None else "else"
                fix = f"put a decision between {edge.source!r} and {edge.target!r}"
                message = f"{key!r} on an edge that does not leave a decision"
                yield Problem("HL211", (edge.at / key).key, message, "a decision at its start", fix)
            if decides and not chooses and edge.normal:
                message = f"decision {edge.source!r} has an edge without 'when' or 'else'"
                yield Problem("HL212", edge.at, message, "a condition", "add `when: …`, or `else: true`")


def decisions_decide(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        for node, _ in graph.nodes_of(Decision):
            ways = [edge for edge in graph.edges_out_of(node.id) if edge.normal]
            otherwise = [edge for edge in ways if edge.otherwise]
            if not ways and graph.incomplete:
                continue
            if not ways:
                fix = f"add edges `{{from: {node.id}, to: …, when: …}}`"
                yield Problem("HL213", node.at.key, f"decision {node.id!r} leads nowhere", "edges with conditions", fix)
            elif not otherwise and not _covers(found, node, ways) and not _said(found, ways):
                fix = f"add `{{from: {node.id}, to: …, else: true}}`"
                message = f"decision {node.id!r} has no 'else', and its conditions may all be false"
                yield Problem("HL213", node.at.key, message, "conditions that leave nothing out", fix)
            for extra in otherwise[1:]:
                message = f"decision {node.id!r} has two 'else'"
                yield Problem("HL213", extra.at, message, "one 'else'", "remove one, or give it a condition")


def _said(found: Analysis, ways: list[Edge]) -> bool:
    """Whether something else is wrong with a condition, which had better be mended first."""
    return any(
        problem.at.source is edge.at.source and problem.at.path[: len(edge.at.path)] == edge.at.path
        for problem in found.data.problems
        for edge in ways
        if isinstance(problem.at, Place)
    )


def _covers(found: Analysis, node: Node, ways: list[Edge]) -> bool:
    conditions: list[Expression] = []
    for edge in ways:
        try:
            conditions.append(parse(edge.when or ""))
        except Malformed:
            return True  # said already, where the expression stands
    return exhaustive(conditions, found.data.scopes[node])


def branches_meet_on_purpose(found: Analysis) -> Iterator[Problem]:
    for graph in [*found.draft.graphs(), *found.draft.pipelines.values()]:
        for node in graph.nodes.values():
            if graph.incomplete or node.id in (found.flows[graph].cycle or ()):
                continue
            ways = _ways(graph, node)
            if isinstance(node.spec, Merge):
                yield from _empty_handed(found, graph, node)
                if not graph.pipeline:
                    yield from _merge(graph, node, ways)
            elif ways > 1 and node.spec.join is None and not (graph.pipeline and _ways(found.draft.graph, node) > 1):
                where = f" in pipeline {graph.pipeline!r}" if graph.pipeline else ""
                message = f"{node.id!r} has {ways} ways in{where}"
                fix = "put a merge before it, or say `join: any`"
                yield Problem("HL214", node.at.key, message, "one way in, a merge, or `join: any`", fix)


def _ways(graph: Graph, node: Node) -> int:
    return len({edge.source for edge in graph.edges_into(node.id)})


def _merge(graph: Graph, node: Node, ways: int) -> Iterator[Problem]:
    if ways < 2:
        said = ("no way in", "one way in")[ways]
        fix = f"add an edge to {node.id!r}, or make it a transform"
        yield Problem("HL215", node.at.key, f"merge {node.id!r} has {said}", "at least two ways in", fix)
    out = [edge for edge in graph.edges_out_of(node.id) if edge.normal]
    if len(out) > 1:
        targets = ", ".join(repr(edge.target) for edge in out)
        message = f"merge {node.id!r} has {len(out)} ways out: {targets}"
        yield Problem("HL216", out[1].at, message, "one way out", "put the next nodes in a chain, or use a decision")


def _empty_handed(found: Analysis, graph: Graph, node: Node) -> Iterator[Problem]:
    """`first` has to have one."""
    assert isinstance(node.spec, Merge)
    flow = found.flows[graph]
    if node.spec.merge != "first" or flow.cycle is not None:
        return
    main = found.draft.graph
    said = {problem.at for problem in _empty_handed(found, main, node)} if graph.pipeline else set()
    for edge in _empty_ways(flow, node.id):
        if edge.at in said:
            continue
        how = f"when {edge.source!r} " + ("fails" if edge.on else "leads straight to it")
        where = f" in pipeline {graph.pipeline!r}" if graph.pipeline else ""
        message = f"merge {node.id!r} has nothing to take {how}{where}"
        fix = f"lead that way through a transform, or past {node.id!r}"
        yield Problem("HL221", edge.at, message, "a way in that brings an output", fix)


def _empty_ways(flow: Flow, merge: str) -> Iterator[Edge]:
    """The ways into a merge on which nothing may have come to be joined."""
    graph = flow.graph
    sources = flow.joined(merge)
    for edge in graph.edges_into(merge):
        if not graph.brings(edge) and not any(flow.surely_ran(source, edge.source) for source in sources):
            yield edge


def merges_read_what_arrives(found: Analysis) -> Iterator[Problem]:
    """`inputs[1]` is there where two outputs surely arrive."""
    for use in found.data.uses:
        place = use.read.path[0] if use.read.root == "inputs" and use.read.path and not use.read.guarded else None
        node = use.graph.nodes.get(use.reader or "")
        if not isinstance(place, int) or node is None or not isinstance(node.spec, Merge):
            continue
        main = found.draft.graph
        for graph in [use.graph, *(found.draft.pipelines.values() if use.graph is main else ())]:
            flow = found.flows[graph]
            if node.id not in graph.nodes or graph.incomplete or flow.cycle is not None:
                continue
            if not 0 <= place < _fewest(flow, node.id) and not _counts(node.spec.merge):
                where = f" in pipeline {graph.pipeline!r}" if graph.pipeline else ""
                message = f"merge {node.id!r} may join fewer outputs{where}, and then there is no inputs[{place}]"
                fix = f"write `inputs[?{place}]` and `.orValue(…)`, or read the nodes by their names"
                yield Problem("HL223", use.at, message, "an output that surely arrives", fix)
                break


def _fewest(flow: Flow, merge: str) -> int:
    """How many outputs a merge surely has to join."""
    return max(sum(flow.joined(merge).values()), 0 if any(_empty_ways(flow, merge)) else 1)


def _counts(merge: str) -> bool:
    """Whether it asks how many outputs there are."""
    return any(spelt in merge for spelt in ("size(inputs)", "inputs.size()"))


def nothing_stands_alone(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        if graph.incomplete or graph.role not in ("main", "body"):
            continue
        for node in graph.nodes.values() if graph.edges else ():
            if not graph.edges_into(node.id) and not graph.edges_out_of(node.id):
                message = f"no edge leads to {node.id!r} or away from it"
                yield Problem("HL217", node.at.key, message, "a place in the graph", "add an edge, or remove the node")


def outputs_are_clear(found: Analysis) -> Iterator[Problem]:
    """Without `output`, a graph gives what its only last node gives."""
    for graph in found.draft.graphs():
        last = graph.last()
        if graph.output is None and len(last) > 1 and graph.role in ("main", "body") and not graph.incomplete:
            names = ", ".join(repr(name) for name in last[:5]) + (", …" if len(last) > 5 else "")
            at = graph.owner.at.key if graph.owner else (graph.at / "nodes").key
            message = f"{len(last)} nodes end the graph ({names}), so its output is not clear"
            yield Problem(
                "HL218", at, message, "an `output`", "lead them together in a merge, or say what the `output` is"
            )


def nothing_is_said_twice(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        seen: dict[tuple[object, ...], Edge] = {}
        for edge in graph.edges:
            key = (edge.source, edge.target, edge.when, edge.otherwise, edge.on)
            if key in seen:
                first = seen[key].at.span.line
                message = f"the edge {edge.source} -> {edge.target} is there already, in line {first}"
                yield Problem("HL219", edge.at, message, "each edge once", "remove one of them")
            seen.setdefault(key, edge)


_WORK = ("with", "timeout", "retry", "queue", "priority", "undo", "on_budget")
_IN_VAIN: dict[str, tuple[str, ...]] = {
    "decision": _WORK,
    "merge": _WORK,
    "transform": _WORK,
    "human": ("with", "timeout", "retry", "queue", "priority", "undo", "on_budget"),
    "wait": ("with", "timeout", "retry", "queue", "priority", "undo", "on_budget"),
    "map": ("with", "queue"),
    "loop": ("with", "queue"),
}


def nothing_is_said_in_vain(found: Analysis) -> Iterator[Problem]:
    """A key that does nothing is one that its author believes in."""
    for node in found.draft.nodes():
        for key in _IN_VAIN.get(node.kind, ()):
            if f"{key}_" in node.spec.model_fields_set or key in node.spec.model_fields_set:
                message = f"{key!r} does nothing on a {node.kind}"
                fix = "remove it, or put it on the node that does the work"
                yield Problem("HL220", (node.at / key).key, message, f"no {key!r} here", fix)


def only_agents_go_on_with_another_model(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        said_already = node.kind == "agent" or "on_budget" in _IN_VAIN.get(node.kind, ())
        if isinstance(node.spec.on_budget, CheaperModel) and not said_already:
            message = f"another model does nothing on a {node.kind}"
            fix = "remove it, or write `on_budget: skip`"
            yield Problem("HL220", (node.at / "on_budget" / "model").key, message, "no 'model' here", fix)


CHECKS = (
    nothing_goes_in_circles,
    only_decisions_choose,
    decisions_decide,
    branches_meet_on_purpose,
    merges_read_what_arrives,
    nothing_stands_alone,
    outputs_are_clear,
    nothing_is_said_twice,
    nothing_is_said_in_vain,
    only_agents_go_on_with_another_model,
)
