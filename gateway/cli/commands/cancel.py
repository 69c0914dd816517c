"""`haul cancel`: asks a run to end."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gateway.cli.misuse import FINE, Trouble
from gateway.cli.places import places

if TYPE_CHECKING:
    from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    parser.add_argument("--reason", default="", help="why")
    parser.add_argument("--now", action="store_true", help="end it at once, with nothing undone and no `finally`")
    places(parser)
    parser.add_argument("--json", action="store_true", help="print one object")


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    carried_out(_cancelled(settings_of(arguments), arguments.which, arguments.reason, now=arguments.now))
    done = "terminated" if arguments.now else "cancel requested"
    print(json.dumps({"done": done}) if arguments.json else f"{arguments.which}: {done}")
    return FINE


async def _cancelled(settings: Settings, run: str, reason: str, *, now: bool) -> None:
    from gateway.cli import runs
    from gateway.cli.servers import found

    handle, about = await runs.found((await found(settings)).client, run)
    status = runs.word(about.status)
    if status != "running":
        raise Trouble(f"{run!r} is {status} already")
    if now:
        await handle.terminate(reason=reason or None)
    else:
        await handle.cancel(reason=reason)
