"""Every test of the store, on both databases."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from activities.store.place import Store
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="haul-pg-") as folder, Postgres(Path(folder) / "server") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own that nobody has written to."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'kept' / 'store.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    yield store
    await store.close()


async def rows(store: Store, table: Any, order: str = "") -> list[dict[str, Any]]:
    """All of a table."""
    asked = sa.select(table.__table__)
    async with (await store.database()).reading() as connection:
        found = [dict(row) for row in (await connection.execute(asked)).mappings()]
    return sorted(found, key=lambda row: row[order]) if order else found
