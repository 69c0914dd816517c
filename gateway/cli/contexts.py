"""How the context of an agent was put together, for `haul show --context`: from the history of its run, and blobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, NamedTuple

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from activities.blobs import BlobStore
from activities.contracts import Assembled
from gateway.cli.misuse import Trouble
from gateway.cli.runs import found
from gateway.cli.servers import found as server_found
from gateway.cli.tables import table
from gateway.cli.terminal import Painter, visible
from workers.building import world
from workers.settings import Settings

# So many nodes are named where another one was asked for.
NAMED = 10


class Told(NamedTuple):
    """What one call of a model says of its context; `call` is its activity's id."""

    node: str
    call: str
    assembled: Assembled


async def report_of(settings: Settings, run: str, node: str) -> dict[str, Any]:
    """The whole report on the newest context of a node, or of one iteration of it; raises `Trouble`."""
    server = await server_found(settings)
    _, about = await found(server.client, run)
    blobs, seen = world(settings).blobs, dict[str, None]()
    async for events in histories(server.client, about.id, about.run_id):
        told = list(told_in(events))
        for each in reversed(told):
            if node in (each.node, each.node.partition("#")[0]):
                return {"node": each.node, "call": each.call, **_fetched(blobs, each.assembled)}
        seen |= dict.fromkeys(each.node for each in told)
    known = ", ".join([*seen][:NAMED]) + (", …" if len(seen) > NAMED else "")
    there = f"those of {known} are known" if seen else "no agent with a context profile has been called"
    raise Trouble(f"{about.id!r} has no context of {node!r}; {there}")


async def histories(client: Client, id: str, run_id: str) -> AsyncIterator[list[HistoryEvent]]:
    """The history of a run, and then those of the runs that it continues."""
    while run_id:
        try:
            history = await client.get_workflow_handle(id, run_id=run_id).fetch_history()
        except RPCError as error:
            said = f"the history of {id!r}, run {run_id}, cannot be read, and no newer one has that context"
            raise Trouble(f"{said}: {error.message}") from None
        yield list(history.events)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id


def told_in(events: Iterable[HistoryEvent]) -> Iterator[Told]:
    """What answers and failures of models tell, in the order in which they came."""
    asked: dict[int, tuple[str, str]] = {}
    for event in events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == "models.call":
            asked[event.event_id] = json.loads(scheduled.input.payloads[0].data)["node"], scheduled.activity_id
        completed, failed = event.activity_task_completed_event_attributes, event.activity_task_failed_event_attributes
        payloads = completed.result.payloads or failed.failure.application_failure_info.details.payloads
        of = asked.get(completed.scheduled_event_id or failed.scheduled_event_id)
        said = json.loads(payloads[0].data) if of and payloads else None
        if of and isinstance(said, dict) and said.get("context"):
            yield Told(*of, Assembled.model_validate(said["context"]))


def _fetched(blobs: BlobStore, assembled: Assembled) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(blobs.get(assembled.report))
    except KeyError:
        where = "HAULAGE_HOME says where the workers keep theirs"
        raise Trouble(f"the report {assembled.report[:12]} is not in the store here; {where}") from None
    return report


def told(report: dict[str, Any], paint: Painter) -> Iterator[str]:
    """The report as lines of text."""
    yield f"{paint.place(visible(report['node']))}  {paint.faint(visible(report['call']))}"
    limit = f"{report['tokens']:,} of {report['max_tokens']:,} tokens: {report['limit']}"
    facts = [("agent", report["agent"]), ("model", report["model"]), ("sent", limit)]
    yield from list(table(("", " "), [(f"  {name}", visible(what)) for name, what in facts], 10**6, paint.faint))[1:]
    yield ""
    head = ("layer", "source", "tokens", "sent", "", "why")
    rows = [_row(each) for each in report["pieces"]]
    yield from (f"  {line}" for line in table(head, rows, paint.width - 2, paint.faint, "tokens sent", whole=True))


def _row(piece: dict[str, Any]) -> tuple[str, ...]:
    sizes = [f"{piece[name]:,}" if piece["what"] != "absent" else "" for name in ("tokens", "sent")]
    return piece["layer"], piece["source"], *sizes, piece["what"], piece["why"]
