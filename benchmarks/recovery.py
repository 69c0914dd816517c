"""How long a run stands still when the worker that has its call is killed.

A worker is killed with SIGKILL in the middle of a call of a tool; another one, which is there by then, finishes the
run. The time from the kill to the end of the run is to be at most the heartbeat timeout and four seconds.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from tests.faults.campaign import CASES
from tests.faults.processes import Process, Setup
from tests.faults.watching import at_work, comes
from workers.connection import connect
from workers.embedded import EmbeddedServer

CASE = CASES["rich-with-happy"]
MARGIN = 4.0
# Rounds, by the heartbeat timeout in seconds: a short one, and the default.
ROUNDS = {2: 5, 10: 3}
# How long a call takes before and after its effect: longer than it takes the second worker to start.
SLOW = "30"


def measured(rounds: Mapping[int, int] = ROUNDS) -> dict[str, Any]:
    """Seconds from each kill to the end of the run, by the heartbeat timeout in seconds."""
    return {
        "recovery": {str(heartbeat): asyncio.run(_measured(heartbeat, number)) for heartbeat, number in rounds.items()}
    }


async def _measured(heartbeat: int, rounds: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(Path(folder) / "server") as facts:
            return [await _round(facts.address, Path(folder) / str(each), heartbeat) for each in range(rounds)]


async def _round(address: str, home: Path, heartbeat: int) -> float:
    settings = {"bundles": str(CASE.bundles), "script": str(CASE.scenario)}
    setup = Setup(address, home, settings={**settings, "heartbeat_ms": str(heartbeat * 1000)})
    client = await connect(address)
    # The first is killed when it has the call, so it must be the one that gets it: the second comes when it has.
    async with Process(setup, "--slow", SLOW) as first:
        run = await client.start_workflow("parcel", {"name": "a"}, id=f"parcel-{uuid.uuid4()}", task_queue="haulage")
        await comes(lambda: at_work(run, "tools.call"))
        async with Process(setup) as second:
            await comes(lambda: _polled_by(client, second.pid))
            assert await at_work(run, "tools.call")
            first.send(signal.SIGKILL)
            start = time.perf_counter()
            await run.result()
            return round(time.perf_counter() - start, 3)


async def _polled_by(client: Client, pid: int) -> bool:
    """Whether this process waits for work, as the server sees it."""
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue_type=kind)
    request.task_queue.name = "haulage.tools"
    pollers = (await client.workflow_service.describe_task_queue(request)).pollers
    return any(poller.identity.startswith(f"{pid}@") for poller in pollers)


def report(found: dict[str, Any]) -> Iterator[str]:
    """The findings as Markdown."""
    yield "| heartbeat | rounds | median | min | max | budget |"
    yield "|--:|--:|--:|--:|--:|---|"
    for heartbeat, times in found["recovery"].items():
        budget = float(heartbeat) + MARGIN
        verdict = "PASS" if max(times) <= budget else "MISS"
        spread = " | ".join(f"{each:.2f} s" for each in (statistics.median(times), min(times), max(times)))
        yield f"| {heartbeat} s | {len(times)} | {spread} | {verdict}: {budget:g} s |"
