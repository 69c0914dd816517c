"""Calls that kill their workers, servers that go away for long, and queues that nobody serves."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowHandle

from tests.faults.campaign import CASES, TASK_TIME
from tests.faults.processes import Nest, Process, Setup
from tests.faults.watching import comes, keys_of
from tests.support import Haul
from workers.building import world
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.settings import Settings

CASE = CASES["rich-with-happy"]
SETTINGS = {"bundles": str(CASE.bundles), "script": str(CASE.scenario), "heartbeat_ms": "1000"}
# Longer than any back-off that the SDK begins with.
OUTAGE = 20.0


def setup(client: Client, home: Path, **settings: str) -> Setup:
    return Setup(client.service_client.config.target_host, home, client.namespace, {**SETTINGS, **settings})


async def parcel(client: Client) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        "parcel", args=[{"name": "a"}], id=f"parcel-{uuid.uuid4()}", task_queue="haulage", task_timeout=TASK_TIME
    )


async def test_a_call_that_kills_every_worker_is_given_up_as_unavailable(
    ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    own = setup(ways[0], tmp_path, lost_attempts="3")
    deaths = 0
    async with nest.hatched(own, "--roles", "run"):
        run = await parcel(ways[0])
        end = asyncio.create_task(Haul(ways[0], world(Settings(home=tmp_path))).ended(run))
        while not end.done():
            async with nest.hatched(own, "--roles", "tools", "--end", "activity:1:before") as victim:
                death = asyncio.create_task(victim.ended.wait())
                await asyncio.wait([death, end], return_when=asyncio.FIRST_COMPLETED)
                deaths += victim.ended.is_set()
            await death
    assert (await end).status == "failed"
    failure = (await end).failure
    assert (failure["category"], failure["node"]) == ("unavailable", "send")
    # A try can also be lost on its way to a worker that is dead already.
    assert 1 <= deaths <= 3
    assert keys_of(own.effects) == []


async def test_a_run_whose_queue_nobody_serves_says_what_it_waits_for(
    ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    own = setup(ways[0], tmp_path)
    async with nest.hatched(own, "--roles", "run"):
        run = await parcel(ways[0])
        await comes(lambda: _waits(run))
        assert (await run.query("state"))["nodes"] == {"send": "running"}
        async with nest.hatched(own, "--roles", "tools"):
            assert await run.result() == {"receipt": "R-1"}


async def _waits(run: WorkflowHandle[Any, Any]) -> bool:
    waiting = (await run.describe()).raw_description.pending_activities
    scheduled = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return [(each.activity_id, each.state) for each in waiting] == [("send", scheduled)]


@pytest.mark.long
async def test_a_worker_waits_for_a_server_that_is_away_for_long(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "server")
    facts = await server.start()
    own = Setup(facts.address, tmp_path / "work", settings=SETTINGS)
    async with Process(own) as worker:
        assert await (await parcel(await connect(facts.address))).result() == {"receipt": "R-1"}
        server.kill()
        await server.wait()
        await server.stop()
        await asyncio.sleep(OUTAGE)
        assert worker.runs
        async with EmbeddedServer(tmp_path / "server", port=int(facts.address.rpartition(":")[2])) as again:
            assert again.address == facts.address
            assert await (await parcel(await connect(again.address))).result() == {"receipt": "R-1"}
            assert worker.runs
