"""Bringing a bundle's files up to the version of the language that this compiler reads, comments and all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifests.bundle import KINDS, inside
from manifests.problems import Problem, Refused
from manifests.reading import Unreadable, parse_yaml, read_yaml
from manifests.rewriting import Edit, edited
from manifests.shape.base import API_VERSION
from manifests.source import Mapping, Source, Span

KEY = "apiVersion"


@dataclass(frozen=True)
class Step:
    """One version to the next: the edits to a file's text, and what they do in a few words."""

    since: str | None
    to: str
    says: str
    edits: Callable[[Source, Mapping], list[Edit]]


@dataclass(frozen=True)
class Migrated:
    """A file and what becomes of it; without changes its bytes are those it has."""

    path: Path
    changes: tuple[str, ...]
    data: bytes


def migrations(folder: Path) -> list[Migrated]:
    """What becomes of every file of a bundle; nothing is written, and nothing comes of it if one file is refused."""
    found: list[Migrated] = []
    problems: list[Problem] = []
    for path in files(folder):
        try:
            if not inside(folder, path):
                raise Unreadable(_outside(path))
            found.append(migrated(path, STEPS))
        except Unreadable as error:
            problems.append(error.problem)
    if problems:
        raise Refused(problems)
    return found


def files(folder: Path) -> list[Path]:
    """The manifest files that a bundle has."""
    own = [folder / f"{kind}.yaml" for kind in KINDS]
    return [path for path in own if path.exists()] + sorted((folder / "tests").glob("*.yaml"))


def migrated(path: Path, steps: tuple[Step, ...]) -> Migrated:
    """A file after all the steps that lead on from its version."""
    name = os.path.normpath(path)
    source = read_yaml(path, name)
    raw, changes = path.read_bytes(), []
    for step in _steps_from(source, steps):
        root = source.root
        assert isinstance(root, Mapping)
        raw = edited(raw, step.edits(source, root))
        changes.append(step.says)
        source = parse_yaml(raw.decode(), name)
    return Migrated(path, tuple(changes), raw)


def _steps_from(source: Source, steps: tuple[Step, ...]) -> Iterator[Step]:
    version = _version(source)
    known = [step.since for step in steps] + [steps[-1].to]
    if version not in known:
        spelt = ", ".join(name for name in known if name)
        message = f"{KEY} {version!r} is not one that this haul knows"
        fix = f"correct it, or use a haul that knows {version!r}"
        raise Unreadable(Problem("HL109", source.place / KEY, message, spelt, fix))
    for step in steps:
        if step.since == version:
            yield step
            version = step.to


def _version(source: Source) -> Any:
    if not isinstance(source.root, Mapping):
        wanted, fix = "keys and values", "write the file again, or remove it"
        raise Unreadable(Problem("HL103", source.place, "this is not a file of a bundle", wanted, fix))
    return source.data[KEY] or "" if KEY in source.data else None


def _outside(path: Path) -> Problem:
    name = os.path.normpath(path)
    message = f"{name} is a link that leads out of the bundle"
    return Problem("HL012", Span(name, 1, 1, 1, 1), message, "a file inside the bundle", "copy the file")


def _say_version(source: Source, root: Mapping) -> list[Edit]:
    """In a line before the first key, indented like it, or inside the braces."""
    line, column = root.start
    if source.lines[line][column:].startswith("{"):
        behind = (line, column + 1)
        return [Edit(behind, behind, f"{KEY}: {API_VERSION}" + (", " if root.entries else ""))]
    line = next(key.start[0] for key, _ in root.entries.values())  # the mapping itself may start at an anchor above
    text = source.lines[line]
    indent = text[: len(text) - len(text.lstrip(" "))]
    return [Edit((line, 0), (line, 0), f"{indent}{KEY}: {API_VERSION}\n")]


STEPS = (Step(None, "haulage/v1", f"{KEY}: haulage/v1", _say_version),)
