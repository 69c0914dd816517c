"""The one way from a run to the world: activities and child runs, counted, bounded and understood when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, FailureError
from temporalio.workflow import ActivityCancellationType

from activities.contracts import Pinned
from manifests import plan as plans
from workflows.ending import Afterwards
from workflows.failures import Failed, understood
from workflows.sizes import Room, checked, size_of, summarized
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

# An activity ends itself when its time is up; this much later the server takes it for hung.
GRACE = timedelta(seconds=5)
# Local activities compute in one process, side by side or not; what several give travels in one message.
LOCAL_AT_ONCE = 4
# Before a call is given out again that was not finished, the first time and at most.
FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)


def go_on() -> None:
    """A call that was under way swallows the word that its node is to end; nothing new is begun after it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def heard() -> None:
    """The word to end has been heard, and this task goes on to something else."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


@lru_cache(maxsize=256)
def _of_priority(key: int, tenant: str) -> Priority:
    return Priority(priority_key=key, fairness_key=tenant or None)


def pause_after(number: int) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(number - 1, 10)), LONGEST_PAUSE)


class Calls:
    def __init__(self, run: Interpreter, pinned: Pinned) -> None:
        self._run = run
        self._heartbeat = timedelta(milliseconds=pinned.heartbeat_ms)
        self.repeats_lost = pinned.repeats_lost
        self.lost_attempts = pinned.lost_attempts
        # Only what no worker has answered is tried again by Temporal; a failed try is the plan's to repeat.
        self._lost = RetryPolicy(
            initial_interval=FIRST_PAUSE,
            maximum_interval=LONGEST_PAUSE,
            maximum_attempts=pinned.lost_attempts,
            non_retryable_error_types=["TemporalTimeout:StartToClose"],
        )
        self._slots = asyncio.Semaphore(run.plan.parallel)
        self.numbers: dict[str, int] = {}
        self._local_slots = asyncio.Semaphore(LOCAL_AT_ONCE)
        self.room = Room()
        self.busy = 0

    def number(self, name: str) -> int:
        """How many calls of this agent or tool came before."""
        number = self.numbers.get(name, 0)
        self.numbers[name] = number + 1
        return number

    def key(self, walk: Walk, node: plans.Node) -> str:
        """The same for every try and after every crash, and of no other node, iteration or run."""
        return f"{workflow.info().first_execution_run_id}/{walk.at(node)}"

    def call(self, walk: Walk, node: plans.Node, number: int, key: str = "") -> dict[str, Any]:
        """What every request says of where it comes from."""
        return {
            "plan": self._run.sha256,
            "node": walk.at(node),
            "key": key or self.key(walk, node),
            "number": number,
            "tenant": self._run.options.tenant,
            "keep": self._run.plan.projections.get(node.path),
        }

    async def activity(
        self,
        node: plans.Node,
        name: str,
        request: BaseModel,
        gives: type[M],
        *,
        queue: str | None,
        id: str,
        summary: str,
        wait_ms: int | None = None,
        once: bool = False,
    ) -> M:
        """One try on a queue, where it waits for so long to be taken; raises `Failed`.

        One that is given out `once` fails where others would be given out again.
        """
        await self.room.needed(checked(f"what {name} is called with", request))
        async with self._slots:
            go_on()
            time = timedelta(milliseconds=self._time(node))
            with self.at_work():
                try:
                    result: M = await workflow.execute_activity(
                        name,
                        request,
                        result_type=gives,
                        task_queue=queue,
                        schedule_to_start_timeout=None if wait_ms is None else timedelta(milliseconds=wait_ms),
                        start_to_close_timeout=time + GRACE,
                        heartbeat_timeout=self._heartbeat,
                        retry_policy=ONCE if once else self._lost,
                        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                        activity_id=id,
                        summary=summarized(summary),
                        priority=self._priority(node),
                    )
                except ActivityError as error:
                    raise understood(error, queue or "", once=once) from error
        return result

    async def pause(self, number: int, summary: str) -> None:
        """Before a call is made again that was not finished; longer every time, as the server would have it."""
        go_on()
        with self.at_work():
            await workflow.sleep(pause_after(number), summary=summarized(summary))

    async def local(
        self, name: str, request: BaseModel, gives: type[M], *, time: timedelta, id: str, summary: str
    ) -> M:
        """One try in the worker that runs the workflow; raises `Failed`. Its failures come as they are, not wrapped."""
        async with self._local_slots:
            await self.room.needed(0)
            go_on()
            with self.at_work():
                try:
                    result: M = await workflow.execute_local_activity(
                        name,
                        request,
                        result_type=gives,
                        start_to_close_timeout=time,
                        retry_policy=RetryPolicy(maximum_attempts=3),
                        activity_id=id,
                        summary=summary,
                    )
                except FailureError as error:
                    raise understood(error) from error
            self.room.took(size_of(result))
        return result

    async def child(self, node: plans.Node, type: str, id: str, args: list[Any], *, summary: str) -> Any:
        """A child run to its end; raises `Failed`."""
        await self.room.needed(checked("what a child run is given", args))
        async with self._slots:
            go_on()
            with self.at_work():
                try:
                    return await workflow.execute_child_workflow(
                        type,
                        args=args,
                        id=id,
                        task_timeout=workflow.info().task_timeout,
                        static_summary=summary,
                        priority=self._priority(node),
                        cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                    )
                except FailureError as error:
                    raise understood(error) from error

    async def laddered(self, node: plans.Node, attempt: Callable[[int], Awaitable[T]]) -> T:
        """Tries, waits and tries again, as the plan says; the last failure is the node's."""
        number = 1
        while True:
            try:
                return await attempt(number)
            except Failed as failure:
                failure.attempt = number
                if not await self.try_again(node, number, failure):
                    raise
            number += 1

    async def try_again(self, node: plans.Node, number: int, failure: Failed) -> bool:
        """Whether the plan has another try after this one; if so, it is time for it now."""
        go_on()
        ladder = node.retry
        if ladder is None or number >= ladder.attempts or failure.category not in ladder.on:
            return False
        wait = timedelta(milliseconds=min(ladder.initial_ms * ladder.backoff ** (number - 1), ladder.max_ms))
        if failure.retry_after is not None:
            wait = max(wait, failure.retry_after)
        summary = f"{node.id}: try {number + 1} of {ladder.attempts} after {failure.category}"
        self._run.board.tries_again(node, number + 1, ladder.attempts, failure)
        with self.at_work():
            await workflow.sleep(wait, summary=summary)
        return True

    def at_work(self) -> Afterwards:
        """While this lasts the run cannot be handed on, and its working time goes by."""
        self._works(1)
        return Afterwards(lambda: self._works(-1))

    def _works(self, change: int) -> None:
        self.busy += change
        self._run.clock.works(change)

    def _time(self, node: plans.Node) -> int:
        own = node.timeout_ms or 60_000
        # What is taken back, and what `finally` does, is not refused for want of time either.
        left = None if self._run.ledger.open_handed else self._run.clock.left_ms()
        if left is not None and left <= 0:
            raise Failed("budget", "the time of the run is spent")
        return own if left is None else max(1, min(own, left))

    def _priority(self, node: plans.Node) -> Priority:
        asked = self._run.options.priority
        key = node.priority if asked is None or node.priority != 3 else asked
        return _of_priority(key, self._run.options.tenant)
