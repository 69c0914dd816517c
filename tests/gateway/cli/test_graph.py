"""`haul graph` as a shell sees it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli.main import main
from manifests.problems import Problem, Refused
from manifests.source import Span
from tests.manifests.drawing import plans


@pytest.fixture
def bundle(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (here / "gremlin").mkdir()
    compiled = SimpleNamespace(plan=plans.gremlin())
    monkeypatch.setattr("gateway.cli.bundles.compile_bundle", lambda path: compiled)
    return here


def test_a_bundle_is_drawn_as_mermaid(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "gremlin"]) == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")


def test_a_bundle_is_drawn_as_dot(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "gremlin", "--format", "dot"]) == 0
    assert capsys.readouterr().out.startswith("digraph plan {\n")


def test_a_drawing_goes_to_a_file(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "gremlin", "--format", "svg", "-o", "gremlin.svg"]) == 0
    assert ElementTree.parse(bundle / "gremlin.svg").getroot().attrib["role"] == "img"
    assert capsys.readouterr().out == ""


def test_what_a_pipeline_leaves_out_is_faint(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "gremlin", "--pipeline", "quick"]) == 0
    assert "classDef faint" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "hint"), [("quik", "did you mean 'quick'?"), ("other", "it has 'quick'"), ("", "it has 'quick'")]
)
def test_an_unknown_pipeline_is_misuse(bundle: Path, capsys: pytest.CaptureFixture[str], name: str, hint: str) -> None:
    assert main(["graph", "gremlin", "--pipeline", name]) == 2
    assert capsys.readouterr().err == f"haul: 'code-gremlin' has no pipeline {name!r}; {hint}\n"


def test_a_bundle_that_does_not_compile_is_reported(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise Refused([Problem("HL214", Span("workflow.yaml", 1, 1, 1, 2), "it is wrong")])

    monkeypatch.setattr("gateway.cli.bundles.compile_bundle", refuse)
    assert main(["graph", "gremlin"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "HL214 it is wrong" in said.err
