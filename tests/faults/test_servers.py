"""A server that is killed, alone and together with its workers; a worker that sleeps and comes back too late."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle

from tests.faults.campaign import CASES, POOLS, TASK_TIME
from tests.faults.processes import Process, Setup
from tests.faults.watching import at_work, comes, keys_of
from tests.support import Ended, Haul
from workers.building import world
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.settings import Settings

CASE = CASES["rich-with-happy"]
SETTINGS = {"bundles": str(CASE.bundles), "script": str(CASE.scenario), "pool": POOLS}
SLEEP = 30.0
PAID = {"booked": "B-1", "sent": ["R-1", "R-1"]}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """One that may be killed."""
    server = EmbeddedServer(tmp_path / "server")
    await server.start()
    yield server
    await server.stop()


async def restarted(server: EmbeddedServer, home: Path) -> EmbeddedServer:
    """Killed, looked at, and started again on the same data and the same port."""
    assert server.facts is not None
    address = server.facts.address
    server.kill()
    await server.wait()
    await server.stop()
    assert integrity(home) == ["ok"]
    heir = EmbeddedServer(home, port=int(address.rpartition(":")[2]))
    assert (await heir.start()).address == address
    return heir


def integrity(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "temporal.db")) as database:
        return [row[0] for row in database.execute("PRAGMA integrity_check")]


async def begun(client: Client) -> WorkflowHandle[Any, Any]:
    run = await client.start_workflow(
        "rich", args=[{}], id=f"rich-{uuid.uuid4()}", task_queue="haulage", task_timeout=TASK_TIME
    )
    await run.signal("approve", {"node": "agreed", "choice": "approve"})
    return run


def has_done(setup: Setup, effects: int) -> bool:
    return len(keys_of(setup.effects)) >= effects


async def told(client: Client, home: Path, run: WorkflowHandle[Any, Any]) -> Ended:
    return await Haul(client, world(Settings(home=home))).ended(run)


@pytest.mark.parametrize("worker_too", [False, pytest.param(True, marks=pytest.mark.long)], ids=["server", "both"])
async def test_a_run_outlives_a_server_that_is_killed_three_times(
    worker_too: bool, server: EmbeddedServer, tmp_path: Path
) -> None:
    assert server.facts is not None
    client = await connect(server.facts.address)
    setup = Setup(server.facts.address, tmp_path / "work", settings={**SETTINGS, "heartbeat_ms": "2000"})
    heirs = [server]
    worker = Process(setup, "--slow", "0.2")
    try:
        run = await begun(client)
        for effects in (1, 3, 4):
            await comes(partial(has_done, setup, effects))
            if worker_too:
                worker.send(signal.SIGKILL)
                await worker.ended()
            heirs.append(await restarted(heirs[-1], tmp_path / "server"))
            if worker_too:
                worker = Process(setup, "--slow", "0.2")
        end = await told(client, setup.home, run)
        assert worker.runs
    finally:
        worker.send(signal.SIGKILL)
        await worker.ended()
        await heirs[-1].stop()
    assert integrity(tmp_path / "server") == ["ok"]
    assert (end.status, {key: end.output[key] for key in PAID}) == ("completed", PAID)
    # book twice, send in two sub-runs, pay, tell, close
    assert len(keys_of(setup.effects)) == len(set(keys_of(setup.effects))) == 7


@pytest.mark.long
async def test_a_worker_that_wakes_up_too_late_is_not_listened_to(server: EmbeddedServer, tmp_path: Path) -> None:
    assert server.facts is not None
    client = await connect(server.facts.address)
    setup = Setup(server.facts.address, tmp_path / "work", settings={**SETTINGS, "heartbeat_ms": "1000"})
    log = tmp_path / "zombie.jsonl"
    async with (
        Process(setup, "--roles", "run,models,memory"),
        Process(setup, "--slow", "0.5", "--roles", "tools", "--log", str(log)) as zombie,
    ):
        run = await begun(client)
        await comes(lambda: at_work(run, "tools.call"))
        zombie.send(signal.SIGSTOP)
        # The one call that it holds is given out again, and nobody but the other worker can have taken it.
        await comes(lambda: at_work(run, "tools.call", tries=2))
        async with Process(setup, "--roles", "tools", "--slow", "0.05") as other:
            await comes(lambda: keys_of(setup.effects))
            await asyncio.sleep(SLEEP)
            zombie.send(signal.SIGCONT)
            await comes(lambda: "activity:1:after" in log.read_text(), zombie)
            end = await told(client, setup.home, run)
            assert zombie.runs
            assert other.runs
    assert end.status == "completed"
    keys = keys_of(setup.effects)
    assert len(keys) == len(set(keys)) == 7
    events = [event async for event in run.fetch_history_events()]
    ends = [each for event in events if (each := _end_of_activity(event)) is not None]
    scheduled = [event for event in events if event.HasField("activity_task_scheduled_event_attributes")]
    assert len(ends) == len(scheduled)
    # What the zombie held it has carried out in the end, and reported; what counts is what the other said of it.
    held = json.loads(log.read_text().splitlines()[0])["about"].split()[1]
    (call,) = [each for each in scheduled if each.activity_task_scheduled_event_attributes.activity_id == held]
    (told_by,) = [end.identity for end in ends if end.scheduled_event_id == call.event_id]
    assert told_by.startswith(f"{other.pid}@")


def _end_of_activity(event: HistoryEvent) -> Any:
    if event.HasField("activity_task_completed_event_attributes"):
        return event.activity_task_completed_event_attributes
    if event.HasField("activity_task_failed_event_attributes"):
        return event.activity_task_failed_event_attributes
    return None
