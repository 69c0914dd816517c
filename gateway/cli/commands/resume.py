"""`haul resume`: lets a paused run go on; one that has ended goes on as a new run, where that is possible."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from gateway.cli import ordering
from gateway.cli.misuse import FINE
from gateway.cli.wanted import me

if TYPE_CHECKING:
    from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    ordering.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    who = {"actor": arguments.actor or me(), "reason": arguments.reason}
    answer = carried_out(_resumed(settings_of(arguments), arguments.which, who))
    if arguments.json:
        print(json.dumps(answer))
    else:
        print(f"{arguments.which}: goes on{' as ' + answer['workflow_id'] if 'workflow_id' in answer else ''}")
    return FINE


async def _resumed(settings: Settings, which: str, who: dict[str, Any]) -> dict[str, Any]:
    from gateway.cli import runs
    from gateway.cli.going_on import go_on
    from gateway.cli.servers import found
    from workers.building import world

    client = (await found(settings)).client
    handle, about = await runs.found(client, which)
    status = runs.word(about.status)
    if status == "running":
        return await runs.ordered(client, which, "resume", who)
    new = await go_on(client, handle, world(settings).blobs)
    return {"workflow_id": new.id, "run_id": new.first_execution_run_id}
