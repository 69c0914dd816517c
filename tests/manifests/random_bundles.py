"""Bundles made up by chance, all of them valid, and the many ways to write the same one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

API = "haulage/v1"
INPUT = {
    "type": "object",
    "required": ["n", "text", "items"],
    "properties": {
        "n": {"type": "integer"},
        "text": {"type": "string"},
        "items": {"type": "array", "items": {"type": "string"}},
    },
}
FIELDS = {"transform": "v", "tool": "text", "agent": "text", "human": "by"}
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

Files = dict[str, Any]


def random_bundle(seed: int, size: int) -> Files:
    """The files of a valid bundle with about `size` pieces of graph, as plain values."""
    chance = Random(seed)
    graph = _Graph(chance, {}, [0], 2)
    last = graph.grow(size)
    workflow = {"apiVersion": API, "name": f"random-{seed}", "input": INPUT, **graph.data(), "output": f"${{{last}}}"}
    if chance.random() < 0.3:
        workflow["finally"] = {"nodes": {"tidied": {"transform": {"v": "${run.id}"}}}}
    return {
        "workflow.yaml": workflow,
        "agents.yaml": {
            "apiVersion": API,
            "agents": {
                "writer": {"model": "scripted", "prompt": {"text": "Write about {{ topic }}."}},
                "critic": {
                    "model": "ladder",
                    "prompt": {"text": "Find fault with {{ topic }}."},
                    "tools": ["title_case"],
                },
            },
        },
        "models.yaml": {
            "apiVersion": API,
            "models": {name: {"provider": "scripted", "model": name} for name in ("scripted", "spare")},
            "routes": {"ladder": {"ladder": ["scripted", "spare"]}},
        },
        "tools.yaml": {
            "apiVersion": API,
            "tools": {
                "title_case": {"uses": "text.case", "description": "Title case.", "effect": "pure", "risk": "low"},
                "read": {
                    "uses": "filesystem.read_file",
                    "effect": "pure",
                    "risk": "low",
                    "permissions": {"filesystem": {"read": ["workspace"]}},
                },
            },
        },
    }


class _Graph:
    """Grows by pieces with one way in and one way out, so that each piece has surely run when the next one starts."""

    def __init__(self, chance: Random, known: dict[str, str | None], count: list[int], depth: int) -> None:
        self._chance = chance
        self._known = known
        self._maybe: dict[str, str] = {}
        self._count = count
        self._depth = depth
        self._nodes: dict[str, Any] = {}
        self._edges: list[Any] = []

    def data(self) -> dict[str, Any]:
        return {"nodes": self._nodes, "edges": self._edges}

    def grow(self, size: int, after: str | None = None) -> str:
        last = after or self._plain(None)
        for _ in range(size):
            pieces = [self._plain, self._fan, self._choice, self._handled, self._map, self._loop]
            weights = (6, 2, 2, 1, 1, 1) if self._depth else (6, 1, 1, 1, 0, 0)
            (piece,) = self._chance.choices(pieces, weights)
            last = piece(last)
        return last

    def _add(self, spec: dict[str, Any], after: str | None = None, word: str = "n") -> str:
        self._count[0] += 1
        name = f"{self._chance.choice('zmkba')}{word}{self._count[0]}"
        self._nodes[name] = spec
        if after:
            self._edges.append(f"{after} -> {name}" if self._chance.random() < 0.5 else {"from": after, "to": name})
        return name

    def _plain(self, after: str | None, sure: bool = True) -> str:
        kind = self._chance.choice(["transform", "transform", "transform", "tool", "agent", "human"])
        read = self._read()
        specs: dict[str, dict[str, Any]] = {
            "transform": {"transform": {"v": read, "w": [1, "a: b", {"é": None, "x": 0.5}]}},
            "tool": {"tool": "title_case", "with": {"text": "Say ${input.text}", "to": "title"}},
            "agent": {"agent": self._chance.choice(["writer", "critic"]), "with": {"topic": read}},
            "human": {"human": {"ask": "Go on?", "show": read, "within": "1h"}},
        }
        spec = specs[kind]
        if self._chance.random() < 0.2:
            spec["description"] = "Why: #1"
        if kind == "agent" and self._chance.random() < 0.3:
            spec["priority"] = self._chance.randint(1, 5)
        if kind in ("tool", "agent") and self._chance.random() < 0.3:
            spec["retry"] = {"attempts": 2, "initial": "2s"}
        name = self._add(spec, after, kind[0])
        if sure:
            self._known[name] = FIELDS[kind]
        else:
            self._maybe[name] = FIELDS[kind]
        return name

    def _read(self) -> str:
        ways = ["${input.n + 1}", "${input.text}", "just text", "n = ${string(input.n)}", "${size(input.items)}"]
        for name in self._chance.sample(sorted(self._known), min(2, len(self._known))):
            ways += [f"${{{name}}}", f"${{{name}.{self._known[name]}}}" if self._known[name] else f"${{{name}}}"]
        for name in self._chance.sample(sorted(self._maybe), min(2, len(self._maybe))):
            field = f"{name}.{self._maybe[name]}"
            ways += [f"${{has({field}) ? {field} : null}}", f"${{{name}.?{self._maybe[name]}.orValue(null)}}"]
        return self._chance.choice(ways)

    def _fan(self, after: str) -> str:
        if "merge" in self._nodes[after]:
            after = self._plain(after)
        before = dict(self._known)
        firsts = []
        for _ in range(self._chance.randint(2, 3)):
            # A branch cannot read its neighbours: they may not be done.
            mine, self._known = self._known, dict(before)
            firsts.append(self._plain(after))
            self._known = mine | {firsts[-1]: self._known[firsts[-1]]}
        return self._merged(firsts)

    def _choice(self, after: str) -> str:
        decision = self._add({"decision": {"many": self._chance.random() < 0.3}}, after, "d")
        held, self._maybe = self._maybe, dict(self._maybe)
        branches = []
        for _ in range(self._chance.randint(2, 3)):
            branches.append(self._plain(None, sure=False))
            held[branches[-1]] = self._maybe.pop(branches[-1])
        self._maybe = held
        for place, branch in enumerate(branches[:-1]):
            self._edges.append({"from": decision, "to": branch, "when": f"input.n > {place}"})
        self._edges.append({"from": decision, "to": branches[-1], "else": True})
        return self._merged(branches)

    def _handled(self, after: str) -> str:
        risky = self._add({"tool": "read", "with": {"path": "${input.text}"}}, after, "t")
        rescue = self._add({"transform": {"text": "${error.message}"}}, None, "r")
        on = self._chance.choice(["error", ["tool", "timeout"], "json"])
        self._edges.append({"from": risky, "to": rescue, "on": on})
        self._maybe[risky] = self._maybe[rescue] = "text"
        return self._merged([risky, rescue])

    def _merged(self, branches: list[str]) -> str:
        merge = self._add({"merge": self._chance.choice(["object", "list", "first"])}, None, "m")
        self._edges += [f"{branch} -> {merge}" for branch in branches]
        self._known[merge] = None
        return merge

    def _body(self) -> tuple[dict[str, Any], str]:
        inner = _Graph(self._chance, dict(self._known), self._count, self._depth - 1)
        last = inner.grow(self._chance.randint(0, 2))
        return {**inner.data(), "output": {"v": f"${{{last}}}"}}, last

    def _map(self, after: str) -> str:
        body, _ = self._body()
        errors = self._chance.choice(["fail", "drop", "partition"])
        name = self._add({"map": {"over": "input.items", "as": "each", "do": body, "on_error": errors}}, after, "p")
        self._known[name] = None
        return name

    def _loop(self, after: str) -> str:
        body, _ = self._body()
        carry = {"turn": {"first": 0, "next": "${index + 1}"}}
        name = self._add({"loop": {"do": body, "until": "loop.turn >= 3", "max": 5, "carry": carry}}, after, "l")
        self._known[name] = "v"
        return name


def save(files: Files, folder: Path) -> Path:
    """Writes a bundle as JSON, which is YAML too; texts and bytes go out as they are."""
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value if isinstance(value, bytes) else text_of(value).encode("utf-8", "surrogatepass"))
    return folder


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def restyled(value: Any, chance: Random) -> str:
    """The same values in other words: keys in another order, other quotes, blocks or flow, comments in between."""
    return "# a comment\n" + "".join(f"{line}\n" for line in _block(value, chance))


def _block(value: Any, chance: Random) -> list[str]:
    if not isinstance(value, dict | list) or not value:
        return [_flow(value, chance)]
    lines: list[str] = []
    for key, each in _entries(value, chance):
        head = "-" if key is None else f"{_flow(key, chance)}:"
        if chance.random() < 0.1:
            lines.append("# another: comment")
        if not isinstance(each, dict | list) or not each or chance.random() < 0.3:
            lines.append(f"{head} {_flow(each, chance)}" + chance.choice(["", "", " # said here"]))
        else:
            indent = " " * chance.randint(1, 4)
            lines += [head, *[indent + line for line in _block(each, chance)]]
    return lines


def _entries(value: dict[str, Any] | list[Any], chance: Random) -> list[tuple[str | None, Any]]:
    if isinstance(value, list):
        return [(None, each) for each in value]
    entries: list[tuple[str | None, Any]] = list(value.items())
    chance.shuffle(entries)
    return entries


def _flow(value: Any, chance: Random) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(k, chance)}: {_flow(v, chance)}" for k, v in _entries(value, chance)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(each, chance) for each in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    styles = [json.dumps(value, ensure_ascii=chance.random() < 0.5)]
    if "\n" not in value:
        styles.append("'" + value.replace("'", "''") + "'")
    if _BARE.fullmatch(value) and value.lower() not in _WORDS:
        styles.append(value)
    return chance.choice(styles)
