"""What the checks and the lowering know about a draft beyond its text: flows, failure routes, and dataflow."""

from __future__ import annotations

from dataclasses import dataclass

from manifests.dataflow import Dataflow, traced
from manifests.draft import Draft, Graph
from manifests.failures import Routes, routes
from manifests.flow import Flow
from manifests.knowledge import proven


@dataclass(frozen=True)
class Analysis:
    """`flows` has an entry for every graph and for every pipeline's own."""

    draft: Draft
    flows: dict[Graph, Flow]
    data: Dataflow


def analysed(draft: Draft) -> Analysis:
    """Flows first, with what conditions prove; then types and reads."""
    graphs = [*draft.graphs(), *draft.pipelines.values()]
    flows = {graph: Flow(graph, _routes(draft, graph), proven(graph)) for graph in graphs}
    return Analysis(draft, flows, traced(draft, flows))


def _routes(draft: Draft, graph: Graph) -> Routes:
    cells = draft.bundle.fallbacks if graph.owner is None and graph.role == "main" else []
    return routes(graph, cells)
