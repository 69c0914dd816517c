"""Texts of many runs in one request, and each with its own fate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from activities.contracts import Usage
from activities.failing import Failing
from activities.models.embedding import Embedded

# Seconds that a text waits for others, and how many texts and characters go together.
WAIT_S = 0.005
MOST_TEXTS = 64
MOST_CHARACTERS = 64_000
# Requests at once for the texts of a batch that was refused.
ALONE_AT_ONCE = 4
# Failures that are not the fault of what was asked: alone, a text would fare no better. `unavailable` is one where
# nobody answered; servers also have a 5xx or half an answer for a text that they cannot take.
_NOT_THE_TEXTS = ("timeout", "rate_limited", "denied")
_Waiting: TypeAlias = tuple[str, "asyncio.Future[Embedded]"]


class Batches:
    """For one model of one endpoint; `send` makes one request, and `passed` is what a batch goes through as a whole."""

    def __init__(
        self,
        send: Callable[[Sequence[str]], Awaitable[Embedded]],
        passed: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._send = send
        self._passed = passed
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Raises the `Failing` of the first text that fails, with what all of them used."""
        found = await asyncio.gather(*map(self._wait, texts), return_exceptions=True)
        failed = [each for each in found if isinstance(each, BaseException)]
        done = [each for each in found if isinstance(each, Embedded)]
        used = Usage(tokens_in=sum(each.usage.tokens_in for each in done))
        for error in failed:
            if not isinstance(error, Failing):
                raise error
            used.tokens_in += error.usage.tokens_in if error.usage else 0
        if failed:
            first = failed[0]
            assert isinstance(first, Failing)
            after = first.retry_after_ms
            raise Failing(first.type or "engine", first.message, retry_after_ms=after, usage=used) from None
        return Embedded([each.vectors[0] for each in done], used)

    def _wait(self, text: str) -> asyncio.Future[Embedded]:
        loop = asyncio.get_running_loop()
        if (
            len(self._waiting) >= MOST_TEXTS
            or sum(len(each) for each, _ in self._waiting) + len(text) > MOST_CHARACTERS
        ):
            self._go()
        future = loop.create_future()
        self._waiting.append((text, future))
        if self._timer is None:
            self._timer = loop.call_later(WAIT_S, self._go)
        return future

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = [each for each in self._waiting if not each[1].done()]
        self._waiting = []
        if batch:
            task = asyncio.create_task(self._carry_out(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _carry_out(self, batch: list[_Waiting]) -> None:
        try:
            with self._passed():
                await self._ask(batch)
        except Exception as error:
            _fail(batch, error)

    async def _ask(self, batch: list[_Waiting]) -> None:
        """Raises `Failing` where the server has failed for every text: then it is not their fault."""
        try:
            _deal(batch, await self._send([text for text, _ in batch]))
        except Failing as failing:
            if len(batch) == 1 or _is_the_servers(failing):
                raise
            places, ends = asyncio.Semaphore(ALONE_AT_ONCE), list[Failing]()
            failed = await asyncio.gather(*(self._alone(each, places, ends) for each in batch))
            if all(each is not None and each.type in ("unavailable", "timeout") for each in failed):
                raise failed[0] or failing from None
            for one, failure in zip(batch, failed, strict=True):
                if failure is not None:
                    _fail([one], failure)

    async def _alone(self, one: _Waiting, places: asyncio.Semaphore, ends: list[Failing]) -> Failing | None:
        """Its failure; one in `ends`, after which no more is asked, is that of the texts behind it, too."""
        async with places:
            if ends:
                return ends[0]
            try:
                await self._ask([one])
            except Failing as failing:
                if _is_the_servers(failing):
                    ends.append(failing)
                return failing
        return None


def _is_the_servers(failing: Failing) -> bool:
    return failing.type in _NOT_THE_TEXTS or (failing.type == "unavailable" and not failing.answered)


def _deal(batch: list[_Waiting], found: Embedded) -> None:
    """To each its vector, and of the tokens as large a part as it has of the characters."""
    whole = sum(len(text) for text, _ in batch) or 1
    so_far = dealt = 0
    for (text, future), vector in zip(batch, found.vectors, strict=True):
        so_far += len(text)
        share = found.usage.tokens_in * so_far // whole - dealt
        dealt += share
        if not future.done():
            future.set_result(Embedded([vector], Usage(tokens_in=share)))


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
