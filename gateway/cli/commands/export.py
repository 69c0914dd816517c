"""`haul export`: the history of a run as a file, with all that its replay needs."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from temporalio.client import Client, WorkflowHistory

from activities.blobs import BlobStore, FileBlobs
from gateway.cli.misuse import FINE, Misuse
from gateway.cli.reaching import run_named, store, with_server
from workers.replaying import blobs_in, pinned_in, plan_file
from workers.settings import Settings


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="RUN", help="the id of a run, or ID@RUN_ID for one of several")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here (default: RUN.json)")
    parser.add_argument("--with-blobs", action="store_true", help="and the values that are kept outside of the history")


def run(arguments: Namespace) -> int:
    name: str = arguments.name
    path: Path = arguments.output or Path(f"{re.sub(r'[^A-Za-z0-9._-]+', '_', name)}.json")

    async def work(client: Client, settings: Settings) -> None:
        history = await run_named(client, name).fetch_history()
        for each in [path, *_written(history, path, store(settings), arguments.with_blobs)]:
            print(each)

    with_server(work)
    return FINE


def _written(history: WorkflowHistory, path: Path, blobs: BlobStore, with_blobs: bool) -> list[Path]:
    """Writes the history and what belongs to it; what was written beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(history.to_json() + "\n", encoding="utf-8")
    pinned, written = pinned_in(history.events), list[Path]()
    if pinned is not None and pinned.plan is None:
        beside = plan_file(path.parent, pinned.sha256)
        try:
            beside.write_bytes(blobs.get(pinned.sha256))
        except KeyError:
            raise Misuse(
                f"{str(path)!r} is written, and does not replay alone: its plan {pinned.sha256[:12]} is not in the "
                "store here; HAULAGE_HOME says where the workers keep theirs"
            ) from None
        written.append(beside)
    if with_blobs:
        written += _blobs(history, path.parent / "blobs", blobs)
    return written


def _blobs(history: WorkflowHistory, folder: Path, blobs: BlobStore) -> list[Path]:
    found = blobs_in(history)
    target = FileBlobs(folder)
    for sha256 in found:
        try:
            target.put(blobs.get(sha256))
        except KeyError:
            print(f"haul: the value {sha256[:12]} is not in the store here", file=sys.stderr)
    return [folder] if found else []
