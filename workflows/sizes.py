"""What may leave a run: Temporal refuses what is too large, and would have the run's task tried again for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from temporalio import workflow

from workflows.failures import Failed

# The server takes 2 MB in one piece, and 4 MB in one message, in which all that a workflow task has done travels.
LARGEST = 1024 * 1024
MOST_AT_ONCE = 1_500_000
# What an heir is given: the input and all that the run knows.
LARGEST_ESTATE = 1_800_000
# A history ends at 51,200 events or 50 MB, and with it the run.
LAST_EVENTS = 40_000
LAST_BYTES = 40_000_000
# Inline nodes between two breaths: a workflow task that computes for two seconds is taken for hung.
BREATH = 500
LONGEST_NAME = 900
LONGEST_SUMMARY = 80
SHORTLY = timedelta(milliseconds=1)


def size_of(value: Any) -> int:
    """The bytes of a value's JSON; raises `Failed` for what has none."""
    try:
        return len(to_json(value))
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise Failed("input", f"a value cannot be written as JSON: {error}") from None


def checked(what: str, value: Any) -> int:
    """The size of what leaves the run; raises `Failed` when it is too large to leave in one piece."""
    size = size_of(value)
    if size > LARGEST:
        raise Failed(
            "input",
            f"{what} has {size:,} bytes, and at most {LARGEST:,} leave a run in one piece: large values that tools "
            "give are kept outside and can be passed on whole",
        )
    return size


def summarized(text: str) -> str:
    """A summary of a length that the server takes."""
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 1] + "…"


class Room:
    """How much has been said in this workflow task: what does not fit into its message waits for the next."""

    def __init__(self) -> None:
        self._task = 0
        self._sent = 0

    async def needed(self, size: int) -> None:
        while not self._fits(size):
            await workflow.sleep(SHORTLY, summary="the next message")

    def took(self, size: int) -> None:
        """Something came to be said without asking, such as the result of a local activity."""
        self._now()
        self._sent += size

    def _fits(self, size: int) -> bool:
        self._now()
        if self._sent and self._sent + size > MOST_AT_ONCE:
            return False
        self._sent += size
        return True

    def _now(self) -> None:
        task = workflow.info().get_current_history_length()
        if task != self._task:
            self._task, self._sent = task, 0


class Breath:
    """Inline work, counted over all walks: after so many nodes all of them wait for the next workflow task."""

    def __init__(self) -> None:
        self._left = BREATH
        self._drawing: asyncio.Task[None] | None = None

    def spent(self) -> bool:
        self._left -= 1
        return self._left <= 0

    async def drawn(self) -> None:
        if self._drawing is None:
            self._drawing = asyncio.create_task(self._draw())
        await asyncio.shield(self._drawing)

    async def _draw(self) -> None:
        await workflow.sleep(SHORTLY, summary="takes a breath")
        self._left, self._drawing = BREATH, None
