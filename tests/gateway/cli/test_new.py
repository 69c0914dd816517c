"""`haul new` as a shell sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from manifests.published import FOLDER
from manifests.starter import start, templates

CATALOGUE = FOLDER.parent.parent / "catalog"


@pytest.mark.parametrize("template", templates())
def test_a_new_bundle_compiles(here: Path, capsys: pytest.CaptureFixture[str], template: str) -> None:
    assert main(["new", "mine", "--template", template]) == 0
    assert main(["check", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("mine: fine (")


def test_only_the_name_and_the_schema_lines_differ(here: Path) -> None:
    assert main(["new", "mine"]) == 0
    before = (CATALOGUE / "hello" / "workflow.yaml").read_text(encoding="utf-8").split("\n")
    after = (here / "mine" / "workflow.yaml").read_text(encoding="utf-8").split("\n")
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [re.sub("=.*", "", line) for line in changed] == ["# yaml-language-server: $schema", "name: mine"]


def test_editors_find_the_schemas_from_there(here: Path) -> None:
    assert main(["new", "mine"]) == 0
    for path in (here / "mine").rglob("*.yaml"):
        found = re.search(r"\$schema=(\S+)", path.read_text(encoding="utf-8"))
        assert found
        assert (path.parent / found[1]).resolve().parent == FOLDER


def test_without_installed_schemas_the_lines_are_left_out(here: Path) -> None:
    start("hello", here / "mine", here / "nowhere")
    assert (here / "mine" / "workflow.yaml").read_text(encoding="utf-8").startswith("# Three nodes")


def test_the_next_two_commands_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my bundles").mkdir()
    assert main(["new", "mine", "--in", "my bundles"]) == 0
    assert capsys.readouterr().out == (
        "my bundles/mine: a bundle like 'hello'. Now:\n"
        "  haul check 'my bundles/mine'\n  haul explain 'my bundles/mine'\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["there"], "'there' is there already; choose another name"),
        (["../x"], "'../x' is not a name: a letter, then at most 99 letters, digits, '_', '.' or '-'"),
        (["1x"], "'1x' is not a name: a letter, then at most 99 letters, digits, '_', '.' or '-'"),
        (["x", "--template", "helo"], "there is no bundle 'helo' in the catalogue; did you mean 'hello'?"),
        (["x", "--in", "nowhere"], "there is no folder 'nowhere'"),
    ],
)
def test_misuse_is_one_clear_line(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    (here / "there").mkdir()
    assert main(["new", *words]) == 2
    assert capsys.readouterr().err == f"haul: {said}\n"
    assert [path.name for path in here.iterdir()] == ["there"]
