"""`haul schema`: the JSON Schemas of manifest files, for editors and other programs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.cli.misuse import FINE, Misuse
from gateway.cli.tables import table
from manifests.published import ABOUT, PUBLISHED, file_name, publish, written


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", choices=PUBLISHED, metavar="KIND", help=f"one of {', '.join(PUBLISHED)}; absent: list them"
    )
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="write KIND.json for every kind into this folder")


def run(arguments: Namespace) -> int:
    if arguments.all and arguments.kind:
        raise Misuse("'--all' writes every kind; leave out '--all' or the kind")
    if arguments.all:
        changed = list(publish(arguments.all))
        for path in changed:
            print(path)
        if not changed:
            print(f"all {len(PUBLISHED)} schemas in {arguments.all} are current")
    elif arguments.kind:
        print(written(arguments.kind), end="")
    else:
        rows = [(kind, file_name(kind), ABOUT[kind]) for kind in PUBLISHED]
        print("\n".join(table(("kind", "file", "says"), rows, 120, str)))
    return FINE
