"""The tables of a database: made from nothing, by one of many, and never by an older version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from activities.store.migrations import running
from activities.store.migrations.running import HEAD, REVISIONS, VERSIONS
from activities.store.place import Store, Unusable
from activities.store.tables import METADATA
from tests.conftest import PROJECT

OPEN = """
import asyncio, sys
from activities.store.place import Store
async def main():
    store = Store(sys.argv[1])
    print(await (await store.database()).revision())
    await store.close()
sys.stdin.readline()
asyncio.run(main())
"""


async def test_the_tables_come_to_be_as_the_code_has_them(store: Store) -> None:
    database = await store.database()
    assert await database.revision() == HEAD
    async with database.reading() as connection:
        different = await connection.run_sync(_differences)
    assert different == []


def _differences(connection: sa.Connection) -> list[object]:
    options = {"version_table": VERSIONS, "compare_type": connection.dialect.name == "postgresql"}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_the_revisions_that_are_known_are_those_that_are_there() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(running.__file__).parent))
    found = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


def test_several_processes_may_come_at_once(url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-W", "error", "-c", OPEN, url]
    pipe = subprocess.PIPE
    coming = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) for _ in range(4)
    ]
    said = [each.communicate("now\n", timeout=60) for each in coming]
    assert said == [(f"{HEAD}\n", "")] * 4


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str) -> None:
    store = Store(url)
    async with (await store.database()).writing() as connection:
        await connection.execute(sa.text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    await store.close()
    with pytest.raises(Unusable, match=r"is of a newer Haulage \(revision 9999; this one knows 0001\): take that"):
        await store.database()
    await store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("secret", "is no URL: write sqlite:///path or postgresql://"),
        ("mysql://me:secret@host/db", "names a database of the kind 'mysql'"),
        ("sqlite://", "names no file"),
        ("postgresql://me:secret@127.0.0.1:1/db?password=secret", "the store at .*127.0.0.1:1/db cannot be used: "),
        ("postgresql://me:secret@127.0.0.1:port/db", "is no URL"),
        ("sqlite:////proc/secretless/store.db", "the store at sqlite:////proc/secretless/store.db cannot be used: No"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line_without_the_password(url: str, said: str) -> None:
    store = Store(url)
    with pytest.raises(Unusable, match=said) as refused:
        await store.database()
    await store.close()
    assert "secret" not in str(refused.value).replace("secretless", "")
    assert "\n" not in str(refused.value)


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("These are notes, and no database at all. " * 100)
    store = Store(f"sqlite:///{path}")
    with pytest.raises(Unusable, match="cannot be used: file is not a database"):
        await store.database()
    await store.close()
