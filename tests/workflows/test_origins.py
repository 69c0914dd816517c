"""A walk as it stood before some nodes: whatever had happened, it can be taken up, and the rest is kept."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from manifests.plan import Edge, Ways
from workflows.cursor import Cursor, Topology
from workflows.origins import before


def ways(count: int, pairs: list[tuple[int, int]], rescues: list[tuple[int, int]]) -> Ways:
    """Edges and rescues lead forwards only, and no node has both to the same one."""
    names = [f"n{place}" for place in range(count)]
    forwards = dict.fromkeys((min(p) % count, max(p) % count) for p in pairs)
    edges = [Edge(source=names[one], target=names[two]) for one, two in forwards if one < two]
    failures = {
        names[one]: {"tool": names[two]}
        for one, two in ((min(p) % count, max(p) % count) for p in rescues)
        if one < two and (one, two) not in forwards
    }
    return Ways(nodes=names, edges=edges, failures=failures)


PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14)


@given(st.integers(2, 8), PAIRS, PAIRS, st.lists(st.sampled_from("dfs"), max_size=8), st.integers(0, 7))
def test_what_does_not_come_after_the_node_stays_as_it_was(
    count: int, pairs: list[tuple[int, int]], rescues: list[tuple[int, int]], fates: list[str], start: int
) -> None:
    topology = Topology(ways(count, pairs, rescues))
    cursor = Cursor(topology)
    for fate in fates:
        node = cursor.start()
        if node is None:
            break
        if fate == "f" and topology.rescues.get(node):
            cursor.fail(node, topology.rescues[node][0])
        elif fate == "s":
            cursor.skip(node)
        else:
            cursor.complete(node)
    walk = {"cursor": cursor.dump(), "outputs": dict.fromkeys(cursor.path, 1), "errors": {}, "inside": {}}
    name = topology.nodes[start % count]
    left = before(topology, json.loads(json.dumps(walk)), [name])
    again = Cursor.load(topology, left["cursor"])
    assert again.state[name] in ("waiting", "skipped")
    after = {name}
    for node in topology.nodes:
        if node in after:
            after.update(topology.targets(node))
            assert node not in left["outputs"]
        else:
            settled = cursor.state[node] in ("done", "failed", "skipped")
            assert again.state[node] == (cursor.state[node] if settled else "waiting")
    while (node := again.start()) is not None:
        again.complete(node)
    assert again.finished


def test_items_and_rounds_are_kept_and_gates_in_them_are_asked_anew() -> None:
    topology = Topology(Ways(nodes=["each", "gate"], edges=[]))
    body: dict[str, Any] = {
        "cursor": {"done": ["a"], "failed": [], "skipped": [], "taken": {}},
        "outputs": {"a": 1},
        "errors": {},
        "inside": {"asked": {"until": "2020-01-01T00:00:00+00:00"}},
    }
    walk = {
        "cursor": {"done": [], "failed": [], "skipped": [], "taken": {}},
        "outputs": {},
        "errors": {},
        "inside": {"each": {"results": {"0": [{"ok": 1}]}, "bodies": {"1": body}}, "gate": {"until": "2020"}},
    }
    left = before(topology, walk, [])
    assert left["inside"] == {"each": {"results": {"0": [{"ok": 1}]}, "bodies": {"1": {**body, "inside": {}}}}}
    assert before(topology, walk, ["each"])["inside"] == {}


def test_what_was_said_at_nodes_that_run_again_is_forgotten() -> None:
    topology = Topology(ways(3, [(0, 1), (1, 2)], []))
    walk = {"cursor": Cursor(topology).dump(), "outputs": {}, "errors": {}, "inside": {}}
    walk["said"] = {"ann": {"n0": "a", "n1/deep": "b"}, "bob": {"n2": "c"}}
    assert before(topology, walk, ["n1"])["said"] == {"ann": {"n0": "a"}, "bob": {}}
