"""From what was noted to rows, many in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store import statistics
from activities.store.database import Database
from activities.store.notes import Note, clean
from activities.store.tables import ModelCall, Node, Run


async def write(database: Database, notes: Sequence[Note]) -> None:
    """All or nothing; what has been written before, although nobody could say so, is not written again."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for note in notes:
        rows.setdefault(note.kind, []).append(clean(note.row))
    async with database.writing() as connection:
        await _runs(connection, database, rows.get("begun", []), rows.get("ended", []))
        if "node" in rows:
            await connection.execute(database.insert(_table(Node)).on_conflict_do_nothing(), rows["node"])
        if "call" in rows:
            await _calls(connection, database, rows["call"])


async def _runs(
    connection: AsyncConnection, database: Database, begun: list[dict[str, Any]], ended: list[dict[str, Any]]
) -> None:
    """A run that has ended does not begin after that, in whatever order its workers come to tell."""
    if begun:
        await connection.execute(_told_anew(database.insert, still_open=True), begun)
    if ended:
        await connection.execute(_told_anew(database.insert, still_open=False), ended)


@cache
def _told_anew(insert: Callable[[Any], Any], *, still_open: bool) -> Any:
    """What is said of a run takes the place of what was said before, or only of what is said of an open one."""
    table = _table(Run)
    fresh = insert(table)
    new = {each.name: fresh.excluded[each.name] for each in table.c if each.name not in ("first_run_id", "started")}
    where = table.c.ended.is_(None) if still_open else None
    return fresh.on_conflict_do_update(index_elements=[table.c.first_run_id], set_=new, where=where)


async def _calls(connection: AsyncConnection, database: Database, calls: list[dict[str, Any]]) -> None:
    table = _table(ModelCall)
    inserted = database.insert(table).on_conflict_do_nothing().returning(table.c.id)
    fresh = set((await connection.execute(inserted, calls)).scalars())
    await statistics.add(connection, database, [call for call in calls if call["id"] in fresh])


def _table(model: Any) -> sa.Table:
    table: sa.Table = model.__table__
    return table
