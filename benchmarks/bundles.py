"""Bundles of any size, in the mix that people write: values, tools, agents, choices and meetings of branches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

API = "haulage/v1"
INPUT = {
    "type": "object",
    "required": ["goal", "items"],
    "properties": {"goal": {"type": "string"}, "items": {"type": "array", "items": {"type": "string"}}},
}
AGENTS = {"writer": {"model": "small", "prompt": {"text": "Write about {{ topic }}."}}}
MODELS = {"small": {"provider": "scripted", "model": "small", "context": 32_768}}
TOOLS = {
    "title": {"uses": "text.case", "effect": "pure", "risk": "low"},
    "read": {
        "uses": "filesystem.read_file",
        "effect": "pure",
        "risk": "low",
        "permissions": {"filesystem": {"read": ["workspace"]}},
    },
}
STEP = 10


def write(folder: Path, size: int) -> Path:
    """A bundle of so many nodes, a multiple of ten."""
    nodes: dict[str, Any] = {}
    edges: list[Any] = []
    for start in range(0, size, STEP):
        _step(start, nodes, edges)
    workflow = {"name": f"bench-{size}", "input": INPUT, "output": f"${{n{size - 1}}}", "nodes": nodes, "edges": edges}
    parts = {"agents": AGENTS, "models": MODELS, "tools": TOOLS}
    folder.mkdir(parents=True)
    _save(folder / "workflow.yaml", workflow)
    for kind, entries in parts.items():
        _save(folder / f"{kind}.yaml", {kind: entries})
    return folder


def _step(start: int, nodes: dict[str, Any], edges: list[Any]) -> None:
    first, tool, agent, choice, left, right, chosen, one, two, last = (f"n{start + place}" for place in range(STEP))
    count = f"n{start - 1}.count + 1" if start else "size(input.items)"
    nodes |= {
        first: {"transform": {"text": "${input.goal} again", "count": f"${{{count}}}"}},
        tool: {"tool": "title", "with": {"text": f"${{{first}.text}}", "to": "title"}, "timeout": "10s"},
        agent: {"agent": "writer", "with": {"topic": f"${{{tool}.text}}"}, "retry": {"attempts": 3, "initial": "1s"}},
        choice: {"decision": {}},
        left: {"transform": {"text": f"${{{agent}.text}}", "long": True}},
        right: {"tool": "read", "with": {"path": f"${{{tool}.text}}"}},
        chosen: {"merge": "first"},
        one: {"transform": {"size": f"${{size({agent}.text)}}"}},
        two: {"transform": {"parts": f"${{has({right}.text) ? [{right}.text] : []}}"}},
        last: {"transform": {"count": f"${{{first}.count}}", "text": f"${{{chosen}.text}} of ${{string({one}.size)}}"}},
    }
    edges += [
        f"{first} -> {tool} -> {agent} -> {choice}",
        {"from": choice, "to": left, "when": f"size({agent}.text) > 100 && {first}.count < 50"},
        {"from": choice, "to": right, "else": True},
        f"{left} -> {chosen}",
        f"{right} -> {chosen} -> {one} -> {two} -> {last}",
        *([f"n{start - 1} -> {first}"] if start else []),
    ]


def _save(path: Path, data: dict[str, Any]) -> None:
    """Block style, a line for each node and edge, as an author's editor would have it."""
    lines = [f"apiVersion: {API}"]
    for key, value in data.items():
        if isinstance(value, dict) and key != "input":
            lines += [f"{key}:", *(f"  {name}: {json.dumps(each)}" for name, each in value.items())]
        elif isinstance(value, list):
            lines += [f"{key}:", *(f"  - {json.dumps(each)}" for each in value)]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
