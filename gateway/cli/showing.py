"""All about one run, for `haul show`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from decimal import Decimal
from textwrap import wrap
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from activities.blobs import Keeper
from gateway.cli.live import Tree, spent
from gateway.cli.runs import Handle, asked, brought_back, failed, found, word
from gateway.cli.servers import found as server_found
from gateway.cli.tables import table
from gateway.cli.telling import failure_told, value_told
from gateway.cli.terminal import Painter, visible
from manifests.lowering.specs import money
from manifests.plan import Plan
from workers.building import World, world
from workers.settings import Settings

QUERIES = ("state", "gates", "decisions", "budget")


async def facts_of(settings: Settings, run: str) -> dict[str, Any]:
    """What the server knows of a run, and what a worker does where one answers."""
    server = await server_found(settings)
    handle, about = await found(server.client, run)
    shared = world(settings)
    known = dict(zip(QUERIES, await asyncio.gather(*(asked(handle, each) for each in QUERIES)), strict=True))
    state = known["state"] or {}
    facts: dict[str, Any] = {
        "workflow_id": about.id,
        "run_id": about.run_id,
        "manifest": about.workflow_type,
        "status": word(about.status),
        "stage": state.get("status"),
        "plan": state.get("plan"),
        "pipeline": state.get("pipeline"),
        "mode": state.get("mode"),
        "started": about.start_time.isoformat(),
        "ended": about.close_time.isoformat() if about.close_time else None,
        "events": about.history_length,
        "ui": server.link(about.id, about.run_id),
        "nodes": state.get("nodes"),
        "progress": state.get("progress"),
        "path": state.get("path"),
        "inside": state.get("inside"),
        "gates": known["gates"],
        "decisions": known["decisions"],
        "budget": known["budget"],
        **await _end(handle, about.status, shared.keeper),
    }
    return facts


async def _end(handle: Handle, status: WorkflowExecutionStatus | None, keeper: Keeper) -> dict[str, Any]:
    if status == WorkflowExecutionStatus.RUNNING:
        return {"output": None, "failure": None}
    try:
        return {"output": brought_back(await handle.result(follow_runs=False), keeper), "failure": None}
    except WorkflowFailureError as error:
        return {"output": None, "failure": failed(error.cause)[1]}


def plan_of(shared: World, sha256: str | None) -> Plan | None:
    """The plan of a run, where our store has it."""
    try:
        return shared.plans.by_hash(sha256) if sha256 else None
    except (KeyError, ValueError):
        return None


class Sheet:
    def __init__(self, facts: dict[str, Any], paint: Painter) -> None:
        self._facts, self._paint = facts, paint

    def lines(self) -> Iterator[str]:
        facts = self._facts
        yield f"{self._paint.place(visible(facts['workflow_id']))}  {self._paint.faint(facts['run_id'])}"
        yield from table(("", " "), self._head(), self._paint.width, self._paint.faint)
        if facts["nodes"] is None:
            yield "its nodes are not known here: no worker answers (`haul worker all` or `haul dev` starts one)"
        else:
            yield from self._section("Nodes", self._nodes())
        path = wrap(visible(" → ".join(facts["path"] or ())), self._paint.width - 4)
        yield from self._section("Path", [f"  {line}" for line in path])
        yield from self._section("Open gates", self._gates())
        yield from self._section("Decisions", self._decisions())
        yield from self._section("Failure", [f"  {failure_told(facts['failure'])}"] if facts["failure"] else [])
        if facts["status"] == "completed":
            told = value_told(facts["output"], sys.stdout).split("\n")
            yield from self._section("Output", [f"  {line}" for line in told])

    def _section(self, title: str, lines: list[str]) -> Iterator[str]:
        if lines:
            yield from ("", self._paint.label(title), *lines)

    def _head(self) -> list[tuple[str, str]]:
        facts = self._facts
        budget = facts["budget"] or {}
        status = facts["status"] if facts["status"] != "running" else facts["stage"] or "running"
        rows = [
            ("manifest", facts["manifest"] + (f", plan {facts['plan'][:12]}" if facts["plan"] else "")),
            ("status", status),
            ("mode", facts["mode"] if facts["mode"] != "normal" else ""),
            ("pipeline", facts["pipeline"]),
            ("started", facts["started"][:19].replace("T", " ")),
            ("ended", (facts["ended"] or "")[:19].replace("T", " ")),
            ("spent", spent(budget.get("spent"))),
            ("unheard", _unheard(budget.get("unheard"))),
            ("budget", _caps(budget.get("caps"))),
            ("events", str(facts["events"])),
            ("UI", facts["ui"]),
        ]
        return [(f"  {name}", visible(text)) for name, text in rows if text]

    def _nodes(self) -> list[str]:
        state = {name: self._facts[name] or {} for name in ("nodes", "progress", "inside")}
        return Tree(None, self._paint).lines(state, self._facts["gates"] or [], 10**6)

    def _gates(self) -> list[str]:
        lines = []
        for gate in self._facts["gates"] or []:
            at = f"{gate['path']}#{gate['iteration']}" if gate["iteration"] else gate["path"]
            answers = "a form" if gate["form"] else " or ".join(gate["choices"] or ())
            lines.append(f"  {at} waits for {gate['to'] or 'a person'} until {gate['until'][:19].replace('T', ' ')}")
            lines.append(f"    {gate['ask']} ({answers}; shown {gate['shown']})")
        return [visible(line) for line in lines]

    def _decisions(self) -> list[str]:
        return [
            visible(f"  {each['at'][:19].replace('T', ' ')}  {each['event']}  {each['what']}{_by(each)}")
            for each in self._facts["decisions"] or []
        ]


def _by(decision: dict[str, Any]) -> str:
    who = f"by {decision['actor']}" if decision["actor"] else ""
    why = f": {decision['reason']}" if decision["reason"] else ""
    return f"  ({who}{why})" if who or why else ""


def _unheard(lost: dict[str, Any] | None) -> str:
    """What lost calls may have used besides; no other call of the run gets it."""
    if not lost or not (lost["tokens"] or Decimal(lost["usd"])):
        return ""
    return f"up to {lost['tokens']:,} tokens · ${money(Decimal(lost['usd']))} of lost calls"


def _caps(caps: dict[str, Any] | None) -> str:
    said = {name: value for name, value in (caps or {}).items() if value is not None}
    return " · ".join(f"${value}" if name == "usd" else f"{value:,} {name}" for name, value in said.items())
