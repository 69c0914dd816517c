"""`haul explain`: what a bundle comes to, for people and for programs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace

from gateway.cli.bundles import bundle_or_plan, plan_of
from gateway.cli.explaining import Explanation
from gateway.cli.misuse import FINE, PROBLEMS, Misuse
from gateway.cli.terminal import Painter
from manifests.explanation import Standing, explained, node_explained, standings
from manifests.plan import Plan
from manifests.problems import did_you_mean


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "bundle", type=bundle_or_plan, metavar="BUNDLE", help="the folder of a bundle, or a plan.json of `haul compile`"
    )
    parser.add_argument("--node", metavar="PATH", help="all about this node; in a body, as in `each/review`")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    plan = plan_of(arguments.bundle, arguments.color)
    if plan is None:
        return PROBLEMS
    standing = None if arguments.node is None else _standing(plan, arguments.node)
    if arguments.format == "json":
        facts = node_explained(plan, standing) if standing else explained(plan)
        print(json.dumps(facts, indent=2))
        return FINE
    told = Explanation(plan, Painter.chosen(arguments.color, sys.stdout))
    print("\n".join(told.of(standing) if standing else told.whole()))
    return FINE


def _standing(plan: Plan, path: str) -> Standing:
    known = {standing.node.path: standing for standing in reversed(standings(plan))}
    if path in known:
        return known[path]
    raise Misuse(f"{plan.name!r} has no node {path!r}; {did_you_mean(path, known, 'node')}")
