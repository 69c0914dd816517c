"""Where failures go: which categories a kind of node can fail in, and what handles each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manifests.draft import Edge, Graph, Node

if TYPE_CHECKING:
    from manifests.bundle import Defined
    from manifests.shape.pipelines import Fallback

JSON = ("json_syntax", "json_minor", "json_major")
WORLD = ("transient", "rate_limited", "timeout", "unavailable")
CATEGORIES = (
    *WORLD, *JSON, "context", "refusal", "tool", "denied", "rejected", "expired",
    "budget", "memory", "input", "cancelled", "engine",
)  # fmt: skip
# Cancelling is what somebody wanted: only an edge that names it takes it for a failure.
GROUPS: dict[str, tuple[str, ...]] = {
    "json": JSON,
    "error": tuple(category for category in CATEGORIES if category != "cancelled"),
}

# Trying again makes sense when the world hiccuped, or when another answer may come.
RETRYABLE = (*WORLD, *JSON, "tool", "memory")

_ALWAYS = ("input", "engine")
_MEMORY = ("transient", "timeout", "unavailable", "denied", "memory", "cancelled", *_ALWAYS)
FAILS_IN: dict[str, tuple[str, ...]] = {
    "agent": (*WORLD, *JSON, "context", "refusal", "tool", "denied", "budget", "memory", "cancelled", *_ALWAYS),
    "tool": (*WORLD, *JSON, "tool", "denied", "rejected", "expired", "budget", "cancelled", *_ALWAYS),
    "decision": _ALWAYS,
    "merge": _ALWAYS,
    "transform": _ALWAYS,
    "map": CATEGORIES,
    "loop": CATEGORIES,
    "workflow": CATEGORIES,
    "human": ("rejected", "expired", "cancelled", *_ALWAYS),
    "wait": ("expired", "cancelled", *_ALWAYS),
    "recall": _MEMORY,
    "remember": _MEMORY,
    "emit": (*WORLD, "denied", "tool", "cancelled", *_ALWAYS),
    "plan": CATEGORIES,
}


def expanded(category: str) -> tuple[str, ...]:
    """The categories that a category or a group of them stands for."""
    return GROUPS.get(category, (category,))


@dataclass
class Routes:
    """For each node and category the place the failure goes to, and which rules had anything to do with it."""

    targets: dict[str, dict[str, str]] = field(default_factory=dict)
    used_edges: set[tuple[Edge, str]] = field(default_factory=set)
    used_cells: set[int] = field(default_factory=set)

    def after(self, node: str) -> list[str]:
        """The nodes that a failure of this one may lead to, in plan order."""
        handled = self.targets.get(node)
        return list(dict.fromkeys(handled.values())) if handled else []


def routes(graph: Graph, cells: Iterable[Defined[Fallback]]) -> Routes:
    """What handles what: the most specific edge of the node, else the most specific cell of the matrix."""
    found = Routes()
    ranked = sorted(enumerate(cells), key=lambda entry: (_breadth(entry[1].value), entry[0]))
    for node in graph.nodes.values():
        said = [(category, edge) for edge in graph.edges_out_of(node.id) for category in edge.on]
        said.sort(key=lambda entry: len(expanded(entry[0])))
        if said or ranked:
            _route(node, said, ranked, graph.nodes, found)
    return found


def _route(
    node: Node,
    said: list[tuple[str, Edge]],
    cells: list[tuple[int, Defined[Fallback]]],
    nodes: Mapping[str, Node],
    found: Routes,
) -> None:
    handled: dict[str, str] = {}
    for category, edge in said:
        for single in expanded(category):
            if single in FAILS_IN[node.kind] and single not in handled:
                handled[single] = edge.target
                found.used_edges.add((edge, category))
    for index, cell in cells:
        if not _is_for(cell.value, node) or cell.value.to not in nodes:
            continue
        for single in expanded(cell.value.category):
            if single in FAILS_IN[node.kind] and single not in handled:
                handled[single] = cell.value.to
                found.used_cells.add(index)
    if handled:
        found.targets[node.id] = handled


def _is_for(cell: Fallback, node: Node) -> bool:
    # A cell for a kind never sends the node it leads to back to itself.
    return node.id == cell.node or (node.kind == cell.kind and node.id != cell.to)


def _breadth(cell: Fallback) -> tuple[bool, int]:
    return cell.node is None, len(expanded(cell.category))
