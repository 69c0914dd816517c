"""Conditions that ask something: none that is always the same, none that was asked before."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.analysis import Analysis
from manifests.draft import Edge, Node
from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.expressions.guards import proof
from manifests.expressions.syntax import Malformed, parse
from manifests.expressions.tree import shape
from manifests.problems import Problem
from manifests.shape.workflow import Decision, Loop
from manifests.source import Place


def decisions_ask_something(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        for node, spec in graph.nodes_of(Decision):
            ways = [edge for edge in graph.edges_out_of(node.id) if edge.normal]
            for edge in ways:
                yield from _settled_edge(node, edge, spec.decision.many, ways)
            if not spec.decision.many:
                yield from _asked_twice(node, ways)


def _settled_edge(node: Node, edge: Edge, many: bool, ways: list[Edge]) -> Iterator[Problem]:
    result = None if edge.when is None else _outcome(edge.when)
    at, fix = edge.at / "when", "ask something, or make it the `else`"
    if result is False:
        yield _settled(at, f"never true, so {node.id!r} never takes this edge", "ask something, or remove the edge")
    elif result and not many:
        yield _settled(at, f"always true, so {node.id!r} asks no further", fix)
    elif result and any(other.otherwise for other in ways):
        yield _settled(at, f"always true, so {node.id!r} never takes its `else`", "ask something, or remove the `else`")


def _asked_twice(node: Node, ways: list[Edge]) -> Iterator[Problem]:
    """Of edges that ask the same only the first is taken. The same edge twice is another problem."""
    seen: dict[object, Edge] = {}
    asking = [edge for edge in ways if edge.when is not None]
    for edge in asking if len(asking) > 1 else ():
        assert edge.when is not None
        try:
            before = seen.setdefault(shape(parse(edge.when).root), edge)
        except Malformed:
            continue
        same = before is edge or (before.target, before.when) == (edge.target, edge.when)
        if same or _outcome(edge.when) is not None:
            continue
        message = f"{node.id!r} asks this in line {before.at.span.line} already, so it never takes this edge"
        fix = "ask something else, or write `decision: {many: true}` to take both edges"
        yield Problem("HL222", edge.at / "when", message, "a condition of its own", fix)


def loops_have_an_end(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        for node, spec in graph.nodes_of(Loop):
            at, result = node.at / "loop" / "until", _outcome(spec.loop.until)
            if result:
                fix = "say when it is done, or take its body out of the loop"
                yield _settled(at, f"always true, so {node.id!r} runs once", fix)


def pipelines_ask_something(found: Analysis) -> Iterator[Problem]:
    for name, defined in found.draft.bundle.pipelines.items():
        result = None if defined.value.when is None else _outcome(defined.value.when)
        if result is not None:
            said = f"always true, so pipeline {name!r} always fits" if result else f"never true, so {name!r} never fits"
            fix = "remove this line" if result else "ask something, or remove the pipeline"
            yield _settled(defined.at / "when", said, fix)


def _outcome(condition: str) -> bool | None:
    """What a condition comes to in every run, where that is certain."""
    try:
        asked = parse(condition)
        for result in (True, False):
            if proof(asked.root, not result) is None:
                return result
        given = None if asked.names else Evaluator().evaluate(condition, {})
    except (Malformed, ExpressionFailed):
        return None  # said where it stands
    return given if isinstance(given, bool) else None


def _settled(at: Place, said: str, fix: str) -> Problem:
    return Problem("HL313", at, f"this is {said}", "a condition that can be either", fix)


CHECKS = (decisions_ask_something, loops_have_an_end, pipelines_ask_something)
