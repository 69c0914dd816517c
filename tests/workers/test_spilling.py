"""Two pools on two hosts: what one has no room for goes to the other, and so does what a dead worker held."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.activities.models.stub import Reply, Said, Stub
from tests.faults.processes import Process, Setup
from tests.support import Hauling
from tests.workers.test_pools import BUNDLE, WELL, crowd, until

AYE = Reply(said=Said(pieces=("Aye.",)))


def models(first: Stub, second: Stub, home: Path) -> dict[str, Any]:
    """A route over two pools, and the settings of whoever works on them."""
    address = "{{provider: openai_compatible, model: m-1, base_url: '{}/v1', pool: {}, {}}}"
    near = address.format(first.url, f"near-{home.name}", "wait: 200ms")
    far = address.format(second.url, f"far-{home.name}", "context: 8192")
    text = f"models: {{near: {near}, far: {far}}}\nroutes: {{main: {{ladder: [near, far]}}}}"
    (home / "bundles/crowd").mkdir(parents=True)
    for name, body in {**BUNDLE, "models.yaml": text}.items():
        (home / "bundles/crowd" / name).write_text(f"apiVersion: haulage/v1\n{body}")
    return {"bundles": [home / "bundles"]}


async def test_what_a_full_pool_has_no_room_for_goes_to_the_next(temporal: Client, tmp_path: Path) -> None:
    async with Stub(AYE) as first, Stub(AYE) as second, AsyncExitStack() as stack:
        first.pages.update(WELL)
        first.go.clear()
        own = models(first, second, tmp_path)
        near, far = ({"pool": [f"{name}-{tmp_path.name}"]} for name in ("near", "far"))
        haul = await stack.enter_async_context(Hauling(temporal, tmp_path / "home", roles=("run",), **own))
        hosts: list[dict[str, Any]] = [{**near, "server": first.url, "slots": 2}, far]
        for host in hosts:
            await stack.enter_async_context(Hauling(temporal, tmp_path / "home", roles=("models",), **own, **host))
        run = await haul.start("crowd", crowd(6))
        await until(lambda: len(second.asked) == 4)
        first.go.set()
        end = await haul.ended(run)
        book = await run.query("decisions")
    assert (end.status, len(first.asked), len(second.asked)) == ("completed", 2, 4)
    assert [each["event"] for each in book] == ["next model"] * 4
    assert book[0]["what"].endswith(": far instead of near")
    assert book[0]["reason"].startswith("unavailable: nobody on haulage.models.near-")


async def test_the_calls_of_a_worker_that_is_killed_move_on(temporal: Client, tmp_path: Path) -> None:
    async with Stub(AYE) as first, AsyncExitStack() as stack:
        first.go.clear()
        own = models(first, first, tmp_path)
        (tmp_path / "bundles/crowd/models.yaml").write_text(
            "apiVersion: haulage/v1\nmodels: {main: {provider: openai_compatible, model: m-1, "
            f"base_url: '{first.url}/v1', pool: near-{tmp_path.name}}}}}"
        )
        haul = await stack.enter_async_context(Hauling(temporal, tmp_path / "home", roles=("run",), **own))
        address = temporal.service_client.config.target_host
        settings = {"pool": f"near-{tmp_path.name}", "bundles": str(tmp_path / "bundles")}
        setup = Setup(address, tmp_path / "home", settings=settings)
        doomed = await stack.enter_async_context(Process(setup, "--roles", "models"))
        run = await haul.start("crowd", crowd(4))
        async with asyncio.timeout(30):
            await until_asked(first, 4)
        other = Hauling(temporal, tmp_path / "home", roles=("models",), pool=[f"near-{tmp_path.name}"], **own)
        await stack.enter_async_context(other)
        doomed.send(signal.SIGKILL)
        first.go.set()
        end = await haul.ended(run)
    assert (end.status, len(first.asked)) == ("completed", 8)


async def until_asked(stub: Stub, many: int) -> None:
    while len(stub.asked) < many:
        await asyncio.sleep(0.05)
