"""`haul compile`: a bundle's plan, as the canonical JSON that its sha256 names."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.cli.bundles import compiled
from gateway.cli.misuse import FINE, PROBLEMS, bundle_folder
from gateway.cli.terminal import Painter


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_folder, metavar="BUNDLE", help="the folder of a bundle")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here, and print the name and sha256")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    plan = compiled(arguments.bundle, arguments.color)
    if plan is None:
        return PROBLEMS
    if arguments.output:
        arguments.output.write_bytes(plan.canonical())
        print(plan.name, plan.sha256)
        return FINE
    # Not a byte more than the sha256 covers, so that `haul compile … | sha256sum` agrees; a person gets a line end.
    sys.stdout.buffer.write(plan.canonical() + (b"\n" if sys.stdout.isatty() else b""))
    return FINE
