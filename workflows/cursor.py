"""Where a walk through one graph stands: which nodes ran, which wait, which never will. Plain data, no Temporal."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from manifests.plan import Edge, Ways

State: TypeAlias = Literal["waiting", "running", "done", "failed", "skipped"]


class Topology:
    """What never changes about a graph, made once for all the walks through it."""

    def __init__(self, ways: Ways) -> None:
        self.nodes = tuple(ways.nodes)
        self.place = {node: place for place, node in enumerate(self.nodes)}
        self.edges: dict[str, list[Edge]] = {node: [] for node in self.nodes}
        for edge in ways.edges:
            self.edges[edge.source].append(edge)
        self.routes = ways.failures
        self.rescues = {node: tuple(dict.fromkeys(routes.values())) for node, routes in ways.failures.items()}
        self.ways_in = dict.fromkeys(self.nodes, 0)
        for node in self.nodes:
            for target in self.targets(node):
                self.ways_in[target] += 1
        self.entries = tuple(node for node in self.nodes if not self.ways_in[node])
        self.sources: dict[str, list[str]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for edge in self.edges[node]:
                self.sources[edge.target].append(node)

    def targets(self, node: str) -> Iterable[str]:
        """The end of every way out: of each edge, then of each rescue."""
        yield from (edge.target for edge in self.edges[node])
        yield from self.rescues.get(node, ())


class Cursor:
    """A node runs when all its ways in are settled and at least one of them is live."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.state: dict[str, State] = dict.fromkeys(topology.nodes, "waiting")
        self.taken: dict[str, list[str]] = {}
        self.fresh: list[str] = []
        self._waits = dict(topology.ways_in)
        self._live: set[str] = set()
        self._ready = [topology.place[node] for node in topology.entries]
        self._dead: list[str] = []
        self._open = len(topology.nodes)
        self._running = 0
        heapq.heapify(self._ready)

    @property
    def finished(self) -> bool:
        return not self._open

    @property
    def path(self) -> list[str]:
        """The nodes that completed, in plan order: what ran side by side has no other order that is always the same."""
        return [node for node, state in self.state.items() if state == "done"]

    @property
    def stalled(self) -> bool:
        """Nothing runs, nothing can start, and yet something is left: a bug, or a plan that nobody checked."""
        return bool(self._open) and not self._running and not self._ready

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def start(self) -> str | None:
        """The next node that may run, in plan order; it counts as running from now on."""
        if not self._ready:
            return None
        node = self.topology.nodes[heapq.heappop(self._ready)]
        self.state[node] = "running"
        self._running += 1
        return node

    def begin(self, node: str) -> None:
        """Starts this very node, which must be ready."""
        self._ready.remove(self.topology.place[node])
        heapq.heapify(self._ready)
        self.state[node] = "running"
        self._running += 1

    def complete(self, node: str, chosen: list[str] | None = None) -> None:
        """`chosen` are the targets that a decision takes; any other node takes all its edges."""
        if chosen is not None:
            self.taken[node] = chosen
        live = [edge.target for edge in self.topology.edges[node]] if chosen is None else chosen
        self._settle(node, "done", live, self.topology.rescues.get(node, ()))

    def fail(self, node: str, rescue: str) -> None:
        """The node failed, and `rescue` takes over."""
        self.taken[node] = [rescue]
        self._settle(node, "failed", (), [target for target in self.topology.rescues[node] if target != rescue])
        self._arrive(rescue, True)
        self._spread()

    def give_up(self, node: str) -> None:
        """The node failed and nothing takes over, so nothing follows."""
        self.state[node] = "failed"
        self._running -= 1

    def skip(self, node: str) -> None:
        self._settle(node, "skipped", (), self.topology.rescues.get(node, ()))

    def _settle(self, node: str, state: State, live: Iterable[str], dead: Iterable[str]) -> None:
        self._leave(node, state)
        if state == "skipped":
            self.fresh.append(node)
        alive = set(live)
        for edge in self.topology.edges[node]:
            self._arrive(edge.target, edge.target in alive)
        for target in dead:
            self._arrive(target, False)
        self._spread()

    def _leave(self, node: str, state: State) -> None:
        if self.state[node] == "running":
            self._running -= 1
        self.state[node] = state
        self._open -= 1

    def _arrive(self, node: str, live: bool) -> None:
        self._waits[node] -= 1
        if live:
            self._live.add(node)
        if self._waits[node]:
            return
        if node in self._live:
            heapq.heappush(self._ready, self.topology.place[node])
        else:
            self._dead.append(node)

    def _spread(self) -> None:
        """Nodes with only dead ways in are skipped, and so is what only they lead to."""
        while self._dead:
            node = self._dead.pop(0)
            self._leave(node, "skipped")
            self.fresh.append(node)
            for target in self.topology.targets(node):
                self._arrive(target, False)

    def newly_skipped(self) -> list[str]:
        """Those that were skipped since this was last asked."""
        fresh, self.fresh = self.fresh, []
        return fresh

    # --- across continue-as-new

    def dump(self) -> dict[str, Any]:
        """What has happened, without what follows from it; running nodes are to be started again."""
        return {
            "done": self.path,
            "failed": [node for node in self.topology.nodes if self.state[node] == "failed" and node in self.taken],
            "skipped": [node for node in self.topology.nodes if self.state[node] == "skipped"],
            "taken": self.taken,
        }

    @classmethod
    def load(cls, topology: Topology, data: dict[str, Any]) -> Cursor:
        cursor = cls(topology)
        done, failed, skipped = set(data["done"]), set(data["failed"]), set(data["skipped"])
        for node in topology.nodes:
            if node in done:
                cursor.begin(node)
                cursor.complete(node, data["taken"].get(node))
            elif node in failed:
                cursor.begin(node)
                cursor.fail(node, data["taken"][node][0])
            elif node in skipped and cursor.state[node] != "skipped":
                cursor.begin(node)
                cursor.skip(node)
        return cursor
