"""`haul dev`: Temporal and every role of worker in one process, with all of its data in one folder."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.cli.misuse import FINE, PROBLEMS
from gateway.cli.places import places
from gateway.cli.terminal import Painter


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--stock", action="store_true", help="Temporal with its own settings, for comparison")
    parser.add_argument("--port", type=int, help="gRPC port; the UI's is 1000 higher (default: 7233)")
    places(parser, bundles="bundles, or folders of bundles")
    parser.add_argument("--script", type=Path, metavar="SCENARIO", help="it answers for models, tools and memories")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.developing import Development
    from gateway.cli.servers import carried_out, settings_of

    settings = settings_of(arguments, script=arguments.script)
    ended_well = carried_out(Development(settings, arguments).carry_out())
    return FINE if ended_well else PROBLEMS
