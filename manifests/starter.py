"""A new bundle from one of the catalogue."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from manifests.published import FOLDER as SCHEMAS
from manifests.reading import read_yaml
from manifests.rewriting import at, edited

CATALOGUE = Path(__file__).parent / "catalog"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_SCHEMA_LINE = re.compile(r"^# yaml-language-server: \$schema=(?P<schema>\S+)[ \t]*\r?\n", re.MULTILINE)


def templates() -> list[str]:
    """The bundles of the catalogue."""
    return sorted(path.parent.name for path in CATALOGUE.glob("*/workflow.yaml"))


def start(template: str, folder: Path, schemas: Path = SCHEMAS) -> None:
    """Copies a bundle of the catalogue to a folder that is not there yet, whose name becomes the bundle's."""
    origin = CATALOGUE / template
    ignored: Callable[[str, list[str]], set[str]] = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(origin, folder, ignore=ignored)
    for path in sorted(folder.rglob("*.yaml")):
        text = _with_schema(path.read_bytes().decode(), path, schemas)
        path.write_bytes(text.replace(f"manifests/catalog/{template}", folder.as_posix()).encode())
    _rename(folder / "workflow.yaml", folder.name)


def _rename(path: Path, name: str) -> None:
    source = read_yaml(path, str(path))
    path.write_bytes(edited(path.read_bytes(), [at((source.place / "name").span, name)]))


def _with_schema(text: str, path: Path, schemas: Path) -> str:
    """The line that editors read, pointing at the installed schema, or nothing where no path leads to it."""

    def line(found: re.Match[str]) -> str:
        schema = schemas / Path(found["schema"]).name
        try:
            relative = Path(os.path.relpath(schema, path.parent.resolve())).as_posix()
        except ValueError:  # another drive
            return ""
        return found[0].replace(found["schema"], relative) if schema.is_file() and " " not in relative else ""

    return _SCHEMA_LINE.sub(line, text)
