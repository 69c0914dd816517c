"""yaml-test-suite: what YAML 1.2 means, case by case, and where we differ on purpose."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.reading import Unreadable, parse_yaml
from manifests.source import Mapping, Scalar, Sequence, Source, Tree

# Valid YAML that we refuse, by our code and what must stand in the text to explain it.
ON_PURPOSE = {
    "HL005": re.compile("!|%TAG"),
    "HL006": re.compile("[&*]"),
    "HL008": re.compile(r"^(---|\.\.\.)", re.MULTILINE),
    "HL010": re.compile(r"[?\[{]"),
}
# Valid YAML that libyaml cannot read; the author gets an error and a way out, never other data.
BEYOND_LIBYAML = {
    "empty-key", "flow", "whitespace", "indent", "directive", "footer", "alias", "anchor",
    "folded",  # `--- >` with a text that is not indented at all
}  # fmt: skip
# Invalid YAML that libyaml lets pass: missing blanks before comments, flow lines and tabs at the left margin.
LENIENT = {"comment", "flow", "indent", "whitespace", "directive", "folded"}

EMPTY_KEY = re.compile("^:", re.MULTILINE)  # the suite does not tag all of them

WRITTEN = {"␣": " ", "↵": "", "∎\n": "", "←": "\r", "⇔": "\ufeff"}


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    tags: frozenset[str]
    invalid: bool
    json: str | None


@pytest.fixture(scope="module")
def cases(shared_corpora: Path) -> list[Case]:
    files = sorted((shared_corpora / "yaml-test-suite" / "src").glob("*.yaml"))
    assert len(files) == 351
    return [case for file in files for case in cases_of(file)]


def cases_of(file: Path) -> Iterator[Case]:
    """The cases of a file; each says only what it does not share with the one before."""
    shared: dict[str, Any] = {}
    for number, entry in enumerate(yaml.safe_load(file.read_text())):
        shared = {**{key: shared[key] for key in shared if key != "fail"}, **entry}
        text = re.sub("—*»", "\t", shared["yaml"])
        for mark, meaning in WRITTEN.items():
            text = text.replace(mark, meaning)
        tags = frozenset((shared.get("tags") or "").split())
        yield Case(f"{file.stem}/{number}", text, tags, bool(shared.get("fail")), shared.get("json"))


def read(case: Case) -> Source | Unreadable:
    try:
        return parse_yaml(case.text, case.name)
    except Unreadable as refused:
        return refused


def test_every_refusal_stands_inside_its_file(cases: list[Case]) -> None:
    for case in cases:
        outcome = read(case)
        if isinstance(outcome, Unreadable):
            problem, lines = outcome.problem, case.text.split("\n")
            assert 1 <= problem.span.line <= len(lines), case.name
            assert 1 <= problem.span.column <= len(lines[problem.span.line - 1]) + 1, case.name
            assert problem.expected, case.name
            assert problem.fix, case.name


def test_valid_yaml_means_what_the_suite_says(cases: list[Case]) -> None:
    compared = 0
    for case in cases:
        outcome = read(case)
        if isinstance(outcome, Source) and not case.invalid and case.json:
            wanted = json.loads(case.json)
            assert canonical(outcome.data) == canonical(wanted), case.name
            compared += 1
    assert compared >= 190


def canonical(data: Any) -> str:
    """`1` and `1.0` and `true` are equal in Python, not here."""
    return json.dumps(data, sort_keys=True)


def test_valid_yaml_is_refused_for_reasons_we_can_name(cases: list[Case]) -> None:
    outcomes = [(case, read(case)) for case in cases if not case.invalid]
    for case, outcome in outcomes:
        if isinstance(outcome, Unreadable):
            code = outcome.problem.code
            if code == "HL003":
                reason = bool(case.tags & BEYOND_LIBYAML or EMPTY_KEY.search(case.text))
            else:
                reason = bool(ON_PURPOSE[code].search(case.text))
            assert reason, (case.name, code, outcome.problem.message)


def test_invalid_yaml_is_refused_but_for_what_libyaml_lets_pass(cases: list[Case]) -> None:
    passed = [case for case in cases if case.invalid and isinstance(read(case), Source)]
    assert all(case.tags & LENIENT for case in passed)
    assert len(passed) <= 12


def test_every_value_stands_inside_its_file_and_its_parent(cases: list[Case]) -> None:
    seen: Counter[str] = Counter()
    for case in cases:
        outcome = read(case)
        if isinstance(outcome, Source) and "*" not in case.text:
            assert_inside(outcome.root, (0, 0), (len(outcome.lines), 0), case.name)
            seen["cases"] += 1
    assert seen["cases"] >= 190


def assert_inside(tree: Tree, start: tuple[int, int], end: tuple[int, int], name: str) -> None:
    assert start <= tree.start <= tree.end <= end, (name, tree)
    at = tree.start
    below: list[Tree] = []
    if isinstance(tree, Mapping):
        below = [part for entry in tree.entries.values() for part in entry]
    elif isinstance(tree, Sequence):
        below = tree.items
    else:
        assert isinstance(tree, Scalar)
    for each in below:
        assert_inside(each, at, tree.end, name)
        at = each.end
