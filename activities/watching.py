"""What surrounds our activities: signs of life, an end to what takes too long, and a category for every error."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
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

# The signs of life of the activity that is under way.
_beating: contextvars.ContextVar[_Beating] = contextvars.ContextVar("beating")
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
    beating = _beating.get(None)
    if beating is None:
        activity.heartbeat(sign())
    else:
        beating.telling = [sign]
        beating.wait(seconds)


class Watching(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Watched(next)


class _Watched(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.activity_type.startswith(OURS):
            return await super().execute_activity(input)
        _used.set(used := list[Usage]())
        # The server keeps only the last that it is told: nothing would be left of what a lost attempt has said.
        told = [partial(_same, each) for each in info.heartbeat_details[:1]]
        beating, seconds = _Beating(info.heartbeat_timeout, told), _time(info)
        _beating.set(beating)
        try:
            async with asyncio.timeout(seconds):
                return await super().execute_activity(input)
        except TimeoutError:
            raise Failing("timeout", f"it took longer than {seconds:g} s", usage=_last(used)) from None
        except asyncio.CancelledError:
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
            raise Failing("engine", f"{type(error).__name__}: {error}") from error
        finally:
            beating.stop()


class _Beating:
    """A sign of life three times in each heartbeat timeout; most activities are over before the first."""

    def __init__(self, limit: timedelta | None, telling: Sequence[Callable[[], Any]]) -> None:
        self._seconds = limit.total_seconds() / 3 if limit is not None else None
        self._heartbeat = activity.heartbeat
        self.telling = telling
        self._context = contextvars.copy_context()
        self._next: asyncio.TimerHandle | None = None
        self.wait(self._seconds)

    def wait(self, seconds: float | None) -> None:
        """The next sign comes after so long at most, and those after it as often as the server wants them."""
        if self._seconds is not None and seconds is not None:
            self.stop()
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(min(seconds, self._seconds), self._beat, context=self._context)

    def _beat(self) -> None:
        self._heartbeat(*(sign() for sign in self.telling))
        self.wait(self._seconds)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()


def _last(used: list[Usage]) -> Usage | None:
    return used[-1] if used else None


def _same(told: Any) -> Any:
    return told


def _time(info: activity.Info) -> float | None:
    """How long a try may take: its timeout on the server, without the grace."""
    limit = info.start_to_close_timeout
    if limit is None:
        return None
    return limit.total_seconds() if info.is_local else max(0.001, (limit - GRACE).total_seconds())
