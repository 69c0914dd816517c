"""`haul approve`: answers a gate with one of its choices, or with a filled-in form."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gateway.cli import ordering


def configure(parser: ArgumentParser) -> None:
    ordering.gate(parser)
    parser.add_argument("--choice", help="one of the gate's choices (default: approve)")
    parser.add_argument("--form", metavar="JSON", help="the filled-in form, as JSON or @FILE")
    ordering.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.wanted import json_of

    order = {name: getattr(arguments, name) for name in ("node", "iteration", "shown", "choice")}
    form = None if arguments.form is None else json_of(arguments.form, "--form")
    return ordering.given(arguments, "approve", order | {"form": form})
