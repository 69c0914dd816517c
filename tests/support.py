"""What the tests of runs share: a real server, workers in this process, and runs that are told as a story."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workers.building import ROLES, Role, World, build_workers, world
from workers.pools import pool_of
from workers.settings import Settings


@dataclass
class Ended:
    """What became of a run."""

    status: str
    output: Any = None
    failure: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    handle: WorkflowHandle[Any, Any] | None = None

    @property
    def path(self) -> list[str]:
        path: list[str] = self.state["path"]
        return path


class Haul:
    """Workers for every role on queues of their own, and the means to run bundles on them."""

    def __init__(self, client: Client, shared: World) -> None:
        self.client = client
        self.world = shared

    @property
    def queue(self) -> str:
        return self.world.settings.queue

    async def start(
        self, name: str, given: Any = None, options: Mapping[str, Any] | None = None, id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        args = [given or {}, *([dict(options)] if options is not None else [])]
        id = id or f"{name}-{uuid.uuid4()}"
        return await self.client.start_workflow(name, args=args, id=id, task_queue=self.queue)

    async def run(self, name: str, given: Any = None, options: Mapping[str, Any] | None = None) -> Ended:
        return await self.ended(await self.start(name, given, options))

    async def ended(self, handle: WorkflowHandle[Any, Any]) -> Ended:
        end = Ended("completed", handle=handle)
        try:
            end.output = await handle.result()
        except WorkflowFailureError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                end.status, end.failure = "failed", {"message": cause.message, "category": cause.type}
                end.failure |= cause.details[0] if cause.details else {}
            else:
                end.status = "cancelled"
        end.state = await _state(handle)
        return end


async def _state(handle: WorkflowHandle[Any, Any], tries: int = 3) -> Any:
    """Asked again when the question went to a worker that has just been killed."""
    try:
        return await handle.query("state", rpc_timeout=timedelta(seconds=10))
    except RPCError:
        if tries == 1:
            raise
        return await _state(handle, tries - 1)


class Hauling:
    """`async with Hauling(client, home, bundles=…) as haul`."""

    def __init__(self, client: Client, home: Path, *, roles: tuple[Role, ...] = ROLES, **settings: Any) -> None:
        self._client = client
        self._settings = Settings(home=home, **{"heartbeat_ms": 2_000, "queue": f"q-{uuid.uuid4()}", **settings})
        self._roles = roles
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Haul:
        shared = world(self._settings)
        await self._stack.enter_async_context(shared.opened())
        self.pool = pool = pool_of(self._settings)
        if pool is not None:
            await self._stack.enter_async_context(pool)
        for worker in await build_workers(self._client, self._roles, shared, pool):
            await self._stack.enter_async_context(worker)
        return Haul(self._client, shared)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def made_again(run: WorkflowHandle[Any, Any]) -> None:
    """Waits until a call of the run is made again."""
    async with asyncio.timeout(60):
        while True:
            scheduled = [each.activity_task_scheduled_event_attributes for each in (await run.fetch_history()).events]
            if any(each.activity_id.endswith("+1") for each in scheduled):
                return
            await asyncio.sleep(0.05)
