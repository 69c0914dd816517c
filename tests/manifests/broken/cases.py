"""Broken manifests as text: each case is the base bundle with a mistake in it, and what the compiler says to that.

A case starts with `##### its name`. Its parts each start with a line of their own:

    === FILE    the whole file; with `(escaped)` behind its name, `\\x..` and the like are read as in Python
    ~~~ FILE    the base's file with edits: lines with `-` or a blank in front are looked for, those with `+` or a
                blank stand there afterwards; `@@` separates edits, and an edit of `+` lines goes to the end
    xxx FILE    the file is not there
    --> FILE    a link; the next line says where it leads
    !!! problems    everything the compiler says, in order
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manifests.compiler import compile_bundle
from manifests.problems import Problem, Refused

HERE = Path(__file__).resolve().parent
_PART = re.compile(r"^(===|~~~|xxx|-->|!!!) (\S+)( \(escaped\))?\n", re.MULTILINE)


@dataclass
class Part:
    sign: str
    file: str
    text: str
    escaped: bool = False


@dataclass
class Case:
    name: str
    parts: list[Part] = field(default_factory=list)
    golden: list[str] = field(default_factory=list)
    text: str = ""


def cases(group: Path) -> Iterator[Case]:
    """The cases of one file."""
    for written in group.read_text("utf-8").split("##### ")[1:]:
        name, _, rest = written.partition("\n")
        pieces = _PART.split(rest)
        parts = [
            Part(sign, file, text.rstrip("\n") + "\n", bool(escaped))
            for sign, file, escaped, text in zip(*(pieces[at::4] for at in (1, 2, 3, 4)), strict=True)
        ]
        golden = [line for part in parts if part.sign == "!!!" for line in part.text.splitlines() if line]
        yield Case(name, [part for part in parts if part.sign != "!!!"], golden, written.partition("!!!")[0])


def groups() -> list[Path]:
    return sorted(HERE.glob("*.txt"))


def lay_out(case: Case, folder: Path) -> None:
    """Writes the bundle of a case."""
    shutil.copytree(HERE / "base", folder)
    for part in case.parts:
        path = folder / part.file
        path.parent.mkdir(parents=True, exist_ok=True)
        match part.sign:
            case "===":
                path.write_bytes(_bytes(part))
            case "~~~":
                path.write_text(edited(path.read_text("utf-8"), part.text), "utf-8")
            case "xxx":
                path.unlink()
            case "-->":
                path.unlink(missing_ok=True)
                path.symlink_to(part.text.strip())


def _bytes(part: Part) -> bytes:
    if part.escaped:
        return part.text.rstrip("\n").encode("utf-8").decode("unicode_escape").encode("latin-1")
    return part.text.encode("utf-8")


def edited(text: str, edits: str) -> str:
    for edit in edits.split("@@\n"):
        lines = edit.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in ("-", " ", ""))
        after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in ("+", " ", ""))
        if not before:
            text += after
            continue
        start = f"\n{text}".count(f"\n{before}")
        if start != 1:
            raise ValueError(f"found {start} times: {before}")
        text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]
    return text


def found(folder: Path) -> list[str]:
    """What the compiler says about a bundle, a line for each problem."""
    try:
        compile_bundle(folder)
    except Refused as refused:
        return list(_shown(refused.problems, folder))
    return []


def _shown(problems: Iterable[Problem], folder: Path) -> Iterator[str]:
    for problem in problems:
        at = problem.span
        place = f"{at.file}:{at.line}:{at.column}-{at.end_line}:{at.end_column}"
        line = " | ".join([f"{problem.code} {place}", problem.message, problem.expected, problem.fix])
        line = line.replace(f"{folder}/", "").replace(f"{folder.parent}/", "../").replace("\n", "\\n")
        yield line.rstrip(" ")
