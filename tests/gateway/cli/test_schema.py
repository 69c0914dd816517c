"""`haul schema` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from manifests.published import PUBLISHED


def test_without_a_kind_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.split("\n")[1:-1]] == list(PUBLISHED)


def test_a_kind_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "tools"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "haulage/v1 tools.yaml"


def test_all_are_written_and_those_that_changed_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--all", "v1"]) == 0
    assert capsys.readouterr().out.split() == [f"v1/{kind}.json" for kind in PUBLISHED]
    assert main(["schema", "--all", "v1"]) == 0
    assert capsys.readouterr().out == f"all {len(PUBLISHED)} schemas in v1 are current\n"


def test_a_kind_and_all_are_misuse(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "tools", "--all", "v1"]) == 2
    assert not (here / "v1").exists()


def test_an_unknown_kind_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["schema", "tool"])
    assert left.value.code == 2
