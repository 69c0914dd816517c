"""`haul diff`: what differs in meaning between two bundles or plans."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from difflib import unified_diff
from itertools import groupby
from typing import Any

from gateway.cli.bundles import bundle_or_plan, plan_of
from gateway.cli.diagnostics import counted
from gateway.cli.misuse import FINE, MISUSE, PROBLEMS, Misuse, bundle_folder
from gateway.cli.tables import shortened
from gateway.cli.terminal import Painter, visible
from manifests.changes import ADDED, REMOVED, Change
from manifests.comparison import compared
from manifests.wording import value

MOST_LINES = 24  # of a prompt's differences


def configure(parser: ArgumentParser) -> None:
    what = "the folder of a bundle, or a plan.json of `haul compile`"
    parser.add_argument("before", nargs="?", type=bundle_or_plan, metavar="A", help=what)
    parser.add_argument("after", nargs="?", type=bundle_or_plan, metavar="B", help="the same, to compare with")
    parser.add_argument(
        "--against-running", type=bundle_folder, metavar="BUNDLE",
        help="instead: what this bundle and this code mean for each of its open runs",
    )  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.epilog = (
        "Exit status: 0 same plan, 1 something differs, 2 nothing could be compared. Against open runs: 0 all of them "
        "go on, 1 one must migrate or could not be judged."
    )
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    if arguments.against_running is not None:
        if arguments.before is not None:
            raise Misuse("either two to compare, or --against-running BUNDLE")
        from gateway.cli.against import against_running  # the SDK costs whoever compares files a third of a second

        paint = Painter.chosen(arguments.color, sys.stdout)
        return against_running(arguments.against_running, arguments.format == "json", arguments.color, paint)
    if arguments.before is None or arguments.after is None:
        raise Misuse("two bundles or plans are compared: `haul diff A B`; or `haul diff --against-running BUNDLE`")
    before = plan_of(arguments.before, arguments.color)
    after = plan_of(arguments.after, arguments.color)
    if before is None or after is None:
        return MISUSE  # status 1 says that the two differ
    changes = compared(before, after)
    if arguments.format == "json":
        print(json.dumps([dataclasses.asdict(change) for change in changes], indent=2))
    else:
        paint = Painter.chosen(arguments.color, sys.stdout)
        print("\n".join(_text(changes, paint)) if changes else paint.good(f"same plan ({after.sha256[:12]})"))
    return PROBLEMS if changes else FINE


def _text(changes: list[Change], paint: Painter) -> Iterator[str]:
    for section, found in groupby(changes, key=lambda change: change.section):
        yield paint.label(section)
        for change in found:
            yield from _lines(change, paint)
    wider = sum(change.widens for change in changes)
    said = f", {counted(wider, 'permission')} widened" if wider else ""
    yield ""
    yield paint.place(counted(len(changes), "change")) + paint.bad(said)


def _lines(change: Change, paint: Painter) -> Iterator[str]:
    if change.section == "prompts":
        yield f"  {visible(change.path)}"
        yield from (f"    {line}" for line in _prompt(change, paint))
        return
    mark = paint.bad("  widened") if change.widens else ""
    room = paint.width - 2 - (9 if change.widens else 0)
    if change.what in (ADDED, REMOVED):
        line = shortened(visible(_thing(change)), room)
        yield f"  {paint.good(line) if change.what == ADDED else paint.bad(line)}{mark}"
        return
    head = visible(": ".join(filter(None, (change.path, change.what))))
    before, after = _halves(change, room - len(head) - 6)
    yield f"  {head}: {before} {paint.faint('→')} {after}{mark}"


def _thing(change: Change) -> str:
    """What came or went."""
    sign, what = ("+", change.after) if change.what == ADDED else ("-", change.before)
    said = (
        ", ".join(f"{key} {_one_line(below)}" for key, below in what.items()) if isinstance(what, dict) else str(what)
    )
    return f"{sign} {': '.join(filter(None, (change.path, said)))}"


def _halves(change: Change, room: int) -> tuple[str, str]:
    """Both values on one line, from where they begin to differ if they are long."""
    before, after = _one_line(change.before), _one_line(change.after)
    half = max(room // 2, 12)
    if len(before) + len(after) > room:
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        if same > half // 2:
            before, after = (f"…{text[same - half // 4 :]}" for text in (before, after))
    return shortened(visible(before), half), shortened(visible(after), half)


def _one_line(what: Any) -> str:
    if what is None:
        return "none"
    if isinstance(what, int) and not isinstance(what, bool):
        return f"{what:,}"
    if isinstance(what, list) and all(isinstance(item, str) for item in what):
        return f"[{', '.join(what)}]"
    return value(what)


def _prompt(change: Change, paint: Painter) -> Iterator[str]:
    old, new = str(change.before).splitlines(), str(change.after).splitlines()
    lines = [line for line in unified_diff(old, new, n=1, lineterm="") if not line.startswith(("---", "+++"))]
    colors = {"+": paint.good, "-": paint.bad, "@": paint.faint}
    for line in lines[:MOST_LINES]:
        painted = colors.get(line[:1], str)
        yield painted(shortened(visible(line), paint.width - 4))
    if len(lines) > MOST_LINES:
        yield paint.faint(f"… and {len(lines) - MOST_LINES} more lines")
