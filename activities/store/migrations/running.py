"""Brings a database up to the tables that this code knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

VERSIONS = "haulage_revision"
# From the first to the newest; a database at any other one was written by a newer Haulage.
REVISIONS = ("0001",)
HEAD = REVISIONS[-1]
# Any number, as long as all workers agree on it.
LOCK = 0x4841_554C


def revision_of(connection: Connection) -> str | None:
    """Where a database stands; None where it is new."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()
    return found


def migrate(connection: Connection) -> str | None:
    """Up to `HEAD`, in the transaction that is open; gives the revision that is there then, known or not.

    Of several that come at once one does the work, and the others wait: on SQLite for the transaction, which writes
    from its beginning, on PostgreSQL for a lock that lasts as long as the transaction.
    """
    found = revision_of(connection)
    if found == HEAD or (found is not None and found not in REVISIONS):
        return found
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = revision_of(connection)
    return found if found == HEAD else _upgraded(connection)


def _upgraded(connection: Connection) -> str | None:
    # It takes a while to load, and only who finds another revision needs it.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    return revision_of(connection)
