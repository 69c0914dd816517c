"""What a node says about itself below its name."""

from __future__ import annotations

from collections.abc import Iterable

from manifests.plan import (
    Agent,
    Decision,
    Emit,
    Human,
    Loop,
    Map,
    Merge,
    Node,
    Planning,
    Recall,
    Remember,
    Subflow,
    Tool,
    Wait,
)

WORDS = {"human": "gate"}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def caption(node: Node) -> str:
    """The kind of the node and what it runs, as in `agent · planner`."""
    return " · ".join([WORDS.get(node.kind, node.kind), *filter(None, _details(node))])


def remarks(node: Node) -> list[str]:
    """Further lines that a reader of the picture wants."""
    return [node.ask] if isinstance(node, Human) else []


def duration(milliseconds: int) -> str:
    """A length of time in its largest whole unit."""
    for unit, size in _UNITS:
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _details(node: Node) -> Iterable[str | None]:
    match node:
        case Agent():
            return [node.agent]
        case Tool():
            return [node.tool]
        case Decision():
            return ["all that hold" if node.many else None]
        case Merge():
            return [node.policy]
        case Map():
            return [node.workflow, f"over {node.over}", f"{node.concurrency} at once"]
        case Loop():
            return [node.workflow, f"at most {node.most}", f"until {node.until}"]
        case Subflow():
            return [node.workflow]
        case Planning():
            return [f"by {node.agent}", f"at most {node.max_nodes} nodes"]
        case _:
            return _of_the_world(node)


def _of_the_world(node: Node) -> Iterable[str | None]:
    match node:
        case Human():
            return [f"to {node.to}" if node.to else None, f"within {duration(node.within_ms)}"]
        case Wait():
            return [_awaited(node)]
        case Recall():
            return [node.name]
        case Remember():
            return [node.store]
        case Emit():
            return [node.plugin or node.agent or ("run" if node.run is not None else None), node.signal]
        case _:
            return []


def _awaited(node: Wait) -> str | None:
    if node.signal:
        return f"signal {node.signal}"
    if node.for_ms is not None:
        return duration(node.for_ms)
    return f"until {node.until}" if isinstance(node.until, str) else None
