"""`haul list`: the runs that a Temporal server knows."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from gateway.cli.misuse import FINE, Trouble
from gateway.cli.places import places
from gateway.cli.tables import table
from gateway.cli.terminal import Painter

if TYPE_CHECKING:
    from temporalio.client import WorkflowExecution

    from workers.settings import Settings

FILTERS = {"manifest": "Manifest", "stage": "Stage", "waiting_on": "WaitingOn", "tenant": "Tenant", "mode": "RunMode"}
STAGES = ("running", "waiting", "paused", "undoing", "finishing", "completed", "failed", "cancelled")
HEAD = ("run", "manifest", "status", "waits for", "mode", "tenant", "cost", "started")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--manifest", metavar="NAME", help="runs of this manifest")
    parser.add_argument("--stage", choices=STAGES, metavar="STAGE", help=f"{', '.join(STAGES[:-1])} or {STAGES[-1]}")
    parser.add_argument("--waiting-on", metavar="WHO", help="runs that wait for this person, or at this gate")
    parser.add_argument("--tenant", help="runs of this tenant")
    parser.add_argument("--mode", help="runs in this mode")
    parser.add_argument("--query", help="a list filter of Temporal's, as in `temporal workflow list --query`")
    parser.add_argument("--limit", type=int, default=50, help="at most so many, the latest first (default: 50)")
    parser.add_argument("--all", action="store_true", help="also runs that other runs have started")
    places(parser)
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    rows = carried_out(_listed(settings_of(arguments), _query(arguments), arguments.limit))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        paint = Painter.chosen(arguments.color, sys.stdout)
        cells = [[", ".join(each) if isinstance(each, list) else str(each) for each in _row(row)] for row in rows]
        print("\n".join(table(HEAD, cells, paint.width, paint.faint, right="cost")))
    else:
        print("no runs", file=sys.stderr)
    return FINE


def _query(arguments: Namespace) -> str:
    from gateway.cli.runs import quoted

    said = {name: getattr(arguments, option) for option, name in FILTERS.items()}
    # Bare, some of these names are words of the filter language.
    parts = [f"`{name}` = {quoted(value)}" for name, value in said.items() if value is not None]
    if not arguments.all:
        parts.append("ParentWorkflowId IS NULL")
    if arguments.query:
        parts.append(f"({arguments.query})")
    return " AND ".join(parts)


async def _listed(settings: Settings, query: str, limit: int) -> list[dict[str, Any]]:
    from temporalio.service import RPCError

    from gateway.cli.servers import found

    client = (await found(settings)).client
    try:
        return [_facts(each) async for each in client.list_workflows(query, limit=limit)]
    except RPCError as error:
        raise Trouble(f"the server does not take this filter: {error.message}\n  {query}") from None


def _facts(run: WorkflowExecution) -> dict[str, Any]:
    from gateway.cli.runs import word

    found = {pair.key.name: pair.value for pair in run.typed_search_attributes}
    return {
        "workflow_id": run.id,
        "run_id": run.run_id,
        "manifest": run.workflow_type,
        "status": word(run.status),
        "stage": found.get("Stage"),
        "waiting_on": list(found.get("WaitingOn", [])),
        "mode": found.get("RunMode"),
        "tenant": found.get("Tenant"),
        "pipeline": found.get("Pipeline"),
        "cost_usd": found.get("CostUsd"),
        "started": run.start_time.isoformat(),
        "ended": run.close_time.isoformat() if run.close_time else None,
    }


def _row(run: dict[str, Any]) -> list[Any]:
    stage = run["stage"] if run["status"] == "running" else run["status"]
    mode = "" if run["mode"] == "normal" else run["mode"] or ""
    cost = "" if run["cost_usd"] is None else f"${run['cost_usd']:.4f}"
    started = run["started"][:19].replace("T", " ")
    waits = run["waiting_on"] if run["status"] == "running" else ""
    status, tenant = stage or run["status"], run["tenant"] or ""
    return [run["workflow_id"], run["manifest"], status, waits, mode, tenant, cost, started]
