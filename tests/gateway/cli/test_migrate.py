"""`haul migrate` as a shell sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main

OLD = "# mine\nname: x\nnodes:\n  a: {transform: 1}   # one\n"
NEW = "# mine\napiVersion: haulage/v1\nname: x\nnodes:\n  a: {transform: 1}   # one\n"


@pytest.fixture
def bundle(here: Path) -> Path:
    (here / "b").mkdir()
    (here / "b" / "workflow.yaml").write_text(OLD)
    return here / "b"


def test_an_old_bundle_is_brought_up_and_compiles(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "b"]) == 1
    assert "run `haul migrate`" in capsys.readouterr().out
    assert main(["migrate", "b"]) == 0
    assert capsys.readouterr().out == "b/workflow.yaml: now says apiVersion: haulage/v1\n"
    assert (bundle / "workflow.yaml").read_text() == NEW
    assert main(["check", "b"]) == 0


def test_a_dry_run_changes_nothing(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "b", "--dry-run"]) == 0
    assert capsys.readouterr().out == "b/workflow.yaml: would say apiVersion: haulage/v1\n"
    assert (bundle / "workflow.yaml").read_text() == OLD


def test_a_current_bundle_is_said_to_be_current(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "workflow.yaml").write_text(NEW)
    assert main(["migrate", "b"]) == 0
    assert capsys.readouterr().out == "1 file of b: everything is current (haulage/v1)\n"


def test_an_unknown_version_changes_no_file(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "tools.yaml").write_text("apiVersion: haulage/v9\n")
    assert main(["migrate", "b"]) == 1
    assert "b/tools.yaml:1:13: HL109 apiVersion 'haulage/v9' is not one that this haul knows" in capsys.readouterr().err
    assert (bundle / "workflow.yaml").read_text() == OLD


def test_an_empty_folder_is_misuse(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "."]) == 2
    assert capsys.readouterr().err == "haul: '.' has no file of a bundle\n"
