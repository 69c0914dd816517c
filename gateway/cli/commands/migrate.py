"""`haul migrate`: a bundle's files in the newest version of the language, with their comments and their order."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gateway.cli.diagnostics import counted, refuse
from gateway.cli.misuse import FINE, PROBLEMS, Misuse, bundle_folder
from gateway.cli.terminal import Painter
from manifests.migration import STEPS, migrations
from manifests.problems import Refused


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_folder, metavar="BUNDLE", help="the folder of a bundle")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    try:
        found = migrations(arguments.bundle)
    except Refused as refused:
        refuse(refused.problems, arguments.color)
        return PROBLEMS
    if not found:
        raise Misuse(f"{str(arguments.bundle)!r} has no file of a bundle")
    changed = [file for file in found if file.changes]
    for file in changed:
        if not arguments.dry_run:
            file.path.write_bytes(file.data)
        print(f"{file.path}: {'would say' if arguments.dry_run else 'now says'} {'; '.join(file.changes)}")
    if not changed:
        print(f"{counted(len(found), 'file')} of {arguments.bundle}: everything is current ({STEPS[-1].to})")
    return FINE
