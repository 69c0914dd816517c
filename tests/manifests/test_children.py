"""Workflows that run others: each bundle is compiled once, and a circle of them is shown wherever it is entered."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import bundle
from manifests.bundle import Bundle
from manifests.compiler import compile_bundle
from manifests.problems import Problem
from tests.manifests.broken.cases import found

BODY = "{transform: 1}"


def save(folder: Path, name: str, *runs: str, broken: bool = False) -> Path:
    """A bundle that runs others, each of them twice."""
    nodes = {f"{run}_{time}": f"{{workflow: {run}}}" for run in runs for time in "ab"}
    nodes["last"] = "{transform: '${nothing}'}" if broken else BODY
    lines = [f"  {node}: {spec}" for node, spec in nodes.items()]
    chain = f"edges: [{' -> '.join(nodes)}]\n" if len(nodes) > 1 else ""
    text = f"apiVersion: haulage/v1\nname: {name}\nnodes:\n" + "\n".join(lines) + "\n" + chain
    (folder / name).mkdir()
    (folder / name / "workflow.yaml").write_text(text)
    return folder / name


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the bundles that were read, in order."""
    names: list[str] = []
    load = bundle.load

    def noted(folder: Path, problems: list[Problem]) -> Bundle:
        names.append(folder.name)
        return load(folder, problems)

    monkeypatch.setattr(bundle, "load", noted)
    return names


def test_a_shared_bundle_is_compiled_once(tmp_path: Path, loaded: list[str]) -> None:
    for level in range(12):
        save(tmp_path, f"w{level}", *[f"w{level - 1}", f"w{level - 2}"][: min(level, 2)])
    plan = compile_bundle(tmp_path / "w11").plan
    assert sorted(loaded) == sorted(f"w{level}" for level in range(12))
    assert set(plan.children) == {"w10", "w9"}


def test_a_shared_bundle_that_does_not_compile_is_read_once_and_said_wherever_it_is_run(
    tmp_path: Path, loaded: list[str]
) -> None:
    save(tmp_path, "bad", broken=True)
    save(tmp_path, "good", "bad")
    said = found(save(tmp_path, "top", "good", "bad"))
    assert loaded.count("bad") == 1
    assert [line.split(" ")[0] for line in said] == ["HL207"] * len(said)
    assert len(said) >= 2


def test_a_circle_is_shown_with_its_way(tmp_path: Path) -> None:
    save(tmp_path, "b", "c")
    save(tmp_path, "c", "b")
    said = found(save(tmp_path, "a", "b", "c"))
    assert "a workflow cannot run itself: b -> c -> b" in said[0]
    assert any("'c' does not compile" in line and "cannot run itself" in line for line in said)
    assert "a workflow cannot run itself: b -> c -> b" in found(tmp_path / "b")[0]
