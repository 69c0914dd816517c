"""`haul reject`: answers a gate with a no."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gateway.cli import ordering


def configure(parser: ArgumentParser) -> None:
    ordering.gate(parser)
    ordering.configure(parser)


def run(arguments: Namespace) -> int:
    order = {name: getattr(arguments, name) for name in ("node", "iteration", "shown")}
    return ordering.given(arguments, "reject", order)
