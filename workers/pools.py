"""A pool's worker next to its model server: it takes calls while the server is well, and as many as that can take."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import (
    ActivityInboundInterceptor,
    CustomSlotSupplier,
    ExecuteActivityInput,
    FixedSizeSlotSupplier,
    Interceptor,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from activities.contracts import Usage
from activities.models import servers
from activities.models.endpoints import is_address
from activities.models.secrets import Secrets
from activities.models.servers import Seen
from activities.models.telling import left_behind
from workers.settings import Settings

# Seconds between two looks at the server.
EVERY_S = 0.5
# Polls under way: each may bring one more call, which is handed back, after the server has become unwell.
POLLS = 2
_log = logging.getLogger(__name__)


class Slots(CustomSlotSupplier):
    """Room for calls. A poll holds a slot from before it asks the queue until its call is done."""

    def __init__(self) -> None:
        self.room = 0
        self.used = 0
        self._held = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def resize(self, room: int) -> None:
        self.room = room
        self._wake()

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        self._loop = asyncio.get_running_loop()
        while self._held >= self.room:
            waiting = self._loop.create_future()
            self._waiting.append(waiting)
            await waiting
        self._held += 1
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        self._soon(self._took)

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        self._soon(self._gave, 0 if ctx.slot_info is None else 1)

    def _soon(self, change: Callable[..., None], *given: int) -> None:
        """These are told from threads of the SDK, also when the loop has come to its end."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(change, *given)

    def _took(self) -> None:
        self.used += 1

    def _gave(self, used: int) -> None:
        self.used -= used
        self._held -= 1
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)


class Pool(Interceptor):
    """The model server of a pool, watched for as long as this is open.

    While it is unwell no poll is begun. A call that one of the last polls still brings is handed back to the queue,
    or to a run that counts its calls, where nothing is lost: a worker that stops polling may drop what the queue has
    just given it.
    """

    def __init__(
        self, name: str, address: str, models: Sequence[str], slots: int | None, otherwise: int, key: str | None = None
    ) -> None:
        self.name, self.address = name, address
        self._key = key
        self._models, self._configured, self._otherwise = models, slots, otherwise
        self.slots = Slots()
        self.trouble = "it has not been asked yet"
        self.watching: asyncio.Task[None] | None = None

    def worker_options(self) -> dict[str, Any]:
        few = FixedSizeSlotSupplier(1)
        tuner = WorkerTuner.create_composite(
            workflow_supplier=few, activity_supplier=self.slots, local_activity_supplier=few, nexus_supplier=few
        )
        return {"tuner": tuner, "max_concurrent_activities": None, "max_concurrent_activity_task_polls": POLLS}

    def as_json(self) -> dict[str, Any]:
        facts = {"pool": self.name, "server": self.address, "healthy": not self.trouble}
        return {**facts, "slots": self.slots.room, "used": self.slots.used, "reason": self.trouble}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Gate(next, self)

    async def __aenter__(self) -> Pool:
        self.watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.watching is not None
        self.watching.cancel()
        await asyncio.gather(self.watching, return_exceptions=True)

    async def _watch(self) -> None:
        async with servers.client(self.address, self._key) as http:
            while True:
                self._take(await servers.seen(http, self._models))
                await asyncio.sleep(EVERY_S)

    def _take(self, seen: Seen) -> None:
        room = 0 if seen.trouble else self._configured or seen.slots or self._otherwise
        if (seen.trouble, room) == (self.trouble, self.slots.room):
            return
        self.trouble = seen.trouble
        self.slots.resize(room)
        if seen.trouble:
            _log.warning("the pool %s takes no calls: %s: %s", self.name, self.address, seen.trouble)
        else:
            _log.warning("the pool %s takes %s calls at once: %s is well", self.name, room, self.address)


class _Gate(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, pool: Pool) -> None:
        super().__init__(next)
        self._pool = pool

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if self._pool.trouble:
            said = f"the pool {self._pool.name} handed it back: {self._pool.address}: {self._pool.trouble}"
            # The next try hears the one, and where there is none the run hears the other.
            sign = left_behind()
            activity.heartbeat(sign)
            facts = {"sign": sign.model_dump(), "lost": sign.lost != Usage() or sign.silent > 0}
            raise ApplicationError(said, facts, type="unavailable", category=ApplicationErrorCategory.BENIGN)
        return await super().execute_activity(input)


def pool_of(settings: Settings) -> Pool | None:
    """The pool whose server is watched; raises `ValueError` where that is not clear, `Failing` without its key."""
    if settings.server is None:
        return None
    if len(settings.pool) != 1:
        raise ValueError(f"a server is for one pool, and these are {len(settings.pool)}: {', '.join(settings.pool)}")
    if not is_address(settings.server):
        raise ValueError("the address of a server is http:// or https://, a host, and perhaps a port and a path")
    name = settings.pool[0]
    wanted, secrets = settings.server_key, Secrets(os.environ, settings.secrets)
    key = None if wanted is None else secrets.named(wanted, f"the server of the pool {name!r}")
    return Pool(name, settings.server, settings.server_models, settings.slots, settings.activities, key)
