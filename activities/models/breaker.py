"""A circuit breaker for each endpoint: where nobody answers, calls fail at once for a while, and cost nothing."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from temporalio import activity

from activities.failing import Failing
from activities.models.batching import Batches
from activities.models.embedding import Embedded, Embedder
from activities.models.protocol import Ask, Heard, Provider

# Failures in a row that open it; a rate limit has its own wait, and any other answer is one.
MOST = 5
OPENS_ON = ("unavailable", "timeout")
# Seconds that it is open the first time; every probe that fails doubles them, up to the last.
FIRST_S, LAST_S = 1.0, 60.0

Place: TypeAlias = AbstractAsyncContextManager[None]
# For models that may be asked as often as one likes.
FREE: Place = nullcontext()


class Breaker:
    """Closed, or open until a time; after that one call goes through, and the others wait for what becomes of it."""

    def __init__(self, where: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.where = where
        self._clock = clock
        self._failures = 0
        self._until = -math.inf
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return self._has_failed and (self._probing or self._clock() < self._until)

    @property
    def _has_failed(self) -> bool:
        return self._failures >= MOST

    @contextmanager
    def passed(self) -> Iterator[Callable[[], None]]:
        """Raises `Failing` while it is open, and learns from what happens inside; what it gives is called when an
        answer begins.
        """
        call = _Call(self._let_through())
        try:
            yield lambda: self._began(call)
        except Failing as failing:
            if failing.type in OPENS_ON:
                self._failed(call)
            else:
                self._failures = 0
            raise
        except asyncio.CancelledError:
            if not call.began and _time_is_up():
                self._failed(call)
            raise
        else:
            self._failures = 0
        finally:
            self._probing = self._probing and not call.is_probe

    def _let_through(self) -> bool:
        """Whether this call is the probe."""
        if not self._has_failed:
            return False
        if self.is_open:
            wait = max(self._until - self._clock(), FIRST_S)
            said = f"{self.where} has failed {self._failures} times in a row; it was not asked, for {wait:.1f} s more"
            raise Failing("unavailable", said, retry_after_ms=math.ceil(wait * 1000))
        self._probing = True
        return True

    def _began(self, call: _Call) -> None:
        call.began = True
        if call.is_probe:
            # Somebody is there: how long the answer takes from here on, the others need not wait for.
            self._failures, self._probing, call.is_probe = 0, False, False

    def _failed(self, call: _Call) -> None:
        if self._has_failed and not call.is_probe:
            # It was under way when the others failed, and says nothing new.
            return
        self._failures += 1
        if self._has_failed:
            self._until = self._clock() + min(FIRST_S * 2 ** min(self._failures - MOST, 10), LAST_S)


@dataclass
class _Call:
    is_probe: bool
    began: bool = False


def _time_is_up() -> bool:
    """Whether a call is ended for its node's own time, and not because nobody wants it any more."""
    return activity.in_activity() and not activity.is_cancelled()


class Guarded:
    """A provider behind a breaker."""

    def __init__(self, provider: Provider, embedder: Embedder, where: str) -> None:
        self._provider = provider
        self._embedder = embedder
        self._batches: dict[tuple[str, Place], Batches] = {}
        self.breaker = Breaker(where)

    async def answer(self, ask: Ask, on_text: Callable[[str], None]) -> Heard:
        with self.breaker.passed() as begun:

            def told(piece: str) -> None:
                begun()
                if piece:
                    on_text(piece)

            return await self._provider.answer(ask, told)

    async def embed(self, model: str, texts: Sequence[str], place: Place = FREE) -> Embedded:
        """Together with what others want of the model just now, each request in its place; raises `Failing`."""
        if (model, place) not in self._batches:
            self._batches[model, place] = Batches(partial(self._embed, model, place), self.breaker.passed)
        return await self._batches[model, place].embed(texts)

    async def _embed(self, model: str, place: Place, texts: Sequence[str]) -> Embedded:
        async with place:
            return await self._embedder.embed(model, texts)

    async def close(self) -> None:
        await self._provider.close()
        await self._embedder.close()
