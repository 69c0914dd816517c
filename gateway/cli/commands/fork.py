"""`haul fork`: a new run that uses what another recorded, up to a node, and goes its own way from there."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any

from temporalio.client import Client

from gateway.cli.going_on import fork
from gateway.cli.misuse import FINE, Misuse
from gateway.cli.reaching import run_named, store, with_server
from workers.settings import Settings
from workflows.orders import Override


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="RUN", help="the id of a run, or ID@RUN_ID for one of several")
    parser.add_argument(
        "--from", dest="node", required=True, metavar="NODE", help="this node and all after it run again"
    )
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="NODE.input.NAME=VALUE|NODE.output=VALUE",
        help="another input or output for a node that runs again; a value is JSON, or else a text",
    )  # fmt: skip
    parser.add_argument("--id", metavar="ID", help="the id of the new run")
    parser.add_argument("--json", action="store_true", help="print {run_id, forked_from}")


def run(arguments: Namespace) -> int:
    changes = _changes(arguments.changes)

    async def work(client: Client, settings: Settings) -> str:
        handle = run_named(client, arguments.name)
        return (await fork(client, handle, arguments.node, changes, store(settings), id=arguments.id)).id

    id = with_server(work)
    print(json.dumps({"run_id": id, "forked_from": arguments.name}) if arguments.json else id)
    return FINE


def _changes(words: Iterable[str]) -> list[Override]:
    """What `--set` says, one override for each node."""
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, Any] = {}
    for word in words:
        place, given, text = word.partition("=")
        node, _, field = place.partition(".")
        kind, _, name = field.partition(".")
        if not given or kind not in ("input", "output") or (kind == "input") != bool(name) or "." in name:
            raise Misuse(f"--set {word!r} is neither NODE.input.NAME=VALUE nor NODE.output=VALUE")
        if kind == "output":
            outputs[node] = _value(text)
        else:
            inputs.setdefault(node, {})[name] = _value(text)
    if both := sorted(inputs.keys() & outputs.keys()):
        raise Misuse(f"--set gives {both[0]!r} both inputs and an output; with an output it does not run")
    return [
        *(Override(node=node, action="input", input=given, reason="haul fork") for node, given in inputs.items()),
        *(Override(node=node, action="output", output=output, reason="haul fork") for node, output in outputs.items()),
    ]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
