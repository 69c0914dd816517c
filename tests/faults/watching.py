"""What tests of faults look at from outside: the effects, and what a run waits for."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowHandle

from tests.faults.processes import Process

LONGEST = 90.0
PAUSE = 0.1
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED


async def comes(condition: Callable[[], Any], worker: Process | None = None) -> None:
    """Waits until it holds; a test that waits for too long, or for a worker that is gone, has failed."""
    async with asyncio.timeout(LONGEST):
        while True:
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
            assert worker is None or worker.runs, "the worker is gone"
            await asyncio.sleep(PAUSE)


def keys_of(effects: Path) -> list[str]:
    """The key of every effect, in the order in which they came."""
    return [json.loads(line)["key"] for line in effects.read_text().splitlines()] if effects.exists() else []


async def at_work(run: WorkflowHandle[Any, Any], name: str, tries: int = 1) -> bool:
    """Whether an activity of this name is with a worker, for so many times at least."""
    description = (await run.describe()).raw_description
    return any(
        each.activity_type.name == name and each.attempt >= tries and each.state == STARTED
        for each in description.pending_activities
    )
