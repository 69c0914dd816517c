"""Haulage on a worker of somebody's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.conftest import PROJECT
from workers.plugin import HaulagePlugin
from workers.settings import Settings


@activity.defn
async def flaky(name: str) -> str:
    if activity.info().attempt == 1:
        raise ApplicationError("not yet")
    return f"hello {name}"


@workflow.defn(sandboxed=False)
class Own:
    @workflow.run
    async def run(self, name: str) -> str:

        return await workflow.execute_activity(flaky, name, start_to_close_timeout=timedelta(seconds=5))


async def test_manifests_run_beside_the_workflows_of_a_worker_of_ones_own(temporal: Client, tmp_path: Path) -> None:
    plugin = HaulagePlugin(PROJECT / "manifests" / "catalog", settings=Settings(home=tmp_path))
    queue = f"own-{tmp_path.name}"
    async with Worker(temporal, task_queue=queue, workflows=[Own], activities=[flaky], plugins=[plugin]):
        given = await temporal.execute_workflow("hello", {"name": "ada"}, id=f"{queue}-1", task_queue=queue)
        assert given["text"] == "Hello, Ada!"
        assert await temporal.execute_workflow(Own.run, "bob", id=f"{queue}-2", task_queue=queue) == "hello bob"


def test_lists_are_written_with_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setenv("HAULAGE_BUNDLES", "one,two/three")
    assert Settings().bundles == [Path("one"), Path("two/three")]
