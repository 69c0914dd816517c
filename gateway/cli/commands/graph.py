"""`haul graph`: a bundle's plan as a picture."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from gateway.cli.bundles import compiled
from gateway.cli.misuse import FINE, PROBLEMS, Misuse, bundle_folder
from gateway.cli.terminal import Painter
from manifests.drawing.dot import dot
from manifests.drawing.mermaid import mermaid
from manifests.drawing.picture import Picture, pictured
from manifests.drawing.svg import svg
from manifests.plan import Plan

FORMATS: dict[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot, "svg": svg}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_folder, metavar="BUNDLE", help="the folder of a bundle")
    parser.add_argument("--format", choices=tuple(FORMATS), default="mermaid", help="default: mermaid")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here instead of to standard output")
    parser.add_argument("--pipeline", metavar="NAME", help="draw what this pipeline leaves out faint")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    plan = compiled(arguments.bundle, arguments.color)
    if plan is None:
        return PROBLEMS
    if arguments.pipeline is not None:
        _expect(plan, arguments.pipeline)
    drawn = FORMATS[arguments.format](pictured(plan, arguments.pipeline)).encode()
    if arguments.output:
        arguments.output.write_bytes(drawn)
    else:
        # UTF-8 whatever the terminal's language: an SVG file without a declaration is.
        sys.stdout.buffer.write(drawn)
    return FINE


def _expect(plan: Plan, name: str) -> None:
    known = [pipeline.name for pipeline in plan.pipelines]
    if name in known:
        return
    if not known:
        raise Misuse(f"{plan.name!r} has no pipelines, and so none called {name!r}")
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, known))}"
    raise Misuse(f"{plan.name!r} has no pipeline {name!r}; {hint}")
