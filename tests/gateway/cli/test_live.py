"""A run as it is drawn."""

from __future__ import annotations

import io
from typing import Any

from gateway.cli.live import Lines, Tree, screen
from gateway.cli.terminal import Painter
from manifests.compiler import compile_bundle
from tests.conftest import PROJECT

BRIEF = compile_bundle(PROJECT / "manifests" / "catalog" / "research-brief").plan
STATES = {"known": "done", "questions": "done", "research": "running", "write": "waiting"}
STATE: dict[str, Any] = {
    "nodes": STATES,
    "progress": {"research": "2 of 5"},
    "inside": {str(key): {node: "running" for node in BRIEF.graph.by_id["research"].body.by_id} for key in range(5)},  # type: ignore[union-attr]
}
GATE = {"node": "write", "path": "write", "iteration": "", "to": "ada", "ask": "Well?\x1b[2J", "shown": "1"}


def test_a_map_shows_how_far_it_is_and_what_its_iterations_do() -> None:
    lines = Tree(BRIEF, Painter()).lines(STATE, [], 100)
    assert lines[2] == "  ● research   map       2 of 5"
    assert lines[3].startswith("      #0 ● ")
    assert lines[6] == "      and 2 more"
    assert lines[7] == "  · write      agent"


def test_a_gate_shows_whom_it_waits_for_and_steers_no_terminal() -> None:
    lines = Tree(BRIEF, Painter()).lines({"nodes": {"write": "running"}}, [GATE], 100)
    assert lines == ["  ● write  agent     waits for ada: Well?␛[2J"]


def test_a_graph_that_is_too_long_shows_what_happens_and_counts_the_rest() -> None:
    nodes = {f"n{number}": "done" for number in range(1_000)} | {"now": "running", "bad": "failed"}
    assert Tree(None, Painter()).lines({"nodes": nodes}, [], 5) == [
        "  ● now",
        "  ✗ bad",
        "  1000 done · 1 failed · 1 running",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    gate = {**GATE, "ask": "very long " * 50}
    lines = Tree(BRIEF, Painter(width=60)).lines({**STATE, "nodes": {**STATES, "write": "running"}}, [gate], 100)
    assert max(map(len, lines)) < 60


def test_where_there_is_no_terminal_each_thing_is_said_once() -> None:
    stream = io.StringIO()
    lines = screen("a-1", "http://ui", BRIEF, "auto", stream, json=False)
    assert isinstance(lines, Lines)
    for _ in range(2):
        lines.show({"nodes": {"known": "done", "write": "running"}}, [GATE])
    assert stream.getvalue() == "a-1  http://ui\n  ✓ known\n  ● write waits for ada: Well?␛[2J\n"
