"""Options that say where things are."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def places(parser: ArgumentParser, *, bundles: str = "") -> None:
    parser.add_argument("--home", type=Path, metavar="DIR", help="where our data is kept (default: .haulage)")
    if bundles:
        parser.add_argument("--bundles", type=Path, action="extend", nargs="+", metavar="DIR", help=bundles)
