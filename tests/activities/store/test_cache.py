"""Answers that are used again, over real HTTP and on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.contracts import ToolCalled, Usage
from activities.models.endpoints import Endpoints
from activities.models.protocol import Ask, Heard, Message, Tool
from activities.models.secrets import Secrets
from activities.store import responses
from activities.store.cache import Cache, key_of
from activities.store.place import Store
from activities.store.tables import ModelCall, Response, Statistic
from manifests.plan import ModelSpec
from tests.activities.models.stub import Reply, Said
from tests.activities.store.conftest import rows
from tests.activities.store.fleet import BOAT, sailing

HOUR = 3_600_000
TTL = "cache: {ttl: 1h}"
MODEL = ModelSpec(provider="openai", model="m", pool="p", context=100)
ASK = Ask("m", (Message("user", "Ahoy?"),), 50, 100)
HEARD = Heard("Ahoy! \ud83d\0", (ToolCalled(id="1", tool="t", arguments={"a": 1}),), Usage(tokens_in=1), "m", "stop")


async def test_an_answer_is_used_again_and_costs_nothing(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store, more=TTL) as haul:
        ends = [await haul.run("asking") for _ in range(2)]
    assert [end.output for end in ends] == [ends[0].output] * 2
    assert [end.state["spent"]["usd"] for end in ends] == ["0.00000585", "0"]
    calls = await rows(store, ModelCall, "began")
    assert [(call["hit"], call["tokens_in"]) for call in calls] == [(False, 11), (True, 0)]
    ((statistic),) = await rows(store, Statistic)
    assert (statistic["calls"], statistic["hits"]) == (1, 1)


async def test_of_another_tenant_or_another_prompt_nothing_is_used(
    temporal: Client, tmp_path: Path, store: Store
) -> None:
    async with sailing(temporal, tmp_path, store, more=TTL) as haul:
        await haul.run("asking", options={"tenant": "ann"})
        await haul.run("asking", options={"tenant": "bob"})
        await haul.run("asking", {"topic": "rafts"}, {"tenant": "ann"})
    assert [call["hit"] for call in await rows(store, ModelCall)] == [False] * 3


async def test_an_agent_that_does_not_say_so_is_always_asked(temporal: Client, tmp_path: Path, store: Store) -> None:
    async with sailing(temporal, tmp_path, store) as haul:
        for _ in range(2):
            await haul.run("asking")
    assert [call["hit"] for call in await rows(store, ModelCall)] == [False, False]
    assert await rows(store, Response) == []


async def test_what_is_no_answer_in_contract_is_not_kept(temporal: Client, tmp_path: Path, store: Store) -> None:
    prose = Reply(said=Said(pieces=("No JSON",)))
    async with sailing(temporal, tmp_path, store, prose, BOAT, more=f"{TTL}\n    ask_again: 0") as haul:
        assert (await haul.run("asking")).status == "failed"
        assert await rows(store, Response) == []
        assert (await haul.run("asking")).status == "completed"


async def test_without_the_store_the_model_is_asked(temporal: Client, tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    async with sailing(temporal, tmp_path, store, more=TTL) as haul:
        haul.world.store.url = f"sqlite:///{tmp_path / 'store.db'}"
        assert [(await haul.run("asking")).status for _ in range(2)] == ["completed"] * 2
    await store.close()


async def test_an_answer_comes_back_as_it_was(store: Store) -> None:
    cache = Cache(store)
    await store.database()
    await cache.put("k", HEARD, HOUR)
    assert await cache.get("k") == replace(HEARD, usage=Usage())
    assert await cache.get("other") is None


async def test_an_answer_expires_and_is_removed(store: Store) -> None:
    database, now = await store.database(), datetime.now(UTC)
    await responses.keep(database, "old", "1", now, now + timedelta(seconds=1))
    assert await responses.found(database, "old", now) == "1"
    later = now + timedelta(seconds=1)
    assert await responses.found(database, "old", later) is None
    await responses.keep(database, "new", "2", later, later + timedelta(seconds=1))
    assert [row["key"] for row in await rows(store, Response)] == ["new"]


async def test_the_last_of_two_that_come_at_once_stays(store: Store) -> None:
    database, now = await store.database(), datetime.now(UTC)
    ends = now + timedelta(seconds=9)
    await asyncio.gather(*(responses.keep(database, "k", str(n), now, ends) for n in range(5)))
    assert len(await rows(store, Response)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"ask": {"messages": (Message("user", "Ahoy!"),)}},
        {"ask": {"messages": (Message("user", "Ahoy?", by="ann"),)}},
        {"ask": {"max_output": 51}},
        {"ask": {"temperature": 0.0}},
        {"ask": {"schema": {"type": "object"}}},
        {"ask": {"tools": (Tool("t", "", {}),)}},
        {"provider": "ollama"},
        {"address": "http://elsewhere"},
        {"tenant": "ann"},
    ],
)
def test_all_that_an_answer_depends_on_is_in_its_key(other: dict[str, Any]) -> None:
    same: dict[str, Any] = {"ask": ASK, "provider": "openai", "address": "http://here", "tenant": ""}
    changed = {**same, **other, "ask": replace(ASK, **other.get("ask", {}))}
    assert key_of(**changed) != key_of(**same)
    assert key_of(**{**same, "ask": replace(ASK)}) == key_of(**same)


def test_the_same_setting_with_another_address_is_another_request() -> None:
    model, keys = MODEL.model_copy(update={"base_url": {"env": "WHERE"}}), set()
    for address in ("http://one", "http://other"):
        endpoints = Endpoints(Secrets({"WHERE": address}))
        keys.add(key_of(ASK, model.provider, endpoints.address("main", model), ""))
    assert len(keys) == 2
