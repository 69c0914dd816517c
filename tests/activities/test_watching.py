"""What activities tell of themselves outlasts the attempt that told it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts import Sign
from activities.watching import Watching, tell_soon

BEAT = timedelta(seconds=1)
ONCE = RetryPolicy(maximum_attempts=1)


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


@activity.defn(name="tools.slow")
async def slow(how: str) -> Any:
    """Takes too long, and still has something to tell when it is ended; or has had a time of its own."""
    if how == "its own":
        raise TimeoutError("the printer has not answered")
    tell_soon(lambda: Sign(text="on my way"), 0.0)
    try:
        await asyncio.sleep(60)
    finally:
        tell_soon(lambda: Sign(text="nearly"), 0.0)
        await asyncio.sleep(0.05)


@workflow.defn
class Hurrying:
    @workflow.run
    async def run(self, how: str) -> Any:
        longest = timedelta(seconds=5.2)
        try:
            await workflow.execute_activity(
                slow, how, start_to_close_timeout=longest, heartbeat_timeout=BEAT, retry_policy=ONCE
            )
        except ActivityError as error:
            cause = error.cause
            return (cause.type, cause.message) if isinstance(cause, ApplicationError) else repr(cause)


@asynccontextmanager
async def working(temporal: Client) -> AsyncIterator[str]:
    queue = f"q-{uuid.uuid4()}"
    async with Worker(
        temporal,
        task_queue=queue,
        workflows=[Asking, Hurrying],
        activities=[lost, slow],
        interceptors=[Watching()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    ):
        yield queue


async def test_a_silent_attempt_does_not_wipe_out_what_the_one_before_has_told(temporal: Client) -> None:
    async with working(temporal) as queue:
        assert await temporal.execute_workflow(Asking.run, id=queue, task_queue=queue) == ["Ahoy"]


async def test_what_takes_too_long_is_ended_once_and_may_still_tell_something(temporal: Client) -> None:
    async with working(temporal) as queue:
        ended = await temporal.execute_workflow(Hurrying.run, "too long", id=queue, task_queue=queue)
    assert ended == ["timeout", "it took longer than 0.2 s"]


async def test_a_time_that_ran_out_inside_an_activity_is_told_in_its_own_words(temporal: Client) -> None:
    async with working(temporal) as queue:
        ended = await temporal.execute_workflow(Hurrying.run, "its own", id=queue, task_queue=queue)
    assert ended == ["timeout", "TimeoutError: the printer has not answered"]
