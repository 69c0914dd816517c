"""`haul show`: where a run stands and how it got there, also when it has ended."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace

from gateway.cli.misuse import FINE
from gateway.cli.places import places
from gateway.cli.terminal import Painter


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    places(parser)
    parser.add_argument(
        "--context", metavar="NODE", help="how the context of an agent was put together; NODE#2 names an iteration"
    )
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    settings, paint = settings_of(arguments), Painter.chosen(arguments.color, sys.stdout)
    if arguments.context is not None:
        from gateway.cli.contexts import report_of, told

        facts = carried_out(report_of(settings, arguments.which, arguments.context))
        lines = told(facts, paint)
    else:
        from gateway.cli.showing import Sheet, facts_of

        facts = carried_out(facts_of(settings, arguments.which))
        lines = Sheet(facts, paint).lines()
    print(json.dumps(facts, indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines))
    return FINE
