"""One engine for SQLite and for PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from activities.store.migrations.running import HEAD, REVISIONS, migrate, revision_of
from activities.store.place import Unusable

FORMS = "sqlite:///path or postgresql://user@host/database"
# Seconds to be let in, for one statement, and for a lock that another process holds.
CONNECT_S, STATEMENT_S, BUSY_S = 5, 10, 5
# Migrating waits for whoever else is at it.
MIGRATE_S = 60.0
LONGEST = 300
READING = "haulage_reading"
_INSERTS: dict[str, Callable[[Any], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Database:
    """Raises `Unusable` where it cannot be used."""

    def __init__(self, url: str) -> None:
        self._url = _read(url)
        self.shown = _shown(self._url)
        self._engine = _engine(self._url)
        # Makes an insert that may say what happens on a conflict.
        self.insert: Callable[[Any], Any] = _INSERTS[self._url.get_backend_name()]

    @property
    def file(self) -> Path | None:
        """Of one that is a file."""
        return Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None

    async def brought_up(self) -> None:
        """To the tables that this code knows."""
        if self.file is not None:
            with self._understanding():
                self.file.parent.mkdir(parents=True, exist_ok=True)
        async with self.writing(MIGRATE_S) as connection:
            found = await connection.run_sync(migrate)
        if found != HEAD:
            raise Unusable(newer(self.shown, found))

    async def revision(self) -> str | None:
        """Where it stands, as it is."""
        async with self.reading() as connection:
            return await connection.run_sync(revision_of)

    @asynccontextmanager
    async def writing(self, seconds: float = 2 * STATEMENT_S) -> AsyncIterator[AsyncConnection]:
        """A transaction; on SQLite nobody else writes meanwhile."""
        with self._understanding():
            async with asyncio.timeout(seconds), self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self, seconds: float = STATEMENT_S) -> AsyncIterator[AsyncConnection]:
        with self._understanding():
            async with asyncio.timeout(seconds), self._engine.connect() as connection:
                yield await connection.execution_options(**{READING: True})

    async def close(self) -> None:
        await self._engine.dispose()

    def _understanding(self) -> _Understanding:
        return _Understanding(self.shown)


class _Understanding:
    """Puts what goes wrong with a database into one line."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case SQLAlchemyError() if _is_about_values(error):
                return
            case TimeoutError():
                raise Unusable(f"the store at {self._shown} does not answer in time") from None
            case SQLAlchemyError() | OSError():
                raise Unusable(f"the store at {self._shown} cannot be used: {_said(error)}") from None
            case Exception() if type(error).__module__.startswith("asyncpg"):
                raise Unusable(f"the store at {self._shown} cannot be used: {_said(error)}") from None


def _is_about_values(error: SQLAlchemyError) -> bool:
    """Whether the database is well, and only what it was given is not."""
    if isinstance(error, DBAPIError):
        # The classes of data and of constraints in PostgreSQL's table of error codes.
        is_said_so = str(getattr(error.orig, "sqlstate", "")).startswith(("22", "23"))
        return isinstance(error, DataError | IntegrityError) or is_said_so
    return isinstance(error, StatementError)


def newer(shown: str, revision: str | None) -> str:
    return (
        f"the store at {shown} is of a newer Haulage (revision {revision}; this one knows {REVISIONS[-1]}): "
        "take that version, or another store with HAULAGE_STORE"
    )


def _said(error: BaseException) -> str:
    """The first line of what the driver says; what was asked of it is left out."""
    found = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    text = str(found).strip().splitlines() or [type(found).__name__]
    return text[0].rpartition(">: ")[2][:LONGEST]


def _read(url: str) -> URL:
    """Never quotes it, for there may be a password in it."""
    try:
        found = make_url(url)
        kind, driver = found.get_backend_name(), found.drivername
    except (ArgumentError, ValueError):
        raise Unusable(f"HAULAGE_STORE is no URL: write {FORMS}") from None
    match driver:
        case "sqlite" if found.database and found.database != ":memory:":
            return found.set(drivername="sqlite+aiosqlite")
        case "sqlite":
            raise Unusable("HAULAGE_STORE names no file: write sqlite:///path, or sqlite:////path from the root on")
        case "postgresql" | "postgres" | "postgresql+asyncpg":
            query = {"ssl" if name == "sslmode" else name: value for name, value in found.query.items()}
            return found.set(drivername="postgresql+asyncpg", query=query)
    raise Unusable(f"HAULAGE_STORE names a database of the kind {kind!r}: write {FORMS}")


def _shown(url: URL) -> str:
    """Without the password and the options, among which there may be one."""
    kind = url.get_backend_name()
    return url.set(drivername=kind, password=None, query={}).render_as_string()


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _connected)
        event.listen(engine.sync_engine, "begin", _begun)
        return engine
    timeouts = {"timeout": CONNECT_S, "command_timeout": STATEMENT_S}
    # A connection over a network may have been cut since it was last used.
    more: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": True, "pool_size": 2, "max_overflow": 8}
    try:
        return create_async_engine(url, connect_args=timeouts, **more)
    except (SQLAlchemyError, TypeError, ValueError):
        raise Unusable(f"HAULAGE_STORE is no URL: write {FORMS}") from None


def _connected(connection: Any, _: object) -> None:
    """The driver begins no transaction by itself: where one begins is ours to say."""
    connection.isolation_level = None
    cursor = connection.cursor()
    # Each checkpoint waits for the disk, and whoever else writes there waits with it.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: sa.Connection) -> None:
    """A transaction that came to write only later could not wait for its turn."""
    reads = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
