"""Who comes first where more is wanted than a pool can do: priorities, and even shares for tenants."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.activities.models.stub import Reply, Said, Stub
from tests.support import Haul, Hauling
from tests.workers.test_pools import WELL, bundle, crowd


async def backlog(haul: Haul, *runs: tuple[int, dict[str, Any]]) -> list[Any]:
    """Runs whose calls are all in the queue, one run after the other."""
    handles = []
    for many, options in runs:
        handle = await haul.start("crowd", crowd(many), options)
        handles.append(handle)
        async with asyncio.timeout(20):
            while len((await handle.describe()).raw_description.pending_activities) < many:
                await asyncio.sleep(0.05)
    return handles


async def order(temporal: Client, home: Path, *runs: tuple[int, dict[str, Any]]) -> list[str]:
    """The tenants of the calls, as they come to a server with two slots."""
    served: list[str] = []
    async with Stub(Reply(said=Said(pieces=("Aye.",)))) as stub:
        stub.pages.update(WELL)
        pool = f"shares-{home.name}"
        own: dict[str, Any] = {"bundles": [bundle(home / "bundles", stub.url, pool)], "pool": [pool]}
        async with Hauling(temporal, home / "home", roles=("run",), **own) as haul:
            handles = await backlog(haul, *runs)
            async with Hauling(temporal, home / "home", roles=("models",), server=stub.url, slots=2, **own):
                ended = [asyncio.create_task(haul.ended(each)) for each in handles]
                await asyncio.gather(*ended)
            for handle, (_, options) in zip(handles, runs, strict=True):
                events = [each async for each in handle.fetch_history_events()]
                served += [f"{each.event_time.ToJsonString()} {options['tenant']}" for each in events if is_start(each)]
    return [each.split()[1] for each in sorted(served)]


def is_start(event: Any) -> bool:
    return bool(event.HasField("activity_task_started_event_attributes"))


async def test_tenants_have_even_shares_while_both_have_a_backlog(temporal: Client, tmp_path: Path) -> None:
    large = [(40, {"tenant": "large"})] * 5
    served = await order(temporal, tmp_path, *large, (20, {"tenant": "small"}))
    assert len(served) == 220
    last = len(served) - served[::-1].index("small")
    assert served[:last].count("large") == pytest.approx(20, abs=2)


async def test_what_is_urgent_goes_first(temporal: Client, tmp_path: Path) -> None:
    late, urgent = {"tenant": "late", "priority": 5}, {"tenant": "urgent", "priority": 1}
    served = await order(temporal, tmp_path, (20, late), (20, urgent))
    # The last urgent one and the first of the others are given to the two slots at once, and either may be noted first.
    assert served[:19] + sorted(served[19:21], reverse=True) + served[21:] == ["urgent"] * 20 + ["late"] * 20
