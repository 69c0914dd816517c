"""What the flow says will surely have happened is checked against every run that a small graph can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.bundle import Defined
from manifests.draft import Edge, Graph, drawn
from manifests.expressions.guards import Facts
from manifests.failures import Routes, routes
from manifests.flow import Flow
from manifests.knowledge import Knowledge
from manifests.shape.pipelines import Fallback
from manifests.shape.workflow import Body, Decision
from manifests.source import Source

Run = dict[str, str]
Proofs = dict[Edge, frozenset[str]]
AT = Source("workflow.yaml", "").place
KINDS: list[dict[str, Any]] = [
    {"transform": 1},
    {"tool": "t"},
    {"tool": "t", "on_budget": "skip"},
    {"agent": "a"},
    {"decision": {}},
    {"decision": {"many": True}},
]
COMPLETED, SKIPPED, SPARED, FAILED, WAITING = "completed", "skipped", "spared", "failed", "waiting"


class World:
    """A small graph without circles, its failure routes, and what the conditions of its edges prove."""

    def __init__(self, seed: int, size: int) -> None:
        chance = Random(seed)
        names = chance.sample("abcdef", size)
        nodes = {name: dict(chance.choice(KINDS)) for name in sorted(names)}
        edges = list(_edges(names, nodes, chance))
        problems: list[Any] = []
        self.graph = drawn(Body.model_validate({"nodes": nodes, "edges": edges}), AT, problems, None)
        assert problems == []
        later = chance.sample(names, 1) if chance.random() < 0.3 else []
        cells = [_cell(names[0] if name != names[0] else names[-1], name) for name in later]
        self.routes = routes(self.graph, cells)
        self.proves: Proofs = {}
        plain = Flow(self.graph, self.routes)
        if plain.cycle is None:
            for edge in self.graph.edges:
                before = [name for name in plain.order if plain.is_before(name, edge.source)]
                if edge.when and before and chance.random() < 0.3:
                    self.proves[edge] = frozenset({chance.choice(before)})
        self.flow = Flow(self.graph, self.routes, {edge: facts(names) for edge, names in self.proves.items()})


def facts(names: frozenset[str], what: Literal["present", "set"] = "present") -> Facts:
    return frozenset((what, (name,)) for name in names)


def _edges(names: list[str], nodes: Mapping[str, dict[str, Any]], chance: Random) -> Iterator[dict[str, Any]]:
    for place, source in enumerate(names):
        targets = [name for name in names[place + 1 :] if chance.random() < 0.45]
        for number, target in enumerate(targets):
            edge: dict[str, Any] = {"from": source, "to": target}
            kind = chance.random()
            if kind < 0.25:
                edge["on"] = chance.choice(["error", ["input"], ["timeout", "input"], "engine"])
            elif "decision" in nodes[source]:
                edge |= {"else": True} if number == 0 else {"when": "true"}
            yield edge


def _cell(node: str, to: str) -> Defined[Fallback]:
    return Defined(Fallback.model_validate({"category": "error", "node": node, "to": to}), AT, Path())


# --- every run there is


def runs(graph: Graph, found: Routes, proves: Proofs, order: list[str]) -> Iterator[Run]:
    """What becomes of each node, in every combination of choices, failures and budgets."""
    yield from _continued(graph, found, proves, order, {}, {})


def _continued(
    graph: Graph, found: Routes, proves: Proofs, order: list[str], run: Run, live: dict[tuple[str, str], bool]
) -> Iterator[Run]:
    if len(run) == len(order):
        yield run
        return
    node = order[len(run)]
    into = {edge.source for edge in graph.edges_into(node) if edge.normal}
    into |= {source for source in graph.nodes if node in found.after(source)}
    if any(run[source] == WAITING for source in into):
        states: list[tuple[str, set[str]]] = [(WAITING, set())]
    elif into and not any(live[source, node] for source in into):
        states = [(SKIPPED, set())]
    else:
        states = list(_outcomes(graph, found, proves, node, run))
    for state, targets in states:
        reached = {(node, target): target in targets for target in graph.nodes}
        yield from _continued(graph, found, proves, order, {**run, node: state}, {**live, **reached})


def _outcomes(graph: Graph, found: Routes, proves: Proofs, node: str, run: Run) -> Iterator[tuple[str, set[str]]]:
    """How a node can end once it has started, and where that leads."""
    normal = [edge for edge in graph.edges_out_of(node) if edge.normal]
    spec = graph.nodes[node].spec
    if isinstance(spec, Decision) and normal:
        here = {**run, node: COMPLETED}
        true = [e for e in normal if e.when and all(here.get(name) == COMPLETED for name in proves.get(e, ()))]
        most = len(true) if spec.decision.many else 1
        for count in range(1, most + 1):
            for taken in combinations(true, count):
                yield COMPLETED, {edge.target for edge in taken}
        if any(edge.otherwise for edge in normal):
            yield COMPLETED, {edge.target for edge in normal if edge.otherwise}
    else:
        yield COMPLETED, {edge.target for edge in normal}
    for target in found.after(node):
        yield FAILED, {target}
    if spec.on_budget == "skip":
        yield SPARED, set()
    # Nothing handles it: the run ends, and what waits for this node waits for ever.
    yield WAITING, set()


def started(run: Run, node: str) -> bool:
    """Whether the node came to its turn; one that is spared for want of money did."""
    return run[node] in (COMPLETED, FAILED, SPARED)


def assert_sound(graph: Graph, found: Routes, flow: Flow, proves: Proofs) -> None:
    every = list(runs(graph, found, proves, flow.order))
    for reader in graph.nodes:
        for node in graph.nodes:
            if flow.surely_ran(node, reader):
                wrong = [run for run in every if started(run, reader) and run[node] != COMPLETED]
                assert not wrong, (node, reader, wrong[0])
    whole = [run for run in every if WAITING not in run.values()]
    for node in graph.nodes:
        if flow.surely_ran(node, None):
            assert all(run[node] == COMPLETED for run in whole), node
    for node in flow.surely_begun():
        assert all(started(run, node) for run in whole), node


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_what_surely_ran_ran_in_every_run(seed: int, size: int) -> None:
    world = World(seed, size)
    if world.flow.cycle is None:
        assert_sound(world.graph, world.routes, world.flow, world.proves)


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_what_conditions_prove_holds_wherever_it_is_known(seed: int, size: int) -> None:
    """Here an edge proves something of a node's output, and is taken only where that node completed."""
    world = World(seed, size)
    if world.flow.cycle is None:
        proofs = {edge: facts(names, "set") for edge, names in world.proves.items()}
        knowledge = Knowledge()
        known = knowledge.before(Flow(world.graph, world.routes, proofs), 0)
        every = list(runs(world.graph, world.routes, world.proves, world.flow.order))
        for reader, name in product(world.graph.nodes, repeat=2):
            if knowledge.facts(known[reader], name):
                assert all(run[name] == COMPLETED for run in every if started(run, reader)), (reader, name)


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_what_is_before_leads_there(seed: int, size: int) -> None:
    world = World(seed, size)
    if world.flow.cycle is None:
        for reader in world.graph.nodes:
            above = {node for node in world.graph.nodes if world.flow.is_before(node, reader)}
            assert above == ancestors(world.graph, world.routes, reader)


def ancestors(graph: Graph, found: Routes, node: str) -> set[str]:
    into = {edge.source for edge in graph.edges_into(node) if edge.normal}
    into |= {source for source in graph.nodes if node in found.after(source)}
    return into.union(*(ancestors(graph, found, source) for source in into))


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_an_order_has_every_node_behind_what_it_waits_for(seed: int, size: int) -> None:
    world = World(seed, size)
    if world.flow.cycle is None:
        assert sorted(world.flow.order) == sorted(world.graph.nodes)
        for place, node in enumerate(world.flow.order):
            assert ancestors(world.graph, world.routes, node) <= set(world.flow.order[:place])


@given(st.integers(0, 2**32))
def test_a_circle_is_one(seed: int) -> None:
    chance = Random(seed)
    nodes = {name: {"transform": 1} for name in "abcde"}
    edges = [f"{source} -> {target}" for source in nodes for target in nodes if chance.random() < 0.25]
    graph = drawn(Body.model_validate({"nodes": nodes, "edges": edges}), AT, [], None)
    flow = Flow(graph, routes(graph, []))
    if flow.cycle:
        pairs = {(edge.source, edge.target) for edge in graph.edges}
        assert flow.cycle[0] == flow.cycle[-1]
        assert set(zip(flow.cycle, flow.cycle[1:], strict=False)) <= pairs
    else:
        assert not any(node in ancestors(graph, Routes(), node) for node in graph.nodes)


# --- pipelines


def paths_over(graph: Graph, left_out: set[str], source: str, target: str) -> bool:
    """Whether an edge leads from one node to the other, directly or over nodes that are left out."""
    waiting = [edge.target for edge in graph.edges_out_of(source)]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node == target:
            return True
        if node in left_out and node not in seen:
            seen.add(node)
            waiting += [edge.target for edge in graph.edges_out_of(node) if edge.normal]
    return False


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 6), st.sets(st.sampled_from("abcdef")))
def test_a_pipeline_steps_over_what_it_leaves_out(seed: int, size: int, some: set[str]) -> None:
    world = World(seed, size)
    left_out = some & set(world.graph.nodes)
    rest = world.graph.without(left_out, "p")
    lost = world.graph.nodes.keys() - left_out - rest.nodes.keys()
    assert list(rest.nodes) == [name for name in world.graph.nodes if name not in left_out | lost]
    for node in world.graph.nodes.keys() - left_out:
        dead = [e.source in lost or (e.source in left_out and bool(e.on)) for e in world.graph.edges_into(node)]
        assert (node in lost) == (dead != [] and all(dead))
    led = {(edge.source, edge.target) for edge in rest.edges}
    pairs = ((source, target) for source in rest.nodes for target in rest.nodes)
    assert led == {pair for pair in pairs if paths_over(world.graph, left_out, *pair)}
    assert len(set(map(said, rest.edges))) == len(rest.edges)
    found = routes(rest, [])
    flow = Flow(rest, found)
    if flow.cycle is None:
        assert_sound(rest, found, flow, {})


def said(edge: Edge) -> tuple[Any, ...]:
    return edge.source, edge.target, edge.when, edge.otherwise, edge.on


@given(st.integers(0, 2**32), st.integers(1, 6), st.sets(st.sampled_from("abcdef")))
def test_leaving_nodes_out_at_once_or_one_by_one_is_the_same(seed: int, size: int, some: set[str]) -> None:
    graph = World(seed, size).graph
    rest = graph
    for node in sorted(some & set(graph.nodes)):
        rest = rest.without({node}, "p")
    assert set(map(said, rest.edges)) == set(map(said, graph.without(some, "p").edges))


# --- the flow is not merely careful


@pytest.mark.parametrize(
    ("edges", "sure"),
    [
        (["a -> b", "b -> c"], "ab"),
        (["a -> b", "a -> d", "d -> c", "b -> c"], "abd"),
        (["a -> b", {"from": "a", "to": "d", "on": "error"}, "b -> c", "d -> c"], ""),
        (["a -> b", "b -> c", {"from": "b", "to": "d", "on": "error"}], "ab"),
        (["a -> b", "b -> c", {"from": "b", "to": "d", "on": "error"}, "d -> c"], "a"),
    ],
)
def test_what_everyone_sees_is_seen(edges: list[Any], sure: str) -> None:
    nodes = {name: {"tool": "t"} for name in "abcd"}
    graph = drawn(Body.model_validate({"nodes": nodes, "edges": edges}), AT, [], None)
    flow = Flow(graph, routes(graph, []))
    assert [node for node in "abd" if flow.surely_ran(node, "c")] == list(sure)
