"""`haul diff` as a shell sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gateway.cli.main import main
from manifests.published import FOLDER

GREMLIN = FOLDER.parent.parent / "catalog" / "code-gremlin"


@pytest.fixture
def copy(here: Path) -> Path:
    return Path(shutil.copytree(GREMLIN, here / "copy"))


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_a_comment_leaves_the_same_plan(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy / "workflow.yaml", "nodes:\n", "# here they come\nnodes:\n")
    assert main(["diff", str(GREMLIN), "copy"]) == 0
    assert capsys.readouterr().out.startswith("same plan (")


def test_changes_stand_in_sections_and_are_counted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy / "workflow.yaml", "attempts: 2, initial: 1s", "attempts: 2, initial: 5s")
    change(copy / "tools.yaml", "commands: [python3]", "commands: [python3, bash]")
    assert main(["diff", str(GREMLIN), "copy"]) == 1
    lines = capsys.readouterr().out.split("\n")
    assert lines[:4] == [
        "nodes",
        "  check: retry.initial_ms: 1,000 → 5,000",
        "tools",
        "  run_checks: commands: [python3] → [python3, bash]  widened",
    ]
    assert lines[-2] == "2 changes, 1 permission widened"


def test_a_prompt_is_compared_line_by_line(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy / "prompts" / "editor.md", "You change files", "You never change files")
    assert main(["diff", str(GREMLIN), "copy"]) == 1
    lines = capsys.readouterr().out.split("\n")
    assert "    -You change files in a workspace. Goal: {{ goal }}" in lines
    assert "    +You never change files in a workspace. Goal: {{ goal }}" in lines


def test_json_has_every_change(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy / "workflow.yaml", "tokens: 60000", "tokens: 70000")
    assert main(["diff", "--format", "json", str(GREMLIN), "copy"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"section": "budget", "path": "", "what": "tokens", "before": 60000, "after": 70000, "widens": False}
    ]


def test_no_difference_is_an_empty_list(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "--format", "json", str(GREMLIN), "copy"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_written_plan_stands_for_its_bundle(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "copy", "-o", "plan.json"]) == 0
    assert main(["diff", "plan.json", "copy"]) == 0


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\xff"])
def test_what_is_no_plan_is_misuse(copy: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    Path("plan.json").write_text(text, encoding="latin-1")
    assert main(["diff", "plan.json", "copy"]) == 2
    assert "is not a plan that this haul reads" in capsys.readouterr().err


def test_a_bundle_that_does_not_compile_cannot_be_compared(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copy / "workflow.yaml", "agent: planner", "agent: planer")
    assert main(["diff", str(GREMLIN), "copy"]) == 2
    assert "planer" in capsys.readouterr().err
