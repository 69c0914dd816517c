"""Tasks that stand and fall together, ended in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from workflows.failures import Failed

T = TypeVar("T")


async def all_of(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """What they give, in order; at the first failure, or when cancelled, all of them are ended."""
    try:
        await _first_failure(tasks)
    except GeneratorExit:
        raise  # put out of memory: nothing has ended
    except BaseException:
        await ended(tasks)
        raise
    return [task.result() for task in tasks]


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Carries something out that no cancellation stops halfway."""
    task = asyncio.create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


async def _first_failure(tasks: Sequence[asyncio.Task[Any]]) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = len(tasks)

    def settled(task: asyncio.Task[Any]) -> None:
        nonlocal left
        left -= 1
        if not over.done():
            if not task.cancelled() and task.exception() is not None:
                over.set_exception(task.exception())  # type: ignore[arg-type]
            elif not left:
                over.set_result(None)

    for task in tasks:
        task.add_done_callback(settled)
    if tasks:
        await over


async def ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels what still runs and waits until it is over."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except (asyncio.CancelledError, Failed):
            continue
