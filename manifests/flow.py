"""What is known about a graph before it runs: an order, what comes before what, and what surely happened by then."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from manifests.draft import Edge, Graph
from manifests.expressions.guards import Proof, roots
from manifests.failures import Routes
from manifests.shape.workflow import Decision


class Flow:
    """Facts about one graph, as bit sets over its nodes in topological order.

    A node *surely ran* before another when every way the run can come to the second has completed the first. Three
    sets per node say so: `_done` (completed, given that this node completed), `_started` (completed, given that it
    started, whatever became of it) and `_before` (completed, given that it is about to start).
    """

    def __init__(self, graph: Graph, routes: Routes, proofs: Mapping[Edge, Proof] | None = None) -> None:
        self.graph = graph
        self.routes = routes
        self.proofs = proofs or {}
        self.order, self.cycle = _ordered(graph, routes)
        self._bit = {node: 1 << place for place, node in enumerate(self.order)}
        self._done: dict[str, int] = {}
        self._started: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._above: dict[str, int] = {}
        if self.cycle is None:
            self._look_up()
            self._look_ahead()
            self._look_back()

    def is_before(self, node: str, reader: str | None) -> bool:
        """Whether a node can have run when the reader starts; without a reader, when the graph ends."""
        return reader is None or bool(self._above[reader] & self._bit[node])

    def surely_ran(self, node: str, reader: str | None) -> bool:
        known = self._start() if reader is None else self._before[reader]
        return self.is_before(node, reader) and bool(known & self._bit[node])

    def joined(self, merge: str) -> dict[str, bool]:
        """The nodes that a merge joins, in the order of the edges, and whether each surely ran."""
        sources = [edge.source for edge in self.graph.edges_into(merge) if self.graph.brings(edge)]
        return {name: self.cycle is None and self.surely_ran(name, merge) for name in sources}

    def surely_begun(self) -> list[str]:
        """The nodes that start in every run that completes, whatever becomes of them."""
        begun = _any(self._begun[entry] for entry in self._entries())
        return [node for node in self.order if begun & self._bit[node]]

    def _start(self) -> int:
        known = 0
        for entry in self._entries():
            known |= self._started[entry]
        return known

    def _entries(self) -> list[str]:
        targets = {target for node in self.graph.nodes for target in self.routes.after(node)}
        return [node for node in self.graph.entries() if node not in targets]

    def _look_ahead(self) -> None:
        for node in reversed(self.order):
            spec = self.graph.nodes[node].spec
            follows = [self._started[e.target] for e in self.graph.edges_out_of(node) if e.normal]
            joined = _all(follows) if isinstance(spec, Decision) else _any(follows)
            self._done[node] = self._bit[node] | joined
            failing = [self._started[target] for target in self.routes.after(node)]
            skipped = [0] if spec.on_budget == "skip" else []
            begun = [self._begun[e.target] for e in self.graph.edges_out_of(node) if e.normal]
            succeeded = _all(begun) if isinstance(spec, Decision) else _any(begun)
            failed = [self._begun[target] for target in self.routes.after(node)]
            self._begun[node] = self._bit[node] | _all([succeeded, *failed, *skipped])
            self._started[node] = _all([self._done[node], *failing, *skipped])

    def _look_up(self) -> None:
        above = self._above = dict.fromkeys(self.order, 0)
        for node in self.order:
            passed_on = above[node] | self._bit[node]
            for target in _followers(self.graph, self.routes, node):
                above[target] |= passed_on

    def _look_back(self) -> None:
        start = self._start()
        ways: dict[str, list[int]] = {node: [] for node in self.order}
        for node in self.order:
            before = self._before[node] = start | _all(ways[node])
            chooses = isinstance(self.graph.nodes[node].spec, Decision)
            # What surely started behind a decision depends on the way it took; behind any other node it is `_done`.
            after = before | (self._bit[node] if chooses else self._done[node])
            for edge in self.graph.edges_out_of(node):
                if edge.normal:
                    known = after | self._started[edge.target] if chooses else after
                    ways[edge.target].append(known | self._proven(edge))
            for target in self.routes.after(node):
                ways[target].append(before | self._started[target])

    def _proven(self, edge: Edge) -> int:
        """The nodes that a condition could read because they ran, not because they have a `when_skipped`."""
        there = [node for node in roots(self.proofs.get(edge)) if node in self._bit]
        return _any(self._bit[node] for node in there if self.graph.nodes[node].spec.when_skipped is None)


def _any(sets: Iterable[int]) -> int:
    known = 0
    for each in sets:
        known |= each
    return known


def _all(sets: list[int]) -> int:
    if not sets:
        return 0
    known = sets[0]
    for each in sets[1:]:
        known &= each
    return known


def _ordered(graph: Graph, routes: Routes) -> tuple[list[str], list[str] | None]:
    """Topological order, ties by name; or a cycle, from its first node back to it."""
    follows = {node: _followers(graph, routes, node) for node in graph.nodes}
    waits = dict.fromkeys(graph.nodes, 0)
    for targets in follows.values():
        for target in targets:
            waits[target] += 1
    ready = [node for node, count in waits.items() if not count]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for target in follows[node]:
            waits[target] -= 1
            if not waits[target]:
                heapq.heappush(ready, target)
    if len(order) == len(follows):
        return order, None
    return order, _cycle({node: [t for t in follows[node] if waits[t]] for node in follows if waits[node]})


def _followers(graph: Graph, routes: Routes, node: str) -> list[str]:
    normal = [edge.target for edge in graph.edges_out_of(node) if edge.normal]
    return list(dict.fromkeys([*normal, *routes.after(node)]))


def _cycle(follows: dict[str, list[str]]) -> list[str]:
    """One cycle of what is left when everything that can be ordered is taken away."""
    into: dict[str, str] = {}
    for node in sorted(follows):
        for target in follows[node]:
            into.setdefault(target, node)
    # Every node left has a way in from another one left, so walking backwards must meet itself.
    path = [min(into)]
    while into[path[-1]] not in path:
        path.append(into[path[-1]])
    loop = path[path.index(into[path[-1]]) :]
    loop.reverse()
    first = loop.index(min(loop))
    loop = loop[first:] + loop[:first]
    return [*loop, loop[0]]
