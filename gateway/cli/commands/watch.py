"""`haul watch`: follows a run until it ends."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gateway.cli.misuse import FINE, PROBLEMS
from gateway.cli.places import places
from gateway.cli.terminal import Painter

if TYPE_CHECKING:
    from gateway.cli.runs import Outcome
    from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    places(parser)
    parser.add_argument("--json", action="store_true", help="print one object at the end and nothing else")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of
    from gateway.cli.telling import end_told, value_told

    ended = carried_out(_followed(settings_of(arguments), arguments))
    if arguments.json:
        print(json.dumps(ended.as_json(), ensure_ascii=False))
    else:
        print(end_told(ended, None, Painter.chosen(arguments.color, sys.stderr)), file=sys.stderr)
        if ended.status == "completed":
            print(value_told(ended.output, sys.stdout))
    return FINE if ended.status == "completed" else PROBLEMS


async def _followed(settings: Settings, arguments: Namespace) -> Outcome:
    import asyncio

    from gateway.cli import runs
    from gateway.cli.asking import Answers
    from gateway.cli.following import Follower
    from gateway.cli.live import screen
    from gateway.cli.servers import found
    from gateway.cli.showing import plan_of
    from workers.building import world

    server = await found(settings)
    handle, about = await runs.found(server.client, arguments.which)
    shared = world(settings)
    state = await runs.asked(handle, "state")
    plan = plan_of(shared, (state or {}).get("plan"))
    link = server.link(about.id, about.run_id) or server.address
    view = screen(about.id, link, plan, arguments.color, sys.stderr, json=arguments.json)
    ask = not arguments.json and sys.stdin.isatty() and sys.stderr.isatty()
    end = asyncio.create_task(runs.outcome(handle, shared.keeper))
    try:
        await Follower(server.client, handle, view, Answers(handle, {}, view, ask=ask), {}).until([end])
    finally:
        end.cancel()
        await asyncio.gather(end, return_exceptions=True)
    ended = end.result()
    if ended.state is not None:
        view.show({**ended.state, "status": ended.status}, [])
    return ended
