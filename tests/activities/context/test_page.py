"""What docs/context.md shows is what `haul` shows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from gateway.cli.main import main
from tests.docs.test_examples import blocks
from tests.support import Hauling


async def test_the_report_on_the_page_is_the_one_that_its_bundle_gives(
    temporal: Client, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = list(blocks((project / "docs" / "context.md").read_text(encoding="utf-8")))
    bundle = tmp_path / "bundles" / "lookout"
    bundle.mkdir(parents=True)
    for block in found:
        if block.said.get("bundle") == "lookout":
            (bundle / block.said.get("file", "workflow.yaml")).write_text(block.body, encoding="utf-8")
    async with Hauling(temporal, tmp_path / "home", bundles=[tmp_path / "bundles"]) as haul:
        await (await haul.start("lookout", id="lookout-1")).result()
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path / "home"))
    assert await asyncio.to_thread(main, ["show", "lookout-1", "--context", "watch/look"]) == 0
    (shown,) = (block.body for block in found if "context" in block.words)
    assert capsys.readouterr().out == shown
