"""A folder to stand in, problems made by hand, and a `haul dev` for all tests that want one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.cli.diagnostics import TextReport, _lines_of
from gateway.cli.terminal import Painter
from manifests.problems import Problem
from manifests.source import Span
from tests.gateway.cli.processes import Dev, bundles, developing

Drawn: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    _lines_of.cache_clear()
    return tmp_path


@pytest.fixture
def drawn(here: Path) -> Drawn:
    """The lines of the report on one problem in a file with this text."""

    def draw(text: str, line: int, column: int, end_line: int, end_column: int, **more: str) -> list[str]:
        (here / "workflow.yaml").write_bytes(text.encode())
        _lines_of.cache_clear()
        width = int(more.pop("width", "120"))
        span = Span("workflow.yaml", line, column, end_line, end_column)
        problem = Problem("HL214", span, more.pop("message", "it is wrong"), **more)
        return TextReport(Painter(width=width)).of(problem).split("\n")

    return draw


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Dev]:
    """One that serves the catalogue and the small bundles."""
    root = tmp_path_factory.mktemp("dev")
    served = [bundles(root / "bundles"), project / "manifests" / "catalog"]
    with developing(root / "home", "--bundles", *served) as running:
        yield running
