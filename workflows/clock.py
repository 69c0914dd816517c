"""The working time of a run: all of it, but for the time in which it only waits for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class Clock:
    def __init__(self, now: Callable[[], datetime], limit_ms: int | None) -> None:
        self._now = now
        self.limit_ms = limit_ms
        self._worked = timedelta(0)
        self._since = now()
        self._waits = 0
        self._works = 0

    @property
    def _rests(self) -> bool:
        return self._waits > 0 and self._works == 0

    def waits(self, change: int) -> None:
        """One more, or one less, waits for people."""
        self._tick()
        self._waits += change

    def works(self, change: int) -> None:
        """One more, or one less, works; while nobody waits for people, or others work, that changes nothing."""
        if self._waits and not (self._works and self._works + change):
            self._tick()
        self._works += change

    def _tick(self) -> None:
        now = self._now()
        if not self._rests:
            self._worked += now - self._since
        self._since = now

    def left_ms(self) -> int | None:
        if self.limit_ms is None:
            return None
        self._tick()
        return self.limit_ms - int(self._worked / timedelta(milliseconds=1))

    def worked_ms(self) -> int:
        self._tick()
        return int(self._worked / timedelta(milliseconds=1))

    def extend(self, more_ms: int) -> None:
        if self.limit_ms is not None:
            self.limit_ms += more_ms

    def load(self, limit_ms: int | None, worked_ms: int) -> None:
        self.limit_ms = limit_ms
        self._worked = timedelta(milliseconds=worked_ms)
        self._since = self._now()
