"""`haul run`: carries out a bundle, shows how it goes, and prints what came of it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.cli import wanted
from gateway.cli.misuse import FINE, PROBLEMS, Misuse
from gateway.cli.places import places
from gateway.cli.terminal import Painter


def configure(parser: ArgumentParser) -> None:
    wanted.configure(parser)
    parser.add_argument(
        "--answer", action="append", default=[], metavar="NODE=CHOICE", help="the answer at a gate (repeated)"
    )
    parser.add_argument(
        "--script", type=Path, metavar="SCENARIO", help="a scenario answers for models, tools, memories and people"
    )
    parser.add_argument("--alone", action="store_true", help="on a server started for this run, whatever else runs")
    parser.add_argument("--timeout", metavar="TIME", help="wait no longer than this, as in 30s; the run goes on")
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    places(parser, bundles="where bundles are found by name")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    settings = settings_of(arguments)
    timeout = _seconds(arguments.timeout)
    compiled = wanted.compiled_named(arguments.bundle, settings.bundles, arguments.color)
    if compiled is None:
        return PROBLEMS
    scenario = None
    if arguments.script is not None:
        from gateway.cli.scripts import scenario_of

        scenario = scenario_of(arguments.script, arguments.color)
        if scenario is None:
            return PROBLEMS
    order = wanted.wanted(arguments, compiled, scenario)
    from gateway.cli.carrying import Haul

    ended = carried_out(Haul(order, settings, arguments).carry_out(arguments.script, timeout))
    if arguments.json:
        print(json.dumps(ended.as_json(), ensure_ascii=False))
    elif ended.status == "completed":
        from gateway.cli.telling import value_told

        print(value_told(ended.output, sys.stdout))
    return FINE if ended.status == "completed" else PROBLEMS


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else wanted.milliseconds(text) / 1000
    except ValueError:
        raise Misuse(f"--timeout {text!r}: write a number and a unit, as in 30s or 5m") from None
