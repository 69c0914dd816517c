"""`haul override`: decides about a node in its place, before it runs or while it does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gateway.cli import ordering
from gateway.cli.misuse import Misuse

NEEDS = {"output": "output", "goto": "to", "input": "input"}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help="workflow id or run id")
    parser.add_argument("node", metavar="NODE", help="name or path of the node")
    parser.add_argument(
        "action", choices=("skip", "output", "retry", "goto", "input"), metavar="ACTION",
        help="skip it; give its output; retry it, with another model or not; go along an edge; replace its inputs",
    )  # fmt: skip
    parser.add_argument("--output", metavar="JSON", help="for `output`: what the node gives, as JSON or @FILE")
    parser.add_argument("--model", metavar="NAME", help="for `retry`: the model to use")
    parser.add_argument("--to", metavar="NODE", help="for `goto`: the end of one of the node's edges")
    parser.add_argument("--input", metavar="JSON", help="for `input`: the inputs, as JSON or @FILE")
    parser.add_argument("--iteration", default="", help="which iteration, as in 3 or 3.1")
    ordering.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.wanted import json_of

    needed = NEEDS.get(arguments.action)
    if needed is not None and getattr(arguments, needed) is None:
        raise Misuse(f"`{arguments.action}` wants --{needed}")
    order = {name: getattr(arguments, name) for name in ("node", "action", "iteration", "model", "to")}
    for name in ("output", "input"):
        if getattr(arguments, name) is not None:
            order[name] = json_of(getattr(arguments, name), f"--{name}")
    return ordering.given(arguments, "override", order)
