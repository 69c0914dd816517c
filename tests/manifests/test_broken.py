"""Broken manifests: every problem at its place, in its words, with its way out, and no other beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manifests.codes import CODES
from tests.manifests.broken.cases import HERE, Case, cases, found, groups, lay_out

CASES = [pytest.param(case, id=f"{group.stem}: {case.name}") for group in groups() for case in cases(group)]


def test_the_base_bundle_is_fine() -> None:
    assert found(HERE / "base") == []


@pytest.mark.parametrize("case", CASES)
def test_the_compiler_says_what_is_wrong(case: Case, tmp_path: Path) -> None:
    folder = tmp_path.resolve() / "bundle"
    lay_out(case, folder)
    assert found(folder) == case.golden
    assert case.golden


def test_every_code_that_is_used_is_described(project: Path) -> None:
    sources = [path for path in (project / "manifests").rglob("*.py") if path.name != "codes.py"]
    used = {code for path in sources for code in re.findall(r"\bHL\d{3}\b", path.read_text("utf-8"))}
    assert used == set(CODES)


def test_every_code_has_a_case() -> None:
    golden = [line for group in groups() for case in cases(group) for line in case.golden]
    assert set(CODES) - {line.split(" ")[0] for line in golden} == set()


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for group in groups() for case in cases(group)]
    assert len(names) == len(set(names)) >= 150
