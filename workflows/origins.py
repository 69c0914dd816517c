"""Going on from another run: its walk, as it stood before some nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workflows.cursor import Topology


def before(topology: Topology, walk: dict[str, Any], nodes: Iterable[str]) -> dict[str, Any]:
    """A dumped walk without these nodes and all that comes after them; what is left has run, and does not run again."""
    again = _after(topology, nodes)
    cursor, inside = walk["cursor"], walk["inside"]
    left = {state: [node for node in cursor[state] if node not in again] for state in ("done", "failed", "skipped")}
    settled = {node for nodes in left.values() for node in nodes}
    return {
        "cursor": {**left, "taken": {node: to for node, to in cursor["taken"].items() if node in settled}},
        "outputs": {node: output for node, output in walk["outputs"].items() if node not in again},
        "errors": {node: error for node, error in walk["errors"].items() if error["node"] in settled},
        "inside": _inside({node: each for node, each in inside.items() if node not in again}),
        "said": {agent: _still(said, again) for agent, said in walk.get("said", {}).items()},
    }


def _still(said: dict[str, str], again: set[str]) -> dict[str, str]:
    """What an agent said at nodes that do not run again."""
    return {path: transcript for path, transcript in said.items() if path.split("/")[0] not in again}


def _after(topology: Topology, nodes: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += topology.targets(node)
    return found


def _inside(inside: dict[str, Any]) -> dict[str, Any]:
    """What is kept of maps and loops; gates and waits, whose times have gone by, begin again."""
    return {node: {**each, "bodies": _bodies(each["bodies"])} for node, each in inside.items() if "bodies" in each}


def _bodies(bodies: dict[str, Any]) -> dict[str, Any]:
    return {key: {**walk, "inside": _inside(walk["inside"])} for key, walk in bodies.items()}
