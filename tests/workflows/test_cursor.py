"""The scheduler against a short reference evaluator, over random graphs, outcomes and orders of completion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from manifests.plan import Edge, Ways
from workflows.cursor import Cursor, Topology

CATEGORIES = ["tool", "timeout", "input"]


@dataclass(frozen=True)
class Outcome:
    """What becomes of a node if it runs: `done` along all edges or some, `failed` in a category, or `skipped`."""

    how: str
    chosen: tuple[str, ...] | None = None
    category: str = ""


@dataclass(frozen=True)
class Case:
    ways: Ways
    outcomes: dict[str, Outcome]
    seed: int


@st.composite
def cases(draw: st.DrawFn, unhandled: bool = False) -> Case:
    """A graph in plan order: edges and failure routes lead forwards, and a way may stand twice, as in a pipeline."""
    chance = Random(draw(st.integers(0, 2**32)))
    nodes = [f"{chance.choice('zka')}{place}" for place in range(draw(st.integers(1, 12)))]
    edges: list[Edge] = []
    failures: dict[str, dict[str, str]] = {}
    for place, source in enumerate(nodes):
        later = nodes[place + 1 :]
        targets = chance.choices(later, k=chance.randint(0, 3)) if later else []
        edges += [Edge(source=source, target=target) for target in targets]
        if later and chance.random() < 0.4:
            categories = chance.sample(CATEGORIES, chance.randint(1, 3))
            failures[source] = {category: chance.choice(later) for category in categories}
    ways = Ways(nodes=nodes, edges=edges, failures=failures)
    return Case(ways, {node: _outcome(chance, ways, node, unhandled) for node in nodes}, chance.randint(0, 2**32))


def _outcome(chance: Random, ways: Ways, node: str, unhandled: bool) -> Outcome:
    targets = list(dict.fromkeys(edge.target for edge in ways.edges if edge.source == node))
    roll = chance.random()
    if roll < 0.1:
        return Outcome("skipped")
    if roll < 0.4 and node in ways.failures:
        return Outcome("failed", category=chance.choice(list(ways.failures[node])))
    if unhandled and roll < 0.5:
        return Outcome("failed", category="engine")
    if targets and roll < 0.7:
        return Outcome("done", chosen=tuple(chance.sample(targets, chance.randint(1, len(targets)))))
    return Outcome("done")


def reference(case: Case) -> dict[str, str]:
    """The state that every node ends in, by the rules of the language and node by node in plan order."""
    live: set[str] = set()
    state: dict[str, str] = {}
    for node in case.ways.nodes:
        starts = not any(node in _ends(case.ways, source) for source in case.ways.nodes)
        outcome = case.outcomes[node]
        state[node] = outcome.how if starts or node in live else "skipped"
        if state[node] == "failed" and (rescue := _rescue(case.ways, node, outcome)):
            live.add(rescue)
        if state[node] == "done":
            edges = [edge.target for edge in case.ways.edges if edge.source == node]
            live.update(edges if outcome.chosen is None else outcome.chosen)
    return state


def _ends(ways: Ways, source: str) -> set[str]:
    return {edge.target for edge in ways.edges if edge.source == source} | set(ways.failures.get(source, {}).values())


def _rescue(ways: Ways, node: str, outcome: Outcome) -> str | None:
    return ways.failures.get(node, {}).get(outcome.category)


class Drive:
    """Carries a case out as a run does: starts what is ready, and ends one running node after the other by chance."""

    def __init__(self, case: Case, *, hands_on: float = 0.0) -> None:
        self.case = case
        self.topology = Topology(case.ways)
        self.cursor = Cursor(self.topology)
        self.chance = Random(case.seed)
        self.hands_on = hands_on
        self.running: list[str] = []
        self.started: list[str] = []
        self.skipped: list[str] = []
        self.failure: str | None = None

    def go(self) -> Drive:
        while not self.cursor.finished and self.failure is None:
            assert not self.cursor.stalled, self.cursor.state
            if self.chance.random() < self.hands_on:
                self._hand_on()
            elif self.cursor.has_ready and (not self.running or self.chance.random() < 0.6):
                self._start()
            else:
                self._end(self.running.pop(self.chance.randrange(len(self.running))))
                self.skipped += self.cursor.newly_skipped()
        return self

    def _start(self) -> None:
        ready = self._ready()
        node = self.cursor.start()
        assert node == ready[0], "the first in plan order starts"
        self.running.append(node)
        self.started.append(node)

    def _ready(self) -> list[str]:
        """By the rules: it waits, every node before it has settled, and one of them led to it."""
        state = self.cursor.state
        sources = {
            node: [source for source in self.topology.nodes if node in _ends(self.case.ways, source)] for node in state
        }
        return [
            node
            for node in self.topology.nodes
            if state[node] == "waiting" and all(state[source] not in ("waiting", "running") for source in sources[node])
        ]

    def _end(self, node: str) -> None:
        outcome = self.case.outcomes[node]
        match outcome.how:
            case "done":
                self.cursor.complete(node, None if outcome.chosen is None else list(outcome.chosen))
            case "skipped":
                self.cursor.skip(node)
            case "failed":
                rescue = _rescue(self.case.ways, node, outcome)
                if rescue is None:
                    self.failure = node
                else:
                    self.cursor.fail(node, rescue)

    def _hand_on(self) -> None:
        """To an heir, through JSON; what was running is started again."""
        before = dict(self.cursor.state)
        saved = json.loads(json.dumps(self.cursor.dump()))
        path = list(self.cursor.path)
        self.cursor = Cursor.load(self.topology, saved)
        assert self.cursor.path == path
        assert self.cursor.state == {node: _again(state) for node, state in before.items()}
        assert json.loads(json.dumps(self.cursor.dump())) == saved
        self.running.clear()
        self.cursor.newly_skipped()


def _again(state: str) -> str:
    return "waiting" if state == "running" else state


@given(cases())
def test_every_node_ends_as_the_rules_say(case: Case) -> None:
    drive = Drive(case).go()
    expected = reference(case)
    assert drive.cursor.state == expected
    assert sorted(drive.cursor.path) == sorted(node for node, state in expected.items() if state == "done")
    assert len(drive.started) == len(set(drive.started))
    assert sorted(drive.skipped) == sorted(node for node, state in expected.items() if state == "skipped")
    assert not drive.cursor.has_ready
    assert not drive.cursor.stalled


@given(cases(), st.integers(0, 2**32))
def test_the_order_of_completion_changes_nothing(case: Case, seed: int) -> None:
    one, other = Drive(case).go(), Drive(Case(case.ways, case.outcomes, seed)).go()
    assert one.cursor.state == other.cursor.state
    assert set(one.cursor.path) == set(other.cursor.path)
    assert one.cursor.taken == other.cursor.taken


@given(cases())
def test_handing_on_at_any_point_changes_nothing(case: Case) -> None:
    assert Drive(case, hands_on=0.3).go().cursor.state == reference(case)


@given(cases(unhandled=True))
def test_a_failure_without_a_way_out_ends_the_walk_and_no_other_does(case: Case) -> None:
    drive = Drive(case).go()
    expected = reference(case)
    loose = {
        node
        for node, state in expected.items()
        if state == "failed" and _rescue(case.ways, node, case.outcomes[node]) is None
    }
    assert (drive.failure is not None) == bool(loose)
    assert drive.failure is None or drive.failure in loose
    settled = {node: state for node, state in drive.cursor.state.items() if state not in ("waiting", "running")}
    assert settled.items() <= expected.items()


@given(cases(), st.randoms())
def test_a_node_that_is_begun_by_name_counts_like_one_that_starts_in_turn(case: Case, chance: Random) -> None:
    drive = Drive(case)
    while not drive.cursor.finished:
        ready = drive._ready()
        node = chance.choice(ready)
        drive.cursor.begin(node)
        assert drive.cursor.state[node] == "running"
        drive._end(node)
    assert drive.cursor.state == reference(case)
    assert drive.cursor.start() is None


def test_a_walk_in_which_nothing_can_go_on_is_stalled() -> None:
    ways = Ways(nodes=["a", "b"], edges=[Edge(source="a", target="b"), Edge(source="b", target="a")])
    cursor = Cursor(Topology(ways))
    assert cursor.stalled
    assert cursor.start() is None
    assert not cursor.finished


def test_a_running_node_is_no_stall_and_skips_are_told_once() -> None:
    edges: list[Any] = [Edge(source="a", target="b"), Edge(source="a", target="c")]
    cursor = Cursor(Topology(Ways(nodes=["a", "b", "c"], edges=edges)))
    assert cursor.start() == "a"
    assert not cursor.stalled
    cursor.complete("a", ["c"])
    assert cursor.newly_skipped() == ["b"]
    assert cursor.newly_skipped() == []
    assert cursor.start() == "c"
