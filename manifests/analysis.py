"""What the checks and the lowering know about a draft beyond its text: flows, failure routes, and dataflow."""

from __future__ import annotations

from dataclasses import dataclass

from manifests.dataflow import Dataflow, traced
from manifests.draft import Draft, Graph
from manifests.failures import Routes, routes
from manifests.flow import Flow


@dataclass(frozen=True)
class Analysis:
    """`flows` has an entry for every graph and for every pipeline's own."""

    draft: Draft
    flows: dict[Graph, Flow]
    data: Dataflow


def analysed(draft: Draft) -> Analysis:
    """Flows first without, then with what conditions prove; types and reads in between."""
    ways = {graph: _routes(draft, graph) for graph in [*draft.graphs(), *draft.pipelines.values()]}
    flows = {graph: Flow(graph, found) for graph, found in ways.items()}
    data = traced(draft, flows)
    for graph in ways:
        if any(data.proves.get(edge) for edge in graph.edges):
            flows[graph] = flows[graph].knowing(data.proves)
    return Analysis(draft, flows, data)


def _routes(draft: Draft, graph: Graph) -> Routes:
    cells = draft.bundle.fallbacks if graph.owner is None and graph.role == "main" else []
    return routes(graph, cells)
