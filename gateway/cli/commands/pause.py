"""`haul pause`: keeps a run from starting anything new."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gateway.cli import ordering


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    ordering.configure(parser)


def run(arguments: Namespace) -> int:
    return ordering.given(arguments, "pause", {})
