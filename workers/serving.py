"""A process of workers: ready when it polls, drained when it is told to stop, gone with exit code 0."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from temporalio.client import Client
from temporalio.worker import Worker

from workers.building import Role, World, build_workers
from workers.health import Health
from workers.measuring import measuring
from workers.pools import Pool, pool_of

# So many come between two looks for garbage among them; nearly all are of runs under way, and live.
NEW_OBJECTS = 50_000


async def serve(client: Client, roles: tuple[Role, ...], shared: World, *, stop: asyncio.Event | None = None) -> None:
    """Works until SIGTERM or SIGINT, then finishes what is under way, for as long as the settings allow.

    A caller that brings `stop` sets it, and sees to the signals as well.
    """
    over = stop or asyncio.Event()
    pool = pool_of(shared.settings) if "models" in roles else None
    health = Health(client, shared.settings.health, pool, shared.endpoints)
    with _signals(over) if stop is None else contextlib.nullcontext():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(shared.opened())
            await stack.enter_async_context(health)
            if pool is not None:
                await stack.enter_async_context(pool)
            await stack.enter_async_context(measuring(client, shared.settings, pool))
            workers = await build_workers(client, roles, shared, pool)
            health.ready = True
            with undisturbed():
                await _run(workers, over, health, pool)
    # The SDK aborts the process when the interpreter ends before its objects do.
    del workers
    gc.collect()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Garbage is never looked for in what is there already, and seldom in what is new: all work stops meanwhile."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _run(workers: list[Worker], over: asyncio.Event, health: Health, pool: Pool | None) -> None:
    running = [asyncio.create_task(worker.run()) for worker in workers]
    watching = [] if pool is None or pool.watching is None else [pool.watching]
    told = asyncio.create_task(over.wait())
    try:
        await asyncio.wait([told, *watching, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        health.ready = False
        told.cancel()
        await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
        results = await asyncio.gather(*running, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await told
    for result in results:
        if isinstance(result, BaseException):
            raise result
    for task in watching:
        # Nobody would notice any more how the server is.
        if task.done():
            task.result()


@contextmanager
def _signals(over: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    for each in handled:
        loop.add_signal_handler(each, over.set)
    try:
        yield
    finally:
        for each in handled:
            loop.remove_signal_handler(each)
