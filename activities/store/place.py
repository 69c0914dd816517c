"""Where the store is, and the way to it: opened when it is first wanted, and left alone for a while when it fails."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import SecretStr

if TYPE_CHECKING:
    from activities.store.database import Database

# Seconds from one failure to the next attempt.
PAUSE = 5.0


class Unusable(Exception):
    """The store cannot be used; the message says why in one line, and never holds a password."""


def place(setting: SecretStr | None, home: Path) -> str:
    """The URL that a setting means, or that of the store below `home`."""
    said = setting.get_secret_value() if setting is not None else ""
    return said or f"sqlite:///{quote(str((home / 'store.db').absolute()))}"


class Store:
    """The database at a URL, for as long as this is open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open: Database | None = None
        self._trouble: tuple[float, Unusable] | None = None
        self._lock: asyncio.Lock | None = None

    async def database(self) -> Database:
        """Brought up to date; raises `Unusable`, at once where it has failed a moment ago."""
        if self._trouble is not None and time.monotonic() - self._trouble[0] < PAUSE:
            raise self._trouble[1]
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._open is None:
                self._open = await self._opened()
            return self._open

    async def _opened(self) -> Database:
        # What a database takes is a second to load, and no run waits for it.
        database = await asyncio.to_thread(_made, self.url)
        try:
            await database.brought_up()
        except Unusable as error:
            await database.close()
            raise self.failed(error) from None
        except BaseException:
            await database.close()
            raise
        return database

    def failed(self, error: Unusable) -> Unusable:
        """Nobody tries again for a while after this; to be told of it a second time does not make that longer."""
        if self._trouble is None or self._trouble[1] is not error:
            self._trouble = time.monotonic(), error
        return error

    async def close(self) -> None:
        found, self._open, self._lock, self._trouble = self._open, None, None, None
        if found is not None:
            await found.close()


def _made(url: str) -> Database:
    from activities.store.database import Database

    return Database(url)
