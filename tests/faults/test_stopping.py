"""Workers that are told to stop while they work: they end with exit code 0, and the work is not lost."""

from __future__ import annotations

import asyncio
import signal
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.faults.campaign import CASES, POOLS, TASK_TIME
from tests.faults.processes import Process, Setup
from tests.faults.watching import at_work, comes

CASE = CASES["rich-with-happy"]
ROUNDS = [2, pytest.param(20, marks=pytest.mark.long)]


def setup(client: Client, home: Path, drain: float) -> Setup:
    settings = {"bundles": str(CASE.bundles), "script": str(CASE.scenario), "pool": POOLS}
    settings |= {"heartbeat_ms": "1000", "drain_s": str(drain), "home": str(home)}
    return Setup(client.service_client.config.target_host, home, client.namespace, settings)


async def stopped_at_work(setup: Setup, client: Client, slow: float) -> int:
    """The exit code of a worker that is told to stop while it has a call of a tool in its hands."""
    run = await client.start_workflow(
        "rich", args=[{}], id=f"rich-{uuid.uuid4()}", task_queue="haulage", task_timeout=TASK_TIME
    )
    async with Process(setup, "--slow", str(slow)) as worker:
        await comes(lambda: at_work(run, "tools.call"), worker)
        worker.send(signal.SIGTERM)
        code = await worker.ended()
    await run.terminate()
    return code


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize(("slow", "drain"), [(0.4, 30.0), (1.0, 0.2)], ids=["time to finish", "no time to finish"])
async def test_a_worker_that_is_told_to_stop_at_work_ends_with_exit_code_0(
    rounds: int, slow: float, drain: float, ways: list[Client], tmp_path: Path
) -> None:
    async def some(lane: Client, number: int) -> list[int]:
        own = setup(lane, tmp_path / lane.namespace, drain)
        return [await stopped_at_work(own, lane, slow) for _ in range(number)]

    lanes = ways[:2]
    shares = [rounds // 2, rounds - rounds // 2]
    codes = await asyncio.gather(*(some(lane, share) for lane, share in zip(lanes, shares, strict=True)))
    said = "".join(path.read_text() for path in tmp_path.glob("*/workers.log"))
    assert [code for each in codes for code in each] == [0] * rounds, said
    assert "PyGILState" not in said
    assert "Traceback" not in said


async def test_a_worker_that_is_told_to_stop_finishes_what_it_has(ways: list[Client], tmp_path: Path) -> None:
    own = setup(ways[0], tmp_path, drain=30.0)
    run = await ways[0].start_workflow(
        "rich", args=[{}], id=f"rich-{uuid.uuid4()}", task_queue="haulage", task_timeout=TASK_TIME
    )
    await run.signal("approve", {"node": "agreed", "choice": "approve"})
    async with Process(own, "--slow", "0.4") as worker:
        await comes(lambda: at_work(run, "tools.call"))
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    events = [event async for event in run.fetch_history_events()]
    # The script's first answer is a failure: it has been told, and nobody has to find out what became of the call.
    assert [event for event in events if event.HasField("activity_task_failed_event_attributes")]
    async with Process(own):
        assert (await run.result())["booked"] == "B-1"
