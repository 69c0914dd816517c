"""The page that people read about a run in the Temporal UI, as Markdown; made when somebody looks, and never before."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from manifests import plan as plans
from manifests.lowering.specs import money
from workflows.budget import NOTHING, Ledger
from workflows.gates import Gate
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# What is longer is counted instead of listed.
MOST_ROWS = 60
MOST_DRAWN = 60
MOST_GATES = 5
LATEST_ORDERS = 5
LONGEST_TEXT = 200
_COLOURS = {"done": "#8fd19e", "failed": "#f1aeb5", "running": "#ffe69c", "skipped": "#dee2e6", "waiting": "#fff"}
_MARKS = {"done": "✓", "failed": "✗", "skipped": "–", "running": "●", "waiting": "·"}
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")
# The cells of a table stand close together in the UI, which takes the space itself but not its name in HTML.
_GAP = "\u2003"


def details(run: Interpreter) -> str:
    ground = run.main.ground
    lines = [_head(run), "", *_gates(run)]
    lines += _table(run) if len(ground.nodes) <= MOST_ROWS else _counts(run)
    if run.board.latest:
        lines += ["", "**Lately**", "", *[f"- {_plain(each)}" for each in run.board.latest]]
    if run.steering.decisions:
        lines += ["", "**Decided**", "", *_orders(run)]
    if len(ground.nodes) <= MOST_DRAWN:
        lines += ["", "The same as a graph, for whatever draws Mermaid:", "", "```mermaid", mermaid(run), "```"]
    return "\n".join(lines)


def _plain(text: str, most: int = LONGEST_TEXT) -> str:
    """A text from anywhere, on one line, and without a meaning in Markdown."""
    line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", line if len(line) <= most else line[: most - 1] + "…")


def _head(run: Interpreter) -> str:
    spent, caps = run.ledger.spent, run.ledger
    mode = "" if run.run_facts["mode"] == "normal" else f" · {run.run_facts['mode']}"
    pipeline = f" · pipeline {run.pipeline}" if run.pipeline else ""
    calls = f"{spent.calls}{f' of {caps.calls}' if caps.calls is not None else ''} calls"
    tokens = f"{spent.tokens:,}{f' of {caps.tokens:,}' if caps.tokens is not None else ''} tokens"
    usd = f"{spent.usd}{f' of {caps.usd}' if caps.usd is not None else ''} USD"
    name = f"**{run.plan.name}** {_plain(run.plan.version)} · **{run.board.stage_now()}**{mode}{pipeline}"
    return f"{name} · {calls} · {tokens} · {usd}{_unheard(run.ledger)} · plan `{run.sha256[:12]}`"


def _unheard(ledger: Ledger) -> str:
    lost = ledger.unheard
    return f" (and up to {lost.tokens:,} tokens, {money(lost.usd)} USD of lost calls)" if lost != NOTHING else ""


def _gates(run: Interpreter) -> Iterator[str]:
    """Who is asked what, and how the first of them is answered."""
    gates = list(run.steering.gates.open.values())
    for gate in gates[:MOST_GATES]:
        which = f" #{gate.iteration}" if gate.iteration else ""
        yield f"> **{gate.node}**{which} waits for **{_asked(gate)}** until {_time(gate.until)}: {_plain(gate.ask)}"
        yield ""
    if len(gates) > MOST_GATES:
        yield from (f"> and {len(gates) - MOST_GATES} more gates", "")
    if gates:
        yield from ("Answered by:", "", "```", *_commands(gates[0]), "```", "")


def _asked(gate: Gate) -> str:
    return _plain(gate.to or "a person")


def _commands(gate: Gate) -> Iterator[str]:
    """One line for each answer, to be copied and completed."""
    which = {"node": gate.node} | ({"iteration": gate.iteration} if gate.iteration else {}) | {"shown": gate.shown}
    start = f"temporal workflow update execute --workflow-id {shlex.quote(workflow.info().workflow_id)}"
    answers: list[dict[str, Any]] = [{"choice": each} for each in gate.choices or () if each != "reject"]
    for answer in [{"form": {}}] if gate.form is not None else answers:
        yield f"{start} --name approve --input '{_json({**which, **answer, 'actor': '…'})}'"
    if gate.form is not None or "reject" in (gate.choices or ()):
        yield f"{start} --name reject --input '{_json({**which, 'actor': '…', 'reason': '…'})}'"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _time(said: str) -> str:
    return datetime.fromisoformat(said).strftime("%Y-%m-%d %H:%M UTC")


def _table(run: Interpreter) -> list[str]:
    main = run.main
    rows = ["| state | node | kind | |", "|:---|:---|:---|:---|"]
    for name in main.ground.topology.nodes:
        node, state = main.node(name), main.cursor.state[name]
        note = _plain(_note(run, main, node), 120)
        rows.append(f"| {_MARKS[state]}\u00a0{state}{_GAP} | `{name}`{_GAP} | {node.kind}{_GAP} | {note} |")
    return rows


def progress(run: Interpreter) -> dict[str, str]:
    """How far the maps and loops that run now have come."""
    main = run.main
    counted = {name: _counted(main, main.node(name)) for name in main.inside}
    return {name: said for name, said in counted.items() if said}


def _counted(walk: Walk, node: plans.Node) -> str:
    inside = walk.inside.get(node.id, {})
    match node:
        case plans.Map() if "items" in inside:
            size = node.partition or 1
            return f"{min(len(inside['results']) * size, len(inside['items']))} of {len(inside['items'])} items"
        case plans.Loop() if "index" in inside:
            return f"iteration {inside['index'] + 1} of at most {node.most}"
    return ""


def _note(run: Interpreter, walk: Walk, node: plans.Node) -> str:
    inside = walk.inside.get(node.id, {})
    remark = run.board.remarks.get(node.id, "")
    match node:
        case _ if remark:
            return remark
        case plans.Map() | plans.Loop() if inside:
            return _counted(walk, node)
        case plans.Agent():
            return node.agent
        case plans.Tool():
            return node.tool
        case plans.Human() if "to" in inside:
            return f"waits for {inside['to'] or 'a person'}"
        case plans.Wait() if "until" in inside:
            what = f"signal {node.signal}, " if node.signal else ""
            return f"{what}until {_time(inside['until'])}"
        case plans.Decision() if node.id in walk.cursor.taken:
            return "to " + ", ".join(walk.cursor.taken[node.id])
    return ""


def _counts(run: Interpreter) -> list[str]:
    states = list(run.main.cursor.state.values())
    counts = [f"{states.count(state):,} {state}" for state in _MARKS if state in states]
    running = [name for name, state in run.main.cursor.state.items() if state == "running"]
    more = [f"- and {len(running) - MOST_ROWS:,} more"] if len(running) > MOST_ROWS else []
    return [" · ".join(counts), "", *[f"- ● `{name}`" for name in running[:MOST_ROWS]], *more]


def _orders(run: Interpreter) -> Iterator[str]:
    for each in run.steering.decisions[-LATEST_ORDERS:]:
        by = f" by {each['actor']}" if each["actor"] else ""
        why = f" – {each['reason']}" if each["reason"] else ""
        yield f"- {_time(each['at'])}: " + _plain(f"{each['event']}{by}: {each['what']}{why}")


def mermaid(run: Interpreter) -> str:
    """The graph with the states of its nodes."""
    main = run.main
    topology = main.ground.topology
    lines = ["flowchart LR", *[f"  {name}:::{main.cursor.state[name]}" for name in topology.nodes]]
    for name in topology.nodes:
        lines += [f"  {name} --> {edge.target}" for edge in topology.edges[name]]
        lines += [f"  {name} -.-> {target}" for target in topology.rescues.get(name, ())]
    lines += [f"  classDef {state} fill:{colour},color:#111" for state, colour in _COLOURS.items()]
    return "\n".join(lines)
