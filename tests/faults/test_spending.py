"""Workers of models that die in the middle of their calls, against a server that bills for every word."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from tests.activities.models.billing import Billing
from tests.faults.processes import Nest, Setup
from tests.support import Ended, Haul, made_again
from tests.workflows.stage import page
from tests.workflows.test_spending import billed, bundled, spent, written
from workers.building import world
from workers.settings import Settings

BOSS = """
apiVersion: haulage/v1
name: boss
budget: {tokens: 1000}
nodes: {talk: {workflow: talk}}
"""
TALK = """
apiVersion: haulage/v1
name: talk
nodes: {say: {agent: talker, with: {n: "40"}}}
"""
DEATHS = 50
CAP = 4_000
WANTED = [40] * 12
# What may be missing, or too much, for each call that was lost, of the forty words that it would say.
WORDS = 8


def lossy(client: Client, home: Path, bundles: Path) -> Setup:
    settings = {"bundles": str(bundles), "heartbeat_ms": "1000", "lost_attempts": "100", "told_ms": "100"}
    return Setup(client.service_client.config.target_host, home, client.namespace, settings)


def at_most(bill: dict[str, Any]) -> int:
    """What was spent, and what lost calls may have used besides."""
    return int(bill["tokens"] + bill.get("unheard", {"tokens": 0})["tokens"])


async def dying(nest: Nest, own: Setup, billing: Billing, end: asyncio.Task[Ended], chance: random.Random) -> int:
    """Workers one after another, each killed while calls are under way; how many died so."""
    deaths = 0
    while not end.done():
        async with nest.hatched(own, "--roles", "models"):
            while not billing.at_once and not end.done():
                await asyncio.wait([end], timeout=0.02)
            await asyncio.wait([end], timeout=chance.uniform(0.0, 1.2))
            deaths += billing.at_once > 0
    return deaths


@pytest.mark.parametrize(("cap", "answers"), [(300, 0), (1_000, 1)])
async def test_what_a_lost_call_may_have_used_is_nobody_elses(
    cap: int, answers: int, ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    async with Billing(pause=0.02) as billing:
        own = lossy(ways[0], tmp_path, written(tmp_path / "bundles", billing, f"{{tokens: {cap}}}", 200))
        billing.go.clear()
        async with nest.hatched(own, "--roles", "run"):
            run = await Haul(ways[0], world(Settings(home=tmp_path))).start("talk", {"wanted": [40]})
            async with nest.hatched(own, "--roles", "models"):
                await billing.said(20)
            billing.go.set()
            async with nest.hatched(own, "--roles", "models"):
                output = await run.result()
            state = await run.query("state")
            assert f"{state['spent']['unheard']['tokens']} tokens, " in await page(run)
    assert len(output) == answers == len(billing.receipts) - 1
    assert state["spent"]["calls"] == answers
    assert billed(billing) <= at_most(state["spent"]) <= cap
    assert state["spent"]["unheard"]["tokens"] >= 200 - 20


async def test_a_lost_call_of_a_child_is_on_the_bill_when_all_is_cancelled(
    ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    async with Billing(pause=0.02) as billing:
        bundles = bundled(tmp_path / "bundles", TALK, f"{billing.url}/v1", 200)
        (bundles / "boss").mkdir()
        (bundles / "boss/workflow.yaml").write_text(BOSS)
        own = lossy(ways[0], tmp_path, bundles)
        billing.go.clear()
        async with nest.hatched(own, "--roles", "run"):
            run = await Haul(ways[0], world(Settings(home=tmp_path))).start("boss")
            async with nest.hatched(own, "--roles", "models"):
                await billing.said(20)
            child = ways[0].get_workflow_handle(f"{run.id}/talk")
            await made_again(child)
            await run.cancel()
            with pytest.raises(WorkflowFailureError):
                await run.result()
            bill = (await run.query("state"))["spent"]
    assert 20 <= billed(billing) <= at_most(bill)


@pytest.mark.long
async def test_what_dead_workers_have_used_is_counted_and_never_passes_the_cap(
    ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    chance, deaths, runs, passed, told, lost = random.Random(7), 0, 0, 0, 0, 0
    async with Billing(pause=0.02) as billing:
        bundles = written(tmp_path / "bundles", billing, f"{{tokens: {CAP}}}", 200)
        own = lossy(ways[0], tmp_path, bundles)
        haul = Haul(ways[0], world(Settings(home=tmp_path)))
        async with nest.hatched(own, "--roles", "run"):
            while deaths < DEATHS:
                billing.receipts.clear()
                end = asyncio.create_task(haul.run("talk", {"wanted": WANTED}))
                deaths += await dying(nest, own, billing, end, chance)
                runs += 1
                assert billed(billing) <= CAP
                passed += billed(billing)
                lost += sum(not each.heard for each in billing.receipts)
                said = spent(await end)
                told += said["tokens"]
                assert billed(billing) <= at_most(said)
    print(f"\n{deaths} deaths in {runs} runs, {lost} calls lost: {passed:,} tokens billed, {told:,} told")
    # What a server says after a worker has died, and bills for, nobody hears: some words of each call.
    assert abs(told - passed) <= WORDS * lost
