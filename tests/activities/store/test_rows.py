"""What is left of runs in the store, from a real server on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.store.place import Store
from activities.store.tables import ModelCall, Node, Run, Statistic
from tests.activities.store.conftest import rows
from tests.activities.store.fleet import BUSY, sailing
from tests.support import Hauling
from tests.workflows.record import SHORT
from tests.workflows.stage import gates, until
from workers.connection import connect
from workers.embedded import EmbeddedServer

USD = Decimal("0.00000585")


async def test_a_run_that_is_completed_leaves_a_row_of_itself_and_of_each_call(
    temporal: Client, tmp_path: Path, store: Store
) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        end = await haul.run("asking", options={"tenant": "ann", "mode": "dry_run"})
    assert end.handle is not None
    (run,), (node,), (call,) = await rows(store, Run), await rows(store, Node), await rows(store, ModelCall)
    facts = {"manifest": "asking", "tenant": "ann", "mode": "dry_run", "status": "completed", "category": ""}
    assert facts.items() <= run.items()
    assert (run["workflow_id"], run["first_run_id"]) == (end.handle.id, end.handle.first_execution_run_id)
    assert (run["calls"], run["tokens"], run["usd"]) == (1, 18, USD)
    assert run["started"] < run["ended"]
    assert (node["node"], node["activity"], node["category"], node["attempt"]) == ("think", "models.call", "", 1)
    assert call["id"] == node["id"]
    facts = {"model": "m-1", "provider": "openai_compatible", "pool": "default", "agent": "thinker", "name": "main"}
    assert facts.items() <= call.items()
    counts = {"tokens_in": 11, "tokens_out": 7, "cached": 4, "usd": USD, "finish": "stop", "hit": False}
    assert counts.items() <= call.items()


async def test_a_failed_run_says_where_and_each_try_why(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store, BUSY) as haul:
        await haul.run("persistent")
        await haul.run("no such thing")
    failed, unknown = await rows(store, Run, "started")
    assert (failed["status"], failed["category"], failed["node"]) == ("failed", "rate_limited", "think")
    assert (unknown["status"], unknown["category"], unknown["plan"]) == ("failed", "input", "")
    tries = await rows(store, ModelCall, "attempt")
    assert [(each["attempt"], each["category"]) for each in tries] == [(n, "rate_limited") for n in (1, 2, 3)]


async def test_a_run_is_under_way_until_it_is_cancelled(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        run = await haul.start("waiting")
        await gates(run)
        await until(lambda: rows(store, Run), lambda seen: [each["status"] for each in seen] == ["running"])
        await run.cancel()
        await haul.ended(run)
    (row,) = await rows(store, Run)
    assert (row["status"], row["category"]) == ("cancelled", "cancelled")


async def test_a_child_run_names_its_parent(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        end = await haul.run("parent")
    assert end.handle is not None
    parent, child = await rows(store, Run, "started")
    assert (parent["manifest"], parent["parent"], child["manifest"]) == ("parent", "", "asking")
    assert (child["parent"], child["workflow_id"]) == (end.handle.id, f"{end.handle.id}/one")
    assert parent["usd"] == child["usd"] == USD


@pytest.fixture
async def short(tmp_path: Path) -> AsyncIterator[Client]:
    """A server that finds histories long after thirty events."""
    async with EmbeddedServer(tmp_path / "short", extra=SHORT) as facts:
        yield await connect(facts.address)


async def test_a_run_that_goes_on_as_another_is_one_run(short: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(short, tmp_path, store) as haul:
        end = await haul.run("circling")
    assert end.handle is not None
    (run,), calls = await rows(store, Run), await rows(store, ModelCall)
    assert run["first_run_id"] == end.handle.first_execution_run_id != run["run_id"]
    assert (run["status"], run["calls"], run["usd"]) == ("completed", 8, 8 * USD)
    assert len({each["run_id"] for each in calls}) > 1
    assert {each["key"].partition("/")[0] for each in calls} == {run["first_run_id"]}


async def test_nothing_that_was_said_is_in_the_store(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        await haul.run("asking", {"topic": "harbours"})
    found: list[Any] = [await rows(store, table) for table in (Run, Node, ModelCall, Statistic)]
    assert not [word for word in ("harbours", "What of", "AHOY") if word in repr(found)]


async def test_whoever_looks_at_a_run_that_has_ended_changes_nothing(
    temporal: Client, tmp_path: Path, store: Store
) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        end = await haul.run("asking")
        settings: dict[str, Any] = {
            "queue": haul.queue,
            "bundles": haul.world.settings.bundles,
            "cached_runs": 0,
            "store": store.url,
        }
    before = await rows(store, Run)
    assert end.handle is not None
    async with Hauling(temporal, tmp_path / "home", **settings):
        assert (await end.handle.query("state"))["status"] == "completed"
    assert await rows(store, Run) == before
