"""`haul doctor`: what is installed, running, reachable and tuned, and what to do about the rest."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace

from gateway.cli.misuse import FINE, PROBLEMS
from gateway.cli.places import places
from gateway.cli.terminal import Painter, visible


def configure(parser: ArgumentParser) -> None:
    places(parser)
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.examining import MARKS, can_run, examined
    from gateway.cli.servers import carried_out, settings_of

    findings = carried_out(examined(settings_of(arguments)))
    fine = can_run(findings)
    if arguments.json:
        print(json.dumps({"can_run": fine, "findings": [finding._asdict() for finding in findings]}, indent=2))
        return FINE if fine else PROBLEMS
    paint = Painter.chosen(arguments.color, sys.stdout)
    colours = {"fine": paint.good, "wrong": paint.bad, "absent": paint.faint}
    wide = max(len(finding.what) for finding in findings) + 2
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            print(f"{paint.label(section)}")
        mark = colours[finding.state](MARKS[finding.state])
        print(f"  {mark} {finding.what:<{wide}}{visible(finding.said)}")
        if finding.fix:
            print(f"    {'':<{wide}}{paint.faint(visible(finding.fix))}")
    print(paint.good("\nruns can be carried out here") if fine else paint.bad("\nruns cannot be carried out here"))
    return FINE if fine else PROBLEMS
