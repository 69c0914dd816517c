"""`haul start`: starts a run and leaves it to the workers."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from gateway.cli import wanted
from gateway.cli.misuse import FINE, PROBLEMS
from gateway.cli.places import places
from gateway.cli.terminal import Painter

if TYPE_CHECKING:
    from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    wanted.configure(parser)
    places(parser, bundles="where bundles are found by name")
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    settings = settings_of(arguments)
    compiled = wanted.compiled_named(arguments.bundle, settings.bundles, arguments.color)
    if compiled is None:
        return PROBLEMS
    facts = carried_out(_started(settings, wanted.wanted(arguments, compiled)))
    if arguments.json:
        print(json.dumps(facts))
    else:
        print(f"{facts['workflow_id']}  {facts['run_id']}", facts["ui"], sep="\n" if facts["ui"] else "")
    return FINE


async def _started(settings: Settings, order: wanted.Wanted) -> dict[str, Any]:
    from gateway.cli.carrying import started
    from gateway.cli.crew import pollers
    from gateway.cli.servers import found
    from workers.building import world

    server = await found(settings)
    world(settings).plans.add(order.compiled)
    handle = await started(server, order, settings.queue)
    if not await pollers(server.client, settings.queue, runs=True):
        print(f"haul: no worker polls {settings.queue!r} yet; `haul worker all` starts one", file=sys.stderr)
    run_id = handle.first_execution_run_id or ""
    return {"workflow_id": handle.id, "run_id": run_id, "ui": server.link(handle.id, run_id)}
