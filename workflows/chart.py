"""A plan made ready to be walked: what never changes between runs is worked out once for each plan and pipeline."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from manifests import plan as plans
from manifests.packing import carried
from manifests.plan import Plan, Ways
from workflows.cursor import Topology

MOST_PLANS = 256
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Ground:
    """One graph: its nodes by name, its topology, and the chains of local steps that run as one."""

    def __init__(self, graph: plans.Graph, ways: Ways, segments: list[list[str]]) -> None:
        self.graph = graph
        self.nodes = graph.by_id
        self.topology = Topology(ways)
        self.last = [node for node in self.topology.nodes if not self.topology.edges[node]]
        self.segments = {chain[0]: chain for each in segments for chain in self._chains(each)}

    def _chains(self, paths: list[str]) -> list[list[str]]:
        """The parts of a segment that still follow each other when a pipeline has left nodes out."""
        chains: list[list[str]] = [[]]
        by_path = {node.path: node.id for node in self.graph.nodes}
        for path in paths:
            node = by_path.get(path)
            if node is None or node not in self.topology.place or not isinstance(self.nodes[node], plans.Tool):
                chains.append([])
            elif chains[-1] and self.topology.sources[node] != [chains[-1][-1]]:
                chains.append([node])
            else:
                chains[-1].append(node)
        return [chain for chain in chains if len(chain) > 1]


class Chart:
    """Every ground of a plan, the main one as its pipeline has it."""

    def __init__(self, plan: Plan, pipeline: str | None) -> None:
        self.plan = plan
        ways = next((each.ways for each in plan.pipelines if each.name == pipeline), plan.graph.ways)
        heads = {segment[0]: segment for segment in plan.segments}
        self.main = _ground(plan.graph, ways, heads)
        self.final = _ground(plan.final, plan.final.ways, heads) if plan.final else None
        self.bodies: dict[str, Ground] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        for graph in (plan.graph, plan.final):
            for node in graph.walk() if graph else ():
                body = plans.body_of(node)
                if body is not None and not isinstance(node, plans.Planning):
                    self.bodies[node.path] = _ground(body, body.ways, heads)

    def words(self, path: str) -> tuple[str, ...]:
        """Every word in the body of a map: all the names that it could read, and a few that are none."""
        if path not in self._words:
            text = self.bodies[path].graph.model_dump_json() if path in self.bodies else ""
            self._words[path] = tuple(dict.fromkeys(_WORDS.findall(text)))
        return self._words[path]


def _ground(graph: plans.Graph, ways: Ways, heads: dict[str, list[str]]) -> Ground:
    return Ground(graph, ways, [heads[node.path] for node in graph.nodes if node.path in heads])


class Shelf:
    """The plans that this process has seen; they never change, so they are parsed once."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self.fetch: Callable[[str], Plan] | None = None

    def plan(self, sha256: str, data: object = None) -> Plan:
        """The plan of this hash, out of what a run recorded, or fetched by its hash when it was too large for that."""
        if sha256 not in self._plans:
            if data is None:
                assert self.fetch is not None, f"the plan {sha256} is not in the history, and there is no store to ask"
                self._plans[sha256] = self.fetch(sha256)
            else:
                self._plans[sha256] = carried(data)
            while len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        return self._plans[sha256]


SHELF = Shelf()


@lru_cache(maxsize=MOST_PLANS)
def charted(sha256: str, pipeline: str | None) -> Chart:
    """The chart of a plan that is on the shelf."""
    return Chart(SHELF.plan(sha256), pipeline)
