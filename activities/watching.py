"""What surrounds our activities: signs of life, an end to what takes too long, and a category for every error."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contracts import Usage
from activities.failing import Failing

BENIGN = ApplicationErrorCategory.BENIGN
# The server waits this much longer than the activity itself, which can say better what it was doing.
GRACE = timedelta(seconds=5)
# On a worker of somebody's own there are activities that are none of our business.
OURS = ("plans.", "tools.", "models.", "memory.", "plugins.")

_watch: contextvars.ContextVar[_Watch] = contextvars.ContextVar("watch")
# What it has used, where that has a price and nobody else can tell it any more.
_used: contextvars.ContextVar[list[Usage]] = contextvars.ContextVar("used")


def broken_off(usage: Usage) -> None:
    """What an activity has used that is being cancelled, or whose time is up."""
    if (used := _used.get(None)) is not None:
        used[:] = [usage]


def tell_soon(sign: Callable[[], Any], seconds: float) -> None:
    """Goes, as it is then, with the next sign of life, so many seconds from now at most, and with those after it.

    Watchers read it, and so does the next attempt. What is over before that is not worth a write of the server.
    """
    watch = _watch.get(None)
    if watch is None:
        activity.heartbeat(sign())
    else:
        watch.telling = [sign]
        watch.wait(seconds)


class Watching(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Watched(next)


class _Watched(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.activity_type.startswith(OURS):
            return await super().execute_activity(input)
        _used.set(used := list[Usage]())
        _watch.set(watch := _Watch(info))
        try:
            return await super().execute_activity(input)
        except asyncio.CancelledError:
            if watch.has_ended_it():
                raise Failing("timeout", f"it took longer than {watch.seconds:g} s", usage=_last(used)) from None
            # The server takes no details with a cancellation, and the run must know what was used.
            details = activity.cancellation_details()
            if used and details is not None and details.cancel_requested:
                raise Failing("cancelled", "it was cancelled", usage=used[-1]) from None
            if used:
                # Its worker ends, or somebody pauses it: it is given out again, and nobody hears what it used at last.
                facts = {"usage": used[-1].model_dump(), "lost": True}
                said = "it was broken off by its worker"
                raise ApplicationError(said, facts, type="unavailable", category=BENIGN) from None
            raise
        except (ApplicationError, CancelledError):
            raise
        except Exception as error:
            activity.logger.exception("an activity failed in a way that it does not know")
            category = "timeout" if isinstance(error, TimeoutError) else "engine"
            raise Failing(category, f"{type(error).__name__}: {error}") from error
        finally:
            watch.stop()


class _Watch:
    """A sign of life three times in each heartbeat timeout, and an end when the time is up.

    Most activities are over before the first: one timer for both is all that they pay.
    """

    def __init__(self, info: activity.Info) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._loop = asyncio.get_running_loop()
        limit = info.heartbeat_timeout
        self._pause = math.inf if limit is None else limit.total_seconds() / 3
        self.seconds = _time(info)
        self._end = self._loop.time() + self.seconds
        self._is_over = False
        # The server keeps only the last that it is told: nothing would be left of what a lost attempt has said.
        self.telling: list[Callable[[], Any]] = [partial(_same, each) for each in info.heartbeat_details[:1]]
        self._next: asyncio.TimerHandle | None = None
        self.wait(self._pause)

    def wait(self, seconds: float) -> None:
        """The next sign comes after so long at most, and those after it as often as the server wants them."""
        self.stop()
        sign = self._loop.time() + min(seconds, self._pause) if self._pause < math.inf else math.inf
        if sign < self._end:
            self._next = self._loop.call_at(sign, self._beat)
        elif self._end < math.inf:
            self._next = self._loop.call_at(self._end, self._end_it)

    def _beat(self) -> None:
        activity.heartbeat(*(sign() for sign in self.telling))
        self.wait(self._pause)

    def _end_it(self) -> None:
        self._is_over, self._end = True, math.inf
        self._task.cancel()
        self.wait(self._pause)

    def has_ended_it(self) -> bool:
        """Whether it was this that cancelled the activity, and nobody else."""
        return self._is_over and self._task.uncancel() <= self._cancelling

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()


def _last(used: list[Usage]) -> Usage | None:
    return used[-1] if used else None


def _same(told: Any) -> Any:
    return told


def _time(info: activity.Info) -> float:
    """How long a try may take: its timeout on the server, without the grace."""
    limit = info.start_to_close_timeout
    if limit is None:
        return math.inf
    return limit.total_seconds() if info.is_local else max(0.001, (limit - GRACE).total_seconds())
