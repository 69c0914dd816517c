"""From what was noted to rows, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store import statistics
from activities.store.database import Database
from activities.store.notes import Note
from activities.store.tables import ModelCall, Node, Run


async def write(database: Database, notes: Sequence[Note]) -> None:
    """All or nothing; what has been written before, although nobody could say so, is not written again."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for note in notes:
        rows.setdefault(note.kind, []).append(note.row)
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
    table = _table(Run)
    fresh = database.insert(table)
    new = {each.name: fresh.excluded[each.name] for each in table.c if each.name not in ("first_run_id", "started")}
    on = [table.c.first_run_id]
    if begun:
        still = table.c.ended.is_(None)
        await connection.execute(fresh.on_conflict_do_update(index_elements=on, set_=new, where=still), begun)
    if ended:
        await connection.execute(fresh.on_conflict_do_update(index_elements=on, set_=new), ended)


async def _calls(connection: AsyncConnection, database: Database, calls: list[dict[str, Any]]) -> None:
    table = _table(ModelCall)
    inserted = database.insert(table).on_conflict_do_nothing().returning(table.c.id)
    fresh = set((await connection.execute(inserted, calls)).scalars())
    await statistics.add(connection, database, [call for call in calls if call["id"] in fresh])


def _table(model: Any) -> sa.Table:
    table: sa.Table = model.__table__
    return table
