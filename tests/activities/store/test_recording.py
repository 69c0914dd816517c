"""The store is written beside runs, and never in their way."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.store import place, recording
from activities.store.notes import Note
from activities.store.place import Store
from activities.store.recording import Recorder
from activities.store.tables import ModelCall, Node, Run
from tests.activities.store.conftest import rows
from tests.activities.store.fleet import sailing
from tests.postgres import Postgres
from tests.support import Hauling


def node(**more: Any) -> Note:
    """A note about a try."""
    facts = {"workflow_id": "w", "run_id": "r", "activity_id": "a", "node": "a", "category": "", "activity": "x"}
    numbers = {"attempt": 1, "worker_attempt": 1, "took_ms": 3, "began": datetime.now(UTC)}
    return Note("node", {"id": uuid.uuid4().hex, **facts, **numbers, **more})


async def test_what_waits_is_written_when_a_worker_stops(store: Store) -> None:
    async with Recorder(store) as recorder:
        recorder.note([node() for _ in range(1_200)])
    assert len(await rows(store, Node)) == 1_200
    assert recorder.dropped == 0


async def test_notes_may_come_from_any_thread(store: Store) -> None:
    async with Recorder(store) as recorder:
        await asyncio.gather(*(asyncio.to_thread(recorder.note, [node()]) for _ in range(50)))
        await recorder.flushed()
        assert len(await rows(store, Node)) == 50


async def test_a_row_that_the_database_refuses_takes_no_other_with_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    notes = [node() for _ in range(7)]
    async with Recorder(store) as recorder:
        recorder.note([*notes[:3], node(began="never"), *notes[3:]])
    assert {each["id"] for each in await rows(store, Node)} == {each.row["id"] for each in notes}
    assert recorder.dropped == 1
    assert "the store refuses a row" in caplog.text


async def test_what_is_written_twice_stands_there_once(store: Store) -> None:
    note = node()
    async with Recorder(store) as recorder:
        recorder.note([note, note])
        await recorder.flushed()
        recorder.note([note])
    assert len(await rows(store, Node)) == 1


async def test_what_does_not_fit_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 10)
    async with Recorder(Store("postgresql://me:hidden@127.0.0.1:1/db")) as recorder:
        recorder.note([node() for _ in range(15)])
        assert recorder.dropped == 5
    assert recorder.dropped == 15
    assert caplog.messages[-1] == "rows of the store were dropped: 15"
    assert "hidden" not in caplog.text


async def test_nothing_is_noted_while_nobody_records(store: Store) -> None:
    recorder = Recorder(store)
    recorder.note([node()])
    async with recorder:
        pass
    recorder.note([node()])
    assert await rows(store, Node) == []


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A server that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="haul-pg-") as folder, Postgres(Path(folder) / "server") as server:
        yield server


async def test_runs_go_on_while_the_database_is_dead_and_their_rows_come_when_it_lives(
    temporal: Client, tmp_path: Path, own: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(place, "PAUSE", 0.2)
    monkeypatch.setattr(recording, "PAUSE", 0.2)
    monkeypatch.setattr(recording, "GATHERING", 0.05)
    store = Store(own.url())
    async with sailing(temporal, tmp_path, store) as haul:
        ends = [(await haul.run("asking")).status]
        await haul.world.recorder.flushed()
        await asyncio.to_thread(own.kill)
        ends += [end.status for end in await asyncio.gather(*(haul.run("asking") for _ in range(5)))]
        await asyncio.to_thread(own.start)
        await asyncio.wait_for(haul.world.recorder.flushed(), 30)
        assert ends == ["completed"] * 6
        assert [each["status"] for each in await rows(store, Run)] == ["completed"] * 6
        assert len(await rows(store, ModelCall)) == 6
        assert haul.world.recorder.dropped == 0
    said = [each.message for each in caplog.records if each.name == recording.__name__]
    assert [each.partition(":")[0] for each in said] == ["rows wait, runs go on", "the store is written again"]
    await store.close()


async def test_a_database_that_another_process_holds_for_ever_does_not_hold_up_a_worker_that_stops(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LONGEST_FLUSH", 0.5)
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    async with sailing(temporal, tmp_path, store) as haul:
        await haul.world.store.database()
        holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert (await haul.run("asking")).status == "completed"
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert haul.world.recorder.dropped == 4
    holder.close()
    await store.close()


async def test_a_setting_that_makes_no_sense_stops_no_run(
    temporal: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Hauling(temporal, tmp_path, store="mysql://me:hidden@host/db") as haul:
        assert (await haul.run("hello", {"name": "ada"})).output["text"] == "Hello, Ada!"
    assert "HAULAGE_STORE names a database of the kind 'mysql'" in caplog.text
    assert "hidden" not in caplog.text + repr(haul.world.settings)


async def test_the_order_in_which_workers_tell_of_a_run_does_not_matter(store: Store) -> None:
    facts = dict.fromkeys(("run_id", "workflow_id", "parent", "manifest", "plan", "version", "pipeline"), "x")
    facts |= dict.fromkeys(("tenant", "mode", "category", "node"), "")
    now = datetime.now(UTC)
    run = {**facts, "first_run_id": "1", "calls": 0, "tokens": 0, "usd": Decimal(0), "started": now}
    async with Recorder(store) as recorder:
        recorder.note([Note("ended", {**run, "status": "completed", "ended": now, "usd": Decimal("0.1")})])
        await recorder.flushed()
        recorder.note([Note("begun", {**run, "status": "running", "ended": None})])
    (row,) = await rows(store, Run)
    assert (row["status"], row["usd"]) == ("completed", Decimal("0.1"))
