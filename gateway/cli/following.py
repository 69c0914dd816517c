"""Following a run to its end: what is seen is shown, gates are answered, and whoever breaks is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from temporalio.client import Client

from gateway.cli.asking import Answers
from gateway.cli.live import Screen
from gateway.cli.misuse import Trouble
from gateway.cli.runs import Handle, asked
from gateway.cli.voices import voices

SOONEST, LATEST = 0.2, 2.0
PATIENCE = 3.0


class Follower:
    """`watched` are tasks that must outlast the run, each with what it means when one ends before."""

    def __init__(
        self, client: Client, handle: Handle, screen: Screen, answers: Answers, watched: dict[asyncio.Task[Any], str]
    ) -> None:
        self._client, self._handle, self._screen, self._answers = client, handle, screen, answers
        self._watched = watched
        self.unanswered: Callable[[], Awaitable[None]] | None = None

    async def until(self, ends: Iterable[asyncio.Task[Any]]) -> None:
        """Until one of these tasks is done; raises `Trouble` when the run cannot go on here."""
        ending = list(ends)
        pause = SOONEST
        try:
            while not any(each.done() for each in ending):
                await asyncio.wait([*ending, *self._watched], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                self._check()
                if not any(each.done() for each in ending):
                    pause = await self._look(ending)
        finally:
            self._answers.close()

    def watch(self, task: asyncio.Task[Any], meaning: str) -> None:
        self._watched[task] = meaning

    def _check(self) -> None:
        for task, meaning in self._watched.items():
            if task.done():
                error = task.exception() if not task.cancelled() else None
                raise Trouble(f"{meaning}{f': {error}' if error else ''}")

    async def _look(self, ending: list[asyncio.Task[Any]]) -> float:
        """One look; a run that takes long to answer is asked less often."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        looking = asyncio.create_task(self._seen())
        await asyncio.wait([looking, *ending, *self._watched], return_when=asyncio.FIRST_COMPLETED)
        if not looking.done():
            looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        if not looking.cancelled() and looking.exception() is not None:
            raise looking.exception() or AssertionError
        return min(max(SOONEST, 5 * (loop.time() - began)), LATEST)

    async def _seen(self) -> None:
        state = await asked(self._handle, "state", PATIENCE)
        if state is None:
            if self.unanswered is not None:
                await self.unanswered()
            return
        self.unanswered = None
        waits = state.get("status") != "starting"
        gates = (await asked(self._handle, "gates", PATIENCE) or []) if waits else []
        if not self._answers.asks:
            self._screen.show(state, gates, await voices(self._client, self._handle))
        await self._answers.see(gates)
