"""Failure edges, the fallback matrix and pipelines: what is written can happen."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.analysis import Analysis
from manifests.draft import Draft
from manifests.failures import FAILS_IN, expanded
from manifests.problems import Problem, did_you_mean
from manifests.shape.pipelines import Fallback, Pipeline
from manifests.source import Place


def failure_edges_can_be_taken(found: Analysis) -> Iterator[Problem]:
    for graph in found.draft.graphs():
        used = found.flows[graph].routes.used_edges
        for edge in graph.edges:
            kind = graph.nodes[edge.source].kind
            for index, category in enumerate(edge.on):
                if (edge, category) in used:
                    continue
                at = edge.at / "on" / index if len(edge.on) > 1 else edge.at / "on"
                if not set(expanded(category)) & set(FAILS_IN[kind]):
                    can = ", ".join(FAILS_IN[kind])
                    message = f"{kind} {edge.source!r} never fails as {category!r}"
                    yield Problem("HL601", at, message, f"one of: {can}", "remove it, or put it on the node that does")
                else:
                    message = f"{category!r} of {edge.source!r} is handled by another edge already"
                    yield Problem("HL602", at, message, "one edge a category", "remove one of them")


def fallbacks_can_happen(found: Analysis) -> Iterator[Problem]:
    draft = found.draft
    graphs = [draft.graph, *draft.pipelines.values()]
    used = {index for graph in graphs for index in found.flows[graph].routes.used_cells}
    for index, cell in enumerate(draft.bundle.fallbacks):
        unknown = list(_unknown(draft, cell.value, cell.at))
        yield from unknown
        if index in used or unknown:
            continue
        nodes = [
            node for node in draft.graph.nodes.values() if cell.value.node == node.id or cell.value.kind == node.kind
        ]
        whom = repr(cell.value.node) if cell.value.node else f"nodes of kind {cell.value.kind!r}"
        if not nodes:
            message = f"there are no {whom}, so this fallback never happens"
            yield Problem("HL603", cell.at, message, "a node that can fail so", "remove it")
        elif not any(set(expanded(cell.value.category)) & set(FAILS_IN[node.kind]) for node in nodes):
            message = f"{whom} never fail{'s' if cell.value.node else ''} as {cell.value.category!r}"
            expected = f"one of: {', '.join(FAILS_IN[nodes[0].kind])}"
            yield Problem("HL603", cell.at / "category", message, expected, "remove it, or correct the category")
        else:
            message = f"for {whom} {cell.value.category!r} is always handled before this fallback"
            yield Problem("HL604", cell.at, message, "a failure that nothing else handles", "remove it")


def _unknown(draft: Draft, cell: Fallback, at: Place) -> Iterator[Problem]:
    for key in ("node", "to"):
        name = getattr(cell, key)
        if name is not None and name not in draft.graph.nodes:
            fix = did_you_mean(name, draft.graph.nodes, "node")
            yield Problem("HL204", at / key, f"no node {name!r}", "a node of the main graph", fix)


def pipelines_name_nodes(found: Analysis) -> Iterator[Problem]:
    draft = found.draft
    for pipeline in draft.bundle.pipelines.values():
        for key in ("only", "skip"):
            for index, name in enumerate(getattr(pipeline.value, key) or ()):
                if name not in draft.graph.nodes:
                    fix = did_you_mean(name, draft.graph.nodes, "node")
                    at = pipeline.at / key / index
                    yield Problem("HL204", at, f"no node {name!r}", "a node of the main graph", fix)


def some_pipeline_always_fits(found: Analysis) -> Iterator[Problem]:
    pipelines = found.draft.bundle.pipelines
    if pipelines and all(pipeline.value.when is not None for pipeline in pipelines.values()):
        first = next(iter(pipelines.values()))
        message = "every pipeline has a 'when', so none may fit"
        yield Problem("HL605", (first.at / "when").key, message, "one without 'when'", "add one with the lowest score")


def pipelines_leave_something(found: Analysis) -> Iterator[Problem]:
    for name, graph in found.draft.pipelines.items():
        pipeline: Pipeline = found.draft.bundle.pipelines[name].value
        if not graph.nodes:
            at = found.draft.bundle.pipelines[name].at / ("only" if pipeline.only else "skip")
            yield Problem("HL606", at, f"pipeline {name!r} leaves no node", "at least one node", "leave fewer out")


CHECKS = (
    failure_edges_can_be_taken,
    fallbacks_can_happen,
    pipelines_name_nodes,
    some_pipeline_always_fits,
    pipelines_leave_something,
)
