"""The table of answers that are used again."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from activities.store.database import Database
from activities.store.tables import Response


async def found(database: Database, key: str, now: datetime) -> str | None:
    table = _table()
    asked = sa.select(table.c.value).where(table.c.key == key, table.c.expires > now)
    async with database.reading() as connection:
        value: str | None = (await connection.execute(asked)).scalar()
    return value


async def keep(database: Database, key: str, value: str, now: datetime, expires: datetime) -> None:
    """In place of an older answer; what has expired goes in passing."""
    table = _table()
    fresh = database.insert(table).values(key=key, value=value, expires=expires)
    async with database.writing() as connection:
        await connection.execute(sa.delete(table).where(table.c.expires <= now))
        newer = {"value": fresh.excluded.value, "expires": fresh.excluded.expires}
        await connection.execute(fresh.on_conflict_do_update(index_elements=[table.c.key], set_=newer))


def _table() -> sa.Table:
    table: sa.Table = Response.__table__  # type: ignore[attr-defined]
    return table
