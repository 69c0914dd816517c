"""A circuit breaker for each endpoint: where nobody answers, calls fail at once for a while, and cost nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from activities.failing import Failing
from activities.models.batching import Batches
from activities.models.embedding import Embedded, Embedder
from activities.models.protocol import Ask, Heard, Provider

# Failures in a row that open it; a rate limit has its own wait, and any other answer is one.
MOST = 5
OPENS_ON = ("unavailable", "timeout")
# Seconds that it is open the first time; every probe that fails doubles them, up to the last.
FIRST_S, LAST_S = 1.0, 60.0


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
        return self._failures >= MOST

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Raises `Failing` while it is open, and learns from what happens inside."""
        is_probe = self._let_through()
        try:
            yield
        except Failing as failing:
            if failing.type in OPENS_ON:
                self._failed(is_probe)
            else:
                self._failures = 0
            raise
        else:
            self._failures = 0
        finally:
            self._probing = self._probing and not is_probe

    def _let_through(self) -> bool:
        """Whether this call is the probe."""
        if not self.is_open:
            return False
        left = self._until - self._clock()
        if left > 0 or self._probing:
            wait = max(left, FIRST_S)
            said = f"{self.where} has failed {self._failures} times in a row; it was not asked, for {wait:.1f} s more"
            raise Failing("unavailable", said, retry_after_ms=math.ceil(wait * 1000))
        self._probing = True
        return True

    def _failed(self, is_probe: bool) -> None:
        if self.is_open and not is_probe:
            # It was under way when the others failed, and says nothing new.
            return
        self._failures += 1
        if self.is_open:
            self._until = self._clock() + min(FIRST_S * 2 ** min(self._failures - MOST, 10), LAST_S)


class Guarded:
    """A provider behind a breaker."""

    def __init__(self, provider: Provider, embedder: Embedder, where: str) -> None:
        self._provider = provider
        self._embedder = embedder
        self._batches: dict[str, Batches] = {}
        self.breaker = Breaker(where)

    async def answer(self, ask: Ask, on_text: Callable[[str], None]) -> Heard:
        with self.breaker.passed():
            return await self._provider.answer(ask, on_text)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """Together with what others want of the model just now; raises `Failing`."""
        if model not in self._batches:
            self._batches[model] = Batches(partial(self._embedder.embed, model), self.breaker.passed)
        return await self._batches[model].embed(texts)

    async def close(self) -> None:
        await self._provider.close()
        await self._embedder.close()
