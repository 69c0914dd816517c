"""Rows about runs, written beside them: what is noted waits in a queue, and one task writes it to the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.contracts import NOTE_OF_RUN
from activities.store.notes import Note, Tried
from activities.store.place import PAUSE, Store, Unusable

# Notes that wait; those beyond are dropped.
MOST_WAITING = 10_000
# Notes that are written in one go, and the seconds in which they come together.
AT_ONCE = 500
GATHERING = 0.5
# Seconds that a worker that stops gives the store.
LONGEST_FLUSH = 5.0
_log = logging.getLogger(__name__)


class Recorder:
    """`async with recorder`; before and after that, what is noted is forgotten. Noting never waits and never fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[Note] = deque()
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._settled = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing: asyncio.Task[None] | None = None
        self._is_down = False
        self.users = 0
        self.dropped = 0

    def note(self, notes: Sequence[Note]) -> None:
        """From any thread."""
        loop = self._loop
        if loop is None or not notes:
            return
        room = MOST_WAITING - len(self._waiting)
        self._waiting.extend(notes[:room] if room > 0 else ())
        self.dropped += len(notes) - max(0, min(room, len(notes)))
        if not self._news.is_set():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._news.set)

    async def __aenter__(self) -> Recorder:
        self.users += 1
        if self.users > 1:
            return self
        self._loop = asyncio.get_running_loop()
        self._news, self._closing, self._settled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What waits is written, unless that takes too long; the last one of several sees to it."""
        self.users -= 1
        if self.users:
            return
        self._closing.set()
        self._news.set()
        assert self._writing is not None
        await asyncio.wait([self._writing], timeout=LONGEST_FLUSH)
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)
        self._loop = None
        self._drop(len(self._waiting))
        self._waiting.clear()
        if self.dropped:
            _log.warning("rows of the store were dropped: %d", self.dropped, extra={"dropped": self.dropped})
        await self._store.close()

    async def flushed(self) -> None:
        """Waits until all that was noted so far is written or dropped."""
        while self._waiting:
            self._settled.clear()
            self._news.set()
            await self._settled.wait()

    async def _write(self) -> None:
        # It takes a second to open, and the first rows are not to wait for that.
        with contextlib.suppress(Unusable):
            await self._store.database()
        while not self._closing.is_set() or self._waiting:
            await self._news.wait()
            self._news.clear()
            if not self._closing.is_set() and len(self._waiting) < AT_ONCE:
                await self._or_closing(GATHERING)
            await self._all_written()

    async def _all_written(self) -> None:
        """What waits now; what comes meanwhile is gathered again, for a transaction costs as much as a hundred rows."""
        left = len(self._waiting)
        while left:
            batch = [self._waiting[place] for place in range(min(AT_ONCE, left))]
            try:
                await self._written(batch)
            except Unusable as error:
                self._tell_of(error)
                if self._closing.is_set():
                    self._drop(len(self._waiting))
                    self._waiting.clear()
                    break
                await self._or_closing(PAUSE)
            else:
                left -= len(batch)
                for _ in batch:
                    self._waiting.popleft()
                self._tell_of(None)
        if self._waiting:
            self._news.set()
        self._settled.set()

    async def _written(self, batch: Sequence[Note]) -> None:
        """What cannot be written is looked for by halves, and dropped; raises `Unusable`."""
        database = await self._store.database()
        from activities.store.writing import write

        try:
            await write(database, batch)
        except Unusable as error:
            raise self._store.failed(error) from None
        except Exception as error:
            if len(batch) == 1:
                self._drop(1)
                _log.warning("the store refuses a row: %s", type(error).__name__, extra={"kind": batch[0].kind})
                return
            half = len(batch) // 2
            await self._written(batch[:half])
            await self._written(batch[half:])

    async def _or_closing(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _drop(self, number: int) -> None:
        self.dropped += number

    def _tell_of(self, trouble: Unusable | None) -> None:
        """Once when it begins, and once when it is over."""
        if trouble is not None and not self._is_down:
            _log.warning("rows wait, runs go on: %s", trouble, extra={"most_waiting": MOST_WAITING})
        elif trouble is None and self._is_down:
            _log.warning("the store is written again", extra={"dropped": self.dropped})
        self._is_down = trouble is not None


class Recording(Interceptor):
    """Notes what activities of ours did, and what runs say of themselves."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Recorded(next, self._recorder)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        input.unsafe_extern_functions[NOTE_OF_RUN] = self._of_run
        return None

    def _of_run(self, kind: Any, row: dict[str, Any]) -> None:
        ended = {"ended": datetime.now(UTC)} if kind == "ended" else {}
        self._recorder.note([Note(kind, row | ended)])


class _Recorded(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, recorder: Recorder) -> None:
        super().__init__(next)
        self._recorder = recorder

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        request = input.args[0] if input.args else None
        tried, began = Tried(datetime.now(UTC)), time.monotonic()
        answer, failure = None, None
        try:
            answer = await super().execute_activity(input)
            return answer
        except BaseException as error:
            failure = error
            raise
        finally:
            took = int((time.monotonic() - began) * 1000)
            # The server gets the answer first.
            asyncio.get_running_loop().call_soon(self._note, tried, request, answer, failure, took)

    def _note(self, tried: Tried, request: Any, answer: Any, failure: BaseException | None, took: int) -> None:
        self._recorder.note(tried.notes(request, answer, failure, took))
