"""Cleaning up after a block of workflow code, unless the run is only being put out of memory."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class Afterwards:
    """Calls `end` at the end of a block. A run that is evicted goes on elsewhere: for it nothing has ended."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:
            self._end()
