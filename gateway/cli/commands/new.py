"""`haul new`: a bundle of your own, from one of the catalogue."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.cli.misuse import FINE, Misuse
from manifests.problems import did_you_mean
from manifests.starter import NAME, start, templates


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the new workflow, and of its folder")
    parser.add_argument(
        "--template", default="hello", metavar="BUNDLE", help=f"start from: {', '.join(templates())} (default: hello)"
    )
    parser.add_argument("--in", dest="parent", default=".", metavar="FOLDER", help="where to make it (default: here)")


def run(arguments: Namespace) -> int:
    name, parent = arguments.name, Path(arguments.parent)
    if not NAME.fullmatch(name):
        raise Misuse(f"{name!r} is not a name: a letter, then at most 99 letters, digits, '_', '.' or '-'")
    known = templates()
    if arguments.template not in known:
        fix = did_you_mean(arguments.template, known, "bundle")
        raise Misuse(f"there is no bundle {arguments.template!r} in the catalogue; {fix}")
    if not parent.is_dir():
        raise Misuse(f"there is no folder {arguments.parent!r}")
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise Misuse(f"{str(folder)!r} is there already; choose another name")
    start(arguments.template, folder)
    word = shlex.quote(str(folder))
    print(f"{folder}: a bundle like {arguments.template!r}. Now:\n  haul check {word}\n  haul explain {word}")
    return FINE
