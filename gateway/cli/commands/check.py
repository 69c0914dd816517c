"""`haul check`: whether bundles compile, and what is wrong where."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from gateway.cli.bundles import examined
from gateway.cli.diagnostics import TextReport, counted, summary
from gateway.cli.misuse import FINE, PROBLEMS, bundle_folder
from gateway.cli.terminal import Painter
from manifests.problems import Problem


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "bundles",
        nargs="*",
        type=bundle_folder,
        metavar="BUNDLE",
        default=[Path()],
        help="the folder of a bundle (default: this one)",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "sarif"), default="text", help="how problems are written (default: text)"
    )
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    verdicts = map(_verdict, arguments.bundles)
    if arguments.format == "text":
        return _say(verdicts, TextReport(Painter.chosen(arguments.color, sys.stdout)))
    from gateway.cli.documents import as_json, as_sarif  # costs a person who reads text 20 ms for nothing

    problems = [problem for verdict in verdicts if not isinstance(verdict, str) for problem in verdict]
    print(as_sarif(problems) if arguments.format == "sarif" else as_json(problems))
    return PROBLEMS if problems else FINE


def _verdict(bundle: Path) -> str | list[Problem]:
    """What there is to say of a fine bundle, or its problems."""
    plan = examined(bundle)
    return plan if isinstance(plan, list) else f"{plan.name}: fine ({counted(len(plan.nodes), 'node')})"


def _say(verdicts: Iterable[str | list[Problem]], report: TextReport) -> int:
    """Each bundle's verdict as soon as it is known, and the sum of the problems at the end."""
    problems: list[Problem] = []
    for verdict in verdicts:
        if isinstance(verdict, str):
            print(report.paint.good(verdict), flush=True)
            continue
        for problem in verdict:
            print(report.of(problem), end="\n\n", flush=True)
        problems += verdict
    if problems:
        print(report.paint.bad(summary(problems)))
    return PROBLEMS if problems else FINE
