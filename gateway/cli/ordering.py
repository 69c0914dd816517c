"""What `haul approve`, `reject`, `override`, `pause` and `resume` share: one order to one run."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from gateway.cli.misuse import FINE
from gateway.cli.places import places
from gateway.cli.wanted import me


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--actor", help="who asks (default: you)")
    parser.add_argument("--reason", default="", help="why")
    places(parser)
    parser.add_argument("--json", action="store_true", help="print the run's answer as one object")


def gate(parser: ArgumentParser) -> None:
    """The options that name a gate."""
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    parser.add_argument("node", nargs="?", metavar="GATE", help="name or path of the gate (default: the one open gate)")
    parser.add_argument("--iteration", default="", help="which iteration's gate, as in 3 or 3.1")
    parser.add_argument("--shown", metavar="HASH", help="refuse when something else is shown now")


def given(arguments: Namespace, name: str, order: dict[str, Any]) -> int:
    """Gives the order and tells what came of it."""
    from gateway.cli.servers import carried_out, settings_of

    who = {"actor": arguments.actor or me(), "reason": arguments.reason}
    answer = carried_out(_given(settings_of(arguments), arguments.which, name, order | who))
    if arguments.json:
        print(json.dumps(answer))
    else:
        print(f"{arguments.which}: {_told(name, answer)}")
    return FINE


async def _given(settings: Any, run: str, name: str, order: dict[str, Any]) -> dict[str, Any]:
    from gateway.cli import runs
    from gateway.cli.servers import found

    client = (await found(settings)).client
    if "node" in order and order["node"] is None:
        order |= await _only_gate(client, run, order)
    return await runs.ordered(client, run, name, order)


async def _only_gate(client: Any, run: str, order: dict[str, Any]) -> dict[str, Any]:
    """The gate that is meant when none is named."""
    from gateway.cli import runs
    from gateway.cli.misuse import Trouble

    handle, _ = await runs.found(client, run)
    gates = await runs.asked(handle, "gates")
    if gates is None:
        raise Trouble(runs.NOBODY.format(runs.ANSWER))
    meant = [each for each in gates if order["iteration"] in ("", each["iteration"])]
    if len(meant) != 1:
        open_ = ", ".join(f"{each['path']}{'#' if each['iteration'] else ''}{each['iteration']}" for each in gates)
        raise Trouble(f"say which gate of {run!r}; open: {open_ or 'none'}")
    (only,) = meant
    return {"node": only["path"], "iteration": only["iteration"], "shown": order["shown"] or only["shown"]}


def _told(name: str, answer: dict[str, Any]) -> str:
    if "answer" in answer:
        return f"{answer['node']}: {answer['answer']}"
    return {"pause": "paused; what is under way finishes", "resume": "goes on"}.get(name, "done")
