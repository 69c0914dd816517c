"""Files become text: what is refused before anybody looks at YAML, JSON or prose."""

from __future__ import annotations

import gc
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from manifests.problems import Problem
from manifests.source import Position, Span

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_NODES = 200_000

# A carriage return alone ends a line for YAML and for nobody's editor, so lines would be counted in two ways.
PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")
# YAML 1.1, which libyaml follows here, takes the Unicode line separators for line breaks; YAML 1.2 does not.
YAML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)")
JSON = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]|\r(?!\n)")


class Unreadable(Exception):
    """A file that cannot be read as what it should be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refuse(code: str, at: Span, message: str, expected: str, fix: str) -> NoReturn:
    raise Unreadable(Problem(code, at, message, expected, fix))


def decoded(path: Path, name: str) -> str:
    """The text of a UTF-8 file that is not too large."""
    data = _bytes(path, name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        refuse(
            "HL002",
            span(name, before, len(before)),
            f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8",
            "text in UTF-8",
            "save the file as UTF-8",
        )


def allowed(text: str, name: str, refused: re.Pattern[str]) -> str:
    """The text without its byte order mark and with \\n for line ends, or a refusal of its first bad character."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    bad = refused.search(text)
    if bad is None:
        return text
    code = ord(bad[0])
    refuse(
        "HL002",
        span(name, text, bad.start(), bad.end()),
        f"the character U+{code:04X} may not stand in this file",
        "printable characters, tabs and line feeds",
        "end lines with a line feed" if bad[0] == "\r" else _way_out(code, refused),
    )


def position(text: str, offset: int) -> Position:
    return text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset) - 1


def span(name: str, text: str, start: int, end: int | None = None) -> Span:
    """The stretch of a text between two offsets; without an end it is the point at `start`."""
    (line, column), (end_line, end_column) = position(text, start), position(text, start if end is None else end)
    return Span(name, line + 1, column + 1, end_line + 1, end_column + 1)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Building a large tree makes no garbage, yet half of the time went to the collector walking through it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _way_out(code: int, refused: re.Pattern[str]) -> str:
    if refused is PROSE or 0xD800 <= code <= 0xDFFF:
        return "remove it"
    return f'remove it, or write it as "\\u{code:04x}" in double quotes'


def _bytes(path: Path, name: str) -> bytes:
    at = Span(name, 1, 1, 1, 1)
    try:
        status = path.stat()
        # Opening a pipe or a device could wait for ever or never end.
        if not stat.S_ISREG(status.st_mode):
            refuse("HL001", at, f"{name} is not a file", "a regular file", "put a file there")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1) if status.st_size <= MAX_BYTES else b""
    except FileNotFoundError:
        refuse("HL001", at, f"there is no file {name}", "a file", "create it, or correct the name")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        refuse("HL001", at, f"{name} cannot be read: {reason}", "a readable file", "check its name and permissions")
    size = max(status.st_size, len(data))
    if size > MAX_BYTES:
        refuse(
            "HL007",
            at,
            f"{name} has {size:,} bytes; the limit is {MAX_BYTES:,}",
            f"at most {MAX_BYTES:,} bytes",
            "split the file, or move large texts and data out of the bundle",
        )
    return data
