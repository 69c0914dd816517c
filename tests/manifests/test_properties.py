"""What holds for every bundle: those that chance makes up, and what is left of one after chance has been at it."""

from __future__ import annotations

import base64
import gzip
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import compiler
from manifests.compiler import compile_bundle
from manifests.packing import carried, packed
from manifests.plan import Plan, loaded
from manifests.problems import Problem, Refused
from manifests.reading import read_yaml
from tests.manifests.random_bundles import Files, random_bundle, restyled, save, text_of

CATALOGUE = Path(compiler.__file__).parent / "catalog"
BUNDLES = sorted(path.name for path in CATALOGUE.iterdir() if path.is_dir())
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    0.5,
    "",
    " ",
    "${",
    "${}",
    "${input",
    "a b",
    "->",
    "é",
    {},
    [],
    [[]],
    {"": 1},
    "x" * 99,
]
seeds = st.integers(0, 2**32)
sizes = st.integers(0, 8)


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """A compiler that hangs is a compiler that fails."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"nothing came of it within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def compiled(files: Files) -> Plan:
    with tempfile.TemporaryDirectory() as folder, within(20):
        plan: Plan = compile_bundle(save(files, Path(folder) / "bundle")).plan
    return plan


def from_catalogue(name: str) -> Files:
    """A shipped bundle, its manifests as values and all else as text."""
    folder = CATALOGUE / name
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: read_yaml(path, name).data if path.suffix == ".yaml" else path.read_text(encoding="utf-8")
        for name, path in files.items()
    }


def assert_plan_or_problems(files: Files) -> None:
    """The bundle compiles, or every problem points into one of its files and shows a way out."""
    with tempfile.TemporaryDirectory() as temporary, within(20):
        for problem in problems_of(save(files, Path(temporary) / "bundle")):
            assert problem.message
            assert problem.fix, problem
            lines = lines_of(Path(problem.span.file))
            start, end = (problem.span.line, problem.span.column), (problem.span.end_line, problem.span.end_column)
            assert (1, 1) <= start <= end, problem
            for line, column in (start, end):
                assert line <= len(lines), problem
                assert 1 <= column <= len(lines[line - 1]) + 1, problem


def problems_of(folder: Path) -> list[Problem]:
    try:
        compile_bundle(folder)
    except Refused as refused:
        return refused.problems
    return []


def lines_of(file: Path) -> list[str]:
    text = file.read_bytes().decode(errors="replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").split("\n")


# --- what compiles


@given(seeds, sizes)
def test_a_valid_bundle_compiles(seed: int, size: int) -> None:
    assert compiled(random_bundle(seed, size)).nodes


@given(seeds, sizes)
def test_a_plan_survives_its_canonical_bytes(seed: int, size: int) -> None:
    plan = compiled(random_bundle(seed, size))
    again = loaded(plan.canonical())
    assert (again, again.canonical(), again.sha256) == (plan, plan.canonical(), plan.sha256)


@given(seeds, sizes)
def test_a_history_carries_a_plan_as_any_shell_can_unpack_it(seed: int, size: int) -> None:
    plan = compiled(random_bundle(seed, size))
    assert gzip.decompress(base64.b64decode(packed(plan))) == plan.canonical()
    assert carried(packed(plan)) == plan


@given(seeds, sizes, seeds)
def test_the_way_a_bundle_is_written_does_not_show(seed: int, size: int, style: int) -> None:
    files, chance = random_bundle(seed, size), Random(style)
    names = chance.sample(sorted(files), len(files))
    assert compiled({name: restyled(files[name], chance) for name in names}).canonical() == compiled(files).canonical()


@pytest.mark.parametrize("bundle", BUNDLES)
@settings(max_examples=10)
@given(style=seeds)
def test_the_way_a_shipped_bundle_is_written_does_not_show(bundle: str, style: int) -> None:
    files, chance = from_catalogue(bundle), Random(style)
    other = {name: each if isinstance(each, str) else restyled(each, chance) for name, each in files.items()}
    assert compiled(other).canonical() == compile_bundle(CATALOGUE / bundle).plan.canonical()


def test_two_processes_give_the_same_bytes(tmp_path: Path, project: Path) -> None:
    folders = [save(random_bundle(seed, 12), tmp_path / f"b{seed}") for seed in range(12)]
    folders += [CATALOGUE / name for name in BUNDLES]
    code = (
        "import sys; from pathlib import Path; from manifests.compiler import compile_bundle\n"
        "for folder in sys.argv[1:]: print(compile_bundle(Path(folder)).plan.sha256)"
    )
    given = [
        subprocess.run(
            [sys.executable, "-c", code, *map(str, folders)],
            cwd=project,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert len(given[0]) == len(folders)
    assert given[0] == given[1]


# --- what does not


def holders(value: Any) -> list[Any]:
    """Every mapping and list that has something in it."""
    if not isinstance(value, dict | list) or not value:
        return []
    below = list(value.values()) if isinstance(value, dict) else value
    return [value, *[holder for each in below for holder in holders(each)]]


def mutated(value: Any, other: Any, chance: Random) -> None:
    """Does one thing to a value that an author, a merge or a cat on the keyboard would do."""
    holder = chance.choice(holders(value) or [value])
    if not isinstance(holder, dict | list) or not holder:
        return
    keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = chance.choice(keys)
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = chance.choice(JUNK)
        case 2 if isinstance(holder, dict):
            holder[chance.choice([f"{key}x", str(key)[:-1], str(key).upper(), "else", "on", ""])] = holder.pop(key)
        case 3 if isinstance(holder, dict):
            holder[f"{key}_again"] = holder[key]
        case 3 if isinstance(holder, list):
            holder.append(holder[key])
        case 4:
            there = chance.choice(keys)
            holder[key], holder[there] = holder[there], holder[key]
        case _:
            source = chance.choice(holders(other))
            holder[key] = chance.choice(list(source.values()) if isinstance(source, dict) else source)


def acyclic_copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: acyclic_copy(each) for key, each in value.items()}
    return [acyclic_copy(each) for each in value] if isinstance(value, list) else value


def with_values_changed(files: Files, chance: Random) -> Files:
    names = [name for name, value in files.items() if not isinstance(value, str)]
    changed = acyclic_copy(files)
    for _ in range(chance.randint(1, 3)):
        mutated(changed[chance.choice(names)], acyclic_copy(files[chance.choice(names)]), chance)
        changed = acyclic_copy(changed)
    return {name: changed[name] for name in files}


def with_text_changed(files: Files, chance: Random) -> Files:
    name = chance.choice(sorted(files))
    data = (restyled(files[name], chance) if not isinstance(files[name], str) else text_of(files[name])).encode()
    start = chance.randint(0, len(data))
    match chance.randrange(4):
        case 0:
            data = data[:start]
        case 1:
            data = data[:start] + chance.randbytes(chance.randint(1, 4)) + data[start:]
        case 2:
            data = data[:start] + data[start + chance.randint(1, 20) :]
        case _:
            data = data[:start] + chance.choice(list("{}[]:,#&*!|>'\"%@`\t\n-?~")).encode() + data[start:]
    return {**files, name: data}


@settings(max_examples=200)
@given(seeds, sizes, seeds)
def test_a_bundle_with_other_values_compiles_or_is_refused_in_place(seed: int, size: int, change: int) -> None:
    assert_plan_or_problems(with_values_changed(random_bundle(seed, size), Random(change)))


@settings(max_examples=200)
@given(seeds, sizes, seeds)
def test_a_bundle_with_other_text_compiles_or_is_refused_in_place(seed: int, size: int, change: int) -> None:
    assert_plan_or_problems(with_text_changed(random_bundle(seed, size), Random(change)))


@settings(max_examples=200)
@given(st.sampled_from(BUNDLES), seeds)
def test_a_shipped_bundle_with_other_values_compiles_or_is_refused_in_place(bundle: str, change: int) -> None:
    assert_plan_or_problems(with_values_changed(from_catalogue(bundle), Random(change)))


@settings(max_examples=200)
@given(st.sampled_from(BUNDLES), seeds)
def test_a_shipped_bundle_with_other_text_compiles_or_is_refused_in_place(bundle: str, change: int) -> None:
    assert_plan_or_problems(with_text_changed(from_catalogue(bundle), Random(change)))
