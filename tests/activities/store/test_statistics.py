"""What calls come to in numbers, and how `haul models` shows it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.store.notes import Note
from activities.store.place import Store
from activities.store.statistics import Tally, since, step, tallied
from activities.store.tables import ModelCall, Statistic
from activities.store.writing import write
from tests.activities.store.conftest import rows
from tests.gateway.cli.processes import told

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
COUNT = st.integers(0, 10**9)
CALLS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["m-1", "m-2"]),
        "provider": st.sampled_from(["openai", "ollama"]),
        "pool": st.just("p"),
        "category": st.sampled_from(["", "", "timeout", "rate_limited"]),
        "rung": st.sampled_from(["", "strict", "repaired"]),
        "hit": st.booleans(),
        "began": st.integers(0, 3 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
        "took_ms": st.integers(0, 10**7),
        **dict.fromkeys(("tokens_in", "tokens_out", "cached", "reasoning"), COUNT),
        "usd": st.decimals(0, 10**6, places=20, allow_nan=False, allow_infinity=False),
    }
)


def call(**facts: Any) -> dict[str, Any]:
    texts = ("workflow_id", "run_id", "activity_id", "node", "key", "tenant", "agent", "name", "finish", "category")
    numbers = dict.fromkeys(("tokens_in", "tokens_out", "cached", "reasoning"), 0)
    own = {"model": "m-1", "provider": "openai", "pool": "p", "rung": "", "hit": False, "took_ms": 0}
    more = {"id": uuid.uuid4().hex, "attempt": 1, "worker_attempt": 1, "usd": Decimal(0), "began": datetime.now(UTC)}
    return {**dict.fromkeys(texts, ""), **numbers, **own, **more, **facts}


def counted(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """By another way than the one that is tested."""
    asked = [each for each in calls if not each["hit"]]
    sums = {name: sum(each[name] for each in asked) for name in ("tokens_in", "tokens_out", "cached", "reasoning")}
    words = {"failures": "category", "rungs": "rung"}
    return {
        **sums,
        **{name: dict(Counter(each[word] for each in asked if each[word])) for name, word in words.items()},
        "calls": len(asked),
        "hits": len(calls) - len(asked),
        "usd": sum(int(each["usd"] * 10**20) for each in asked),
        "took_ms": sum(each["took_ms"] for each in asked),
        "latencies": len(asked),
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(CALLS, max_size=6), max_size=4))
async def test_statistics_equal_a_recount_of_the_rows(store: Store, batches: list[list[dict[str, Any]]]) -> None:
    database = await store.database()
    for batch in batches:
        notes = [Note("call", call(**each)) for each in batch]
        await write(database, notes)
        await write(database, notes)  # as after a commit whose answer was lost
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in await rows(store, ModelCall):
        hour = row["began"].replace(minute=0, second=0, tzinfo=None)
        groups.setdefault((hour, row["model"], row["provider"]), []).append(row)
    for row in await rows(store, Statistic):
        expected = counted(groups.pop((row["hour"].replace(tzinfo=None), row["model"], row["provider"])))
        row |= {"usd": int(row["usd"] * 10**20), "latencies": sum(row["latencies"].values())}
        assert {name: row[name] for name in expected} == expected
    assert not groups


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_near_the_true_one(latencies: list[int], share: float) -> None:
    ((_, tally),) = tallied(call(took_ms=each, began=NOON) for each in latencies).items()
    wanted = share * len(latencies)
    true = next(each for place, each in enumerate(sorted(latencies), 1) if place >= wanted)
    found = tally.percentile(share)
    assert found is not None
    assert abs(found - true) <= 0.06 * true


def test_nothing_has_no_percentile() -> None:
    assert Tally().percentile(0.5) is None
    assert [step(each) for each in (0, 1, 2)] == [0, 1, 8]


async def test_only_the_hours_that_were_asked_for_are_counted(store: Store) -> None:
    database = await store.database()
    await write(database, [Note("call", call(began=NOON + timedelta(minutes=each))) for each in (-1, 0, 1, 61)])
    found = await since(database, NOON + timedelta(minutes=30))
    assert [tally.calls for tally in found.values()] == [3]


async def _filled(url: str) -> None:
    store = Store(url)
    calls = [call(rung="strict", took_ms=90, tokens_in=1000, tokens_out=200, usd=Decimal("0.0123")) for _ in range(3)]
    calls += [call(category="timeout", took_ms=5_000), call(hit=True)]
    await write(await store.database(), [Note("call", each) for each in calls])
    await store.close()


async def test_the_command_shows_how_models_did(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await _filled(url)
    monkeypatch.setenv("HAULAGE_STORE", url)
    status, out, _ = await _told("models")
    assert status == 0
    head, row = out.splitlines()
    assert head.split() == ["model", "pool", "calls", "failed", "p50", "p95", "in", "out", "cost", "answers", "hits"]
    cells = ["m-1 (openai)", "p", "4", "25.0%: 1 timeout", "93 ms", "5.1 s", "3,000", "600", "$0.0369", "3 strict", "1"]
    assert [each.strip() for each in row.split("  ") if each.strip()] == cells
    (facts,) = json.loads((await _told("models", "--json"))[1])
    assert {"calls": 4, "cost_usd": "0.0369", "failures": {"timeout": 1}, "hits": 1}.items() <= facts.items()


async def _told(*words: str) -> tuple[int, str, str]:
    """A command runs a loop of its own."""
    return await asyncio.to_thread(told, *words)


def test_the_command_says_when_there_is_nothing_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAULAGE_STORE", raising=False)
    assert told("models", "--home", tmp_path) == (0, "", "no calls of models in the last 24h\n")
    assert list(tmp_path.iterdir()) == []
    assert told("models", "--since", "soon")[0] == 2


def test_a_store_that_cannot_be_reached_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAULAGE_STORE", "postgresql://me:hidden@127.0.0.1:1/db")
    status, out, said = told("models")
    assert (status, out, said.count("\n")) == (1, "", 1)
    assert "cannot be used: Connect call failed" in said
    assert "hidden" not in said
