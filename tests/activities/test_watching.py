"""What activities tell of themselves outlasts the attempt that told it."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts import Sign
from activities.watching import Watching, tell_soon

BEAT = timedelta(seconds=1)


@activity.defn(name="models.lost")
async def lost() -> Any:
    """Tells something, and fails; says nothing for longer than a sign of life takes, and fails; gives what was told."""
    match activity.info().attempt:
        case 1:
            tell_soon(lambda: Sign(tokens_in=3, text="Ahoy"), 0.0)
            await asyncio.sleep(0.1)
        case 2:
            await asyncio.sleep(BEAT.total_seconds() / 2)
        case _:
            return [each["text"] for each in activity.info().heartbeat_details]
    raise ApplicationError("lost")


@workflow.defn
class Asking:
    @workflow.run
    async def run(self) -> Any:
        again = RetryPolicy(initial_interval=timedelta(milliseconds=10))
        longest = timedelta(seconds=30)
        return await workflow.execute_activity(
            lost, start_to_close_timeout=longest, heartbeat_timeout=BEAT, retry_policy=again
        )


async def test_a_silent_attempt_does_not_wipe_out_what_the_one_before_has_told(temporal: Client) -> None:
    queue = f"q-{uuid.uuid4()}"
    async with Worker(
        temporal,
        task_queue=queue,
        workflows=[Asking],
        activities=[lost],
        interceptors=[Watching()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    ):
        assert await temporal.execute_workflow(Asking.run, id=queue, task_queue=queue) == ["Ahoy"]
