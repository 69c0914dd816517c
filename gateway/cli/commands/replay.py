"""`haul replay`: whether the code of today does what a recorded run did."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from temporalio.client import Client

from gateway.cli.diagnostics import counted
from gateway.cli.misuse import FINE, PROBLEMS, Misuse
from gateway.cli.reaching import run_named, store, with_server
from gateway.cli.terminal import Painter, visible
from workers.replaying import NoHistory, Verdict, beside, judged, read_history, stored
from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    what = "a history that `haul export` wrote, or the id of a run"
    parser.add_argument("what", nargs="+", metavar="RUN|history.json", help=what)
    parser.add_argument("--json", action="store_true", help="one object for each")
    parser.epilog = "Exit status: 0 all of them replay, 1 one does not, 2 one is no history or cannot be reached."
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    verdicts = [_verdict(each) for each in arguments.what]
    if arguments.json:
        print(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    else:
        paint = Painter.chosen(arguments.color, sys.stdout)
        for named, verdict in zip(arguments.what, verdicts, strict=True):
            print(_line(named, verdict, paint))
    return PROBLEMS if any(verdict.trouble for verdict in verdicts) else FINE


def _verdict(what: str) -> Verdict:
    """A file is replayed without a server; the history of a run is fetched first."""
    path = Path(what)
    if path.is_file():
        try:
            blobs = store(Settings())
            return asyncio.run(judged(read_history(path), beside(path.parent, blobs)))
        except NoHistory as error:
            raise Misuse(str(error)) from None
    if path.suffix == ".json":
        raise Misuse(f"there is no file {what!r}")

    async def work(client: Client, settings: Settings) -> Verdict:
        return await judged(await run_named(client, what).fetch_history(), stored(store(settings)))

    return with_server(work)


def _as_json(verdict: Verdict) -> dict[str, object]:
    facts = dataclasses.asdict(verdict)
    facts.pop("state")
    return {**facts, "replays": not verdict.trouble}


def _line(named: str, verdict: Verdict, paint: Painter) -> str:
    head = paint.place(visible(named))
    if not verdict.trouble:
        return f"{head}: {paint.good('replays')} ({counted(verdict.events, 'event')})"
    where = f" at {verdict.where}" if verdict.where else ""
    return f"{head}: {paint.bad('does not replay')}{visible(where)}\n  {visible(verdict.trouble)}"
