"""How well and how fast broken answers are read, beside other libraries.

Documents are made from a seed and broken in ways whose right reading is known. *Right* is the document again (of one
that was cut off: nothing but parts of it), *wrong* is another value, and the rest is refused.
"""

from __future__ import annotations

import importlib
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.answers.reading import Unreadable, read

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title", "lines", "total"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string"},
        "total": {"type": "number"},
        "paid": {"type": "boolean"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "$defs": {
        "line": {
            "type": "object",
            "required": ["name", "count"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "count": {"type": "integer"},
                "note": {"type": ["string", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}
WORDS = [
    "box",
    "crate",
    "it's",
    '"big"',
    "[sic]",
    "{a}",
    "tar,",
    "5:30",
    "C:\\dir",
    "café",
    "two\nlines",
    "-",
    "12",
    "//",
    "no",
]
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

Reader = Callable[[str], Any]


class Refused(Exception):
    """Nothing was read."""


@dataclass
class Tally:
    right: int = 0
    wrong: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, float]:
        median = round(statistics.median(self.seconds), 7) if self.seconds else 0.0
        return {"right": self.right, "wrong": self.wrong, "refused": self.refused, "seconds": median}

    def cells(self) -> str:
        if not self.seconds:
            return " | "
        micros = f"{statistics.median(self.seconds) * 1e6:,.0f}"
        return f"{self.right} / {self.wrong} / {self.refused} | {micros}"


# --- documents, and what goes wrong with them


def document(chance: random.Random) -> dict[str, Any]:
    lines = [
        {
            "name": _words(chance),
            "count": chance.randrange(10_000),
            "note": chance.choice([None, _words(chance)]),
            "tags": [_words(chance) for _ in range(chance.randrange(3))],
        }
        for _ in range(chance.randrange(1, 12))
    ]
    return {
        "title": _words(chance),
        "lines": lines,
        "total": chance.randrange(10**6) / 100,
        "paid": chance.random() < 0.5,
    }


def _words(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randrange(1, 8)))


def _without_one(text: str, chance: random.Random, marks: str) -> str:
    """One mark outside of the texts is gone; the quotes around them count as outside."""
    inside = {at for found in STRING.finditer(text) for at in range(found.start() + 1, found.end() - 1)}
    at = chance.choice([at for at, mark in enumerate(text) if mark in marks and at not in inside])
    return text[:at] + text[at + 1 :]


def _outside(text: str, change: Callable[[str], str]) -> str:
    """The text with a change made to all but what stands in quotes."""
    parts, end = [], 0
    for found in STRING.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])


def _quoted_singly(text: str) -> str:
    return STRING.sub(lambda found: "'" + found[0][1:-1].replace('\\"', '"').replace("'", "\\'") + "'", text)


def _python(text: str) -> str:
    words = {"true": "True", "false": "False", "null": "None"}
    return _outside(text, lambda part: re.sub("true|false|null", lambda found: words[found[0]], part))


BROKEN: dict[str, Callable[[str, random.Random], str]] = {
    "valid": lambda text, chance: text,
    "in a fence": lambda text, chance: f"Here you are:\n```json\n{text}\n```\nAnything else?",
    "in prose": lambda text, chance: f"I looked at [3] files. The answer is {text}, I think.",
    "after thinking": lambda text, chance: f"<think>Maybe {{'title': 1}}? No.</think>\n{text}",
    "cut off": lambda text, chance: text[: chance.randrange(len(text) // 3, len(text) - 1)],
    "without its end": lambda text, chance: text.rstrip("]} \n"),
    "trailing commas": lambda text, chance: _outside(text, lambda part: re.sub(r"(?<=[\w\]}])(?=\s*[\]}])", ",", part)),
    "single quotes": lambda text, chance: _quoted_singly(text),
    "Python literals": lambda text, chance: _python(text),
    "bare keys": lambda text, chance: re.sub(r'"(\w+)"(?=: )', r"\1", text),
    "comments": lambda text, chance: _outside(
        text, lambda part: part.replace(",\n", ", // so\n").replace("{", "{/**/")
    ),
    "raw line ends": lambda text, chance: text.replace("\\n", "\n"),
    "a comma gone": lambda text, chance: _without_one(text, chance, ","),
    "a bracket gone": lambda text, chance: _without_one(text, chance, "[]{}"),
    "a quote gone": lambda text, chance: _without_one(text, chance, '"'),
    "a colon gone": lambda text, chance: _without_one(text, chance, ":"),
    "numbers as texts": lambda text, chance: _outside(text, lambda part: re.sub(r"\d+(?:\.\d+)?", r'"\g<0>"', part)),
    "in an envelope": lambda text, chance: f'{{"result": {text}}}',
    "no JSON at all": lambda text, chance: " ".join(chance.choices(WORDS, k=40)),
}


# Told by the schema alone: nobody else is asked.
BY_SCHEMA = ("numbers as texts", "in an envelope")


def is_part(value: Any, whole: Any) -> bool:
    """Whether a value holds nothing that is not in the whole one, in its place."""
    if isinstance(value, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(below, whole[name]) for name, below in value.items())
    if isinstance(value, list) and isinstance(whole, list):
        return len(value) <= len(whole) and all(map(is_part, value, whole))
    if isinstance(value, str) and isinstance(whole, str):
        return whole.startswith(value)
    return type(value) is type(whole) and bool(value == whole)


# --- readers


def readers() -> dict[str, Reader]:
    """Ours with and without the schema, and those of the others that are there."""
    found: dict[str, Reader] = {"ours": _ours(SCHEMA), "ours, no schema": _ours({})}
    sys.path += [str(path) for path in Path(".haulage/peers/answers").glob("lib/python*/site-packages")]
    for library, function in (("json-repair", "loads"), ("fast-json-repair", "loads")):
        try:
            loads = getattr(importlib.import_module(library.replace("-", "_")), function)
        except ImportError:
            continue
        found[library] = _theirs(loads)
    return found


def _ours(schema: dict[str, Any]) -> Reader:
    def reader(text: str) -> Any:
        try:
            return read(text, schema).value
        except Unreadable:
            raise Refused from None

    return reader


def _theirs(loads: Callable[[str], Any]) -> Reader:
    def reader(text: str) -> Any:
        try:
            value = loads(text)
        except (ValueError, RecursionError):
            raise Refused from None
        if value is None or value == "":
            raise Refused  # so they say that there is nothing
        return value

    return reader


# --- measuring


def measured(documents: int = 200, seed: int = 4) -> dict[str, Any]:
    """How each reader did with each kind of breakage, and each of our rungs with all of them."""
    those = readers()
    kinds = {kind: {name: Tally() for name in those} for kind in BROKEN}
    rungs: dict[str, Tally] = {}
    for number in range(documents):
        chance = random.Random(f"{seed} {number}")
        whole = document(chance)
        text = json.dumps(whole, ensure_ascii=False, indent=chance.choice([None, 2]))
        for kind, breakage in BROKEN.items():
            broken = breakage(text, chance)
            for name, reader in those.items():
                if kind in BY_SCHEMA and name != "ours":
                    continue
                _tell(kinds[kind][name], kind, reader, broken, whole)
            _tell(rungs.setdefault(_rung(broken), Tally()), kind, those["ours"], broken, whole)
    return {"documents": documents, "seed": seed, "kinds": kinds, "rungs": rungs}


def _tell(tally: Tally, kind: str, reader: Reader, broken: str, whole: Any) -> None:
    start = time.perf_counter()
    try:
        value = reader(broken)
    except Refused:
        tally.refused += 1
    else:
        is_cut = kind in ("cut off", "without its end")
        is_right = kind != "no JSON at all" and (is_part(value, whole) if is_cut else value == whole)
        tally.right += is_right
        tally.wrong += not is_right
    tally.seconds.append(time.perf_counter() - start)


def _rung(text: str) -> str:
    try:
        return read(text, SCHEMA).rung
    except Unreadable as error:
        return f"refused: {error.category}"


def as_json(found: dict[str, Any]) -> dict[str, Any]:
    kinds = {kind: {name: each.as_json() for name, each in tallies.items()} for kind, tallies in found["kinds"].items()}
    return {**found, "kinds": kinds, "rungs": {rung: tally.as_json() for rung, tally in found["rungs"].items()}}


def report(found: dict[str, Any]) -> Iterator[str]:
    """The findings as Markdown."""
    names = list(next(iter(found["kinds"].values())))
    told = "right / wrong / refused, and the median in µs"
    yield f"{found['documents']} documents from the seed {found['seed']}; {told}."
    yield ""
    yield f"| broken | {' | '.join(f'{name} | µs' for name in names)} |"
    yield f"|---|{'--:|--:|' * len(names)}"
    for kind, tallies in found["kinds"].items():
        yield f"| {kind} | {' | '.join(tallies[name].cells() for name in names)} |"
    yield ""
    yield "| rung | right / wrong / refused | µs |"
    yield "|---|--:|--:|"
    for rung, tally in sorted(found["rungs"].items()):
        yield f"| {rung} | {tally.cells()} |"
