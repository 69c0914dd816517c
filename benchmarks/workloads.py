"""The same work twice: as a bundle, and as a workflow that somebody wrote by hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow

API = "haulage/v1"
TOOLS = {"shout": {"uses": "text.case", "effect": "pure", "risk": "low"}}
STEP = {"text": "a", "to": "upper"}
QUEUE = "bench-tools"


@dataclass
class Say:
    text: str
    to: str


@activity.defn(name="shout")
async def shout(request: Say) -> dict[str, str]:
    return {"text": request.text.upper()}


def _times(count: int) -> timedelta:
    return timedelta(seconds=count)


async def _step(queue: str, text: str) -> str:
    given = await workflow.execute_activity(
        shout, Say(text, "upper"), task_queue=queue, start_to_close_timeout=_times(75), heartbeat_timeout=_times(10)
    )
    return given["text"]


async def _local(text: str) -> str:
    given = await workflow.execute_local_activity(shout, Say(text, "upper"), start_to_close_timeout=_times(20))
    return given["text"]


@workflow.defn
class HandWritten:
    """One activity for each step, on a queue or local, in each of the shapes."""

    @workflow.run
    async def run(self, shape: str, size: int, queue: str) -> Any:
        step = _local if queue == "local" else lambda text: _step(queue, text)
        match shape:
            case "chain":
                text = "a"
                for _ in range(size):
                    text = await step("a")
                return text
            case "fan-out":
                return await asyncio.gather(*(step("a") for _ in range(size)))
            case "loop":
                count = 0
                while count < size:
                    await step("a")
                    count += 1
                return count
            case "tree":
                path = []
                for depth in range(size):
                    text = await step("a")
                    path.append("left" if text == "A" and depth % 2 else "right")
                return path
        raise ValueError(shape)


def write(folder: Path, shape: str, size: int, placement: str) -> Path:
    """A bundle of this shape, its steps `queue`d, `local` one by one, `fused`, or `inline`."""
    node: dict[str, Any] = {"transform": {"text": "A"}} if placement == "inline" else {"tool": "shout", "with": STEP}
    if placement == "queue":
        node |= {"queue": QUEUE}
    workflow_file = {"name": f"{shape}-{size}-{placement}", **_SHAPES[shape](size, node)}
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(json.dumps({"apiVersion": API, **workflow_file}), encoding="utf-8")
    (folder / "tools.yaml").write_text(json.dumps({"apiVersion": API, "tools": TOOLS}), encoding="utf-8")
    return folder


def write_waiting(folder: Path) -> None:
    """A bundle whose runs wait for a person."""
    node = {"human": {"ask": "Shall we?", "within": "1h"}}
    said = {"apiVersion": API, "name": "waiting", "nodes": {"gate": node}}
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(json.dumps(said), encoding="utf-8")


def _chain(size: int, node: dict[str, Any]) -> dict[str, Any]:
    nodes = {f"n{place}": node for place in range(size)}
    return {"nodes": nodes, "edges": [" -> ".join(nodes)], "output": f"${{n{size - 1}.text}}"}


def _fan_out(size: int, node: dict[str, Any]) -> dict[str, Any]:
    nodes = {f"n{place}": node for place in range(size)} | {"all": {"merge": "list"}}
    return {
        "nodes": nodes,
        "edges": [f"n{place} -> all" for place in range(size)],
        "limits": {"parallel": min(size, 500)},
    }


def _loop(size: int, node: dict[str, Any]) -> dict[str, Any]:
    loop = {"do": {"nodes": {"step": node}}, "until": f"index >= {size - 1}", "max": size}
    return {"nodes": {"again": {"loop": loop}}}


def _tree(size: int, node: dict[str, Any]) -> dict[str, Any]:
    """A decision behind every step; the two ways meet again before the next one."""
    nodes: dict[str, Any] = {}
    edges: list[Any] = []
    for depth in range(size):
        nodes |= {
            f"step{depth}": node,
            f"choice{depth}": {"decision": {}},
            f"left{depth}": {"transform": {"text": "left"}},
            f"right{depth}": {"transform": {"text": "right"}},
            f"met{depth}": {"merge": "first"},
        }
        edges += [
            f"step{depth} -> choice{depth}",
            {"from": f"choice{depth}", "to": f"left{depth}", "when": f'step{depth}.text == "{"BA"[depth % 2]}"'},
            {"from": f"choice{depth}", "to": f"right{depth}", "else": True},
            f"left{depth} -> met{depth}",
            f"right{depth} -> met{depth}",
            *([f"met{depth - 1} -> step{depth}"] if depth else []),
        ]
    return {"nodes": nodes, "edges": edges, "output": f"${{met{size - 1}.text}}"}


_SHAPES = {"chain": _chain, "fan-out": _fan_out, "loop": _loop, "tree": _tree}
