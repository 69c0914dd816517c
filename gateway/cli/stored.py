"""What commands ask of the store."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from activities.store.place import Store, Unusable, place
from gateway.cli.misuse import Trouble
from workers.settings import Settings

if TYPE_CHECKING:
    from activities.store.statistics import Key, Tally


async def statistics(settings: Settings, since: datetime) -> dict[Key, Tally]:
    """By model; nothing where there is no store yet. Raises `Trouble`."""
    if settings.store is None and not (settings.home / "store.db").exists():
        return {}
    from activities.store.statistics import since as found

    store = Store(place(settings.store, settings.home))
    try:
        return await found(await store.database(), since)
    except Unusable as error:
        raise Trouble(str(error)) from None
    finally:
        await store.close()


async def standing(settings: Settings) -> tuple[str, str | None]:
    """Where the store is, and its revision, without bringing it up; raises `Unusable`."""
    from activities.store.database import Database

    database = Database(place(settings.store, settings.home))
    try:
        if database.file is not None and not database.file.exists():
            return database.shown, None
        return database.shown, await database.revision()
    finally:
        await database.close()
