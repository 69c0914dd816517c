"""`haul worker models --server … --metrics …`, as people run it: what it shows of itself is what happens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from temporalio.client import Client

from activities.models.metrics import METRICS
from tests.activities.models.stub import Reply, Said, Stub
from tests.support import Hauling
from tests.workers.test_pools import UNWELL, WELL, bundle, crowd
from tests.workers.test_worker_command import free_port, until_ready, worker


def read(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        return error.read().decode()


async def says(url: str, holds: Callable[[str], Any]) -> str:
    """What stands there once it holds."""
    async with asyncio.timeout(30):
        while not holds(text := await asyncio.to_thread(read, url)):
            await asyncio.sleep(0.1)
    return text


def value(page: str, name: str, **labels: str) -> float | None:
    lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
    found = [line for line in lines if all(f'{label}="{each}"' in line for label, each in labels.items())]
    return float(found[0].rpartition(" ")[2]) if found else None


async def test_a_worker_tells_what_its_pool_and_its_models_do(temporal: Client, tmp_path: Path) -> None:
    health, metrics, pool = free_port(), free_port(), f"shown-{tmp_path.name}"
    async with Stub(Reply(said=Said(pieces=("Aye.",)))) as stub:
        stub.pages.update(WELL)
        own: dict[str, Any] = {"bundles": [bundle(tmp_path / "bundles", stub.url, pool)]}
        shown = ("--health", f"127.0.0.1:{health}", "--metrics", f"127.0.0.1:{metrics}")
        near = ("--server", stub.url, "--model", "m-1", "--slots", "3")
        process = worker(temporal, tmp_path, "models", "--pool", pool, *near, *shown)
        try:
            await until_ready(health)
            async with Hauling(temporal, tmp_path, roles=("run",), **own) as haul:
                assert (await haul.run("crowd", crowd(5))).status == "completed"
            wanted = {"pool": pool, "model": "m-1"}
            where = f"http://127.0.0.1:{metrics}/metrics"
            page = await says(where, lambda page: value(page, "haulage_pool_slots", pool=pool) == 3)
            assert value(page, "haulage_model_calls", outcome="ok", **wanted) == 5
            assert value(page, "haulage_model_tokens", kind="in", **wanted) == 55
            assert value(page, "haulage_model_seconds_count", **wanted) == 5
            assert value(page, "haulage_pool_healthy", pool=pool) == 1
            assert [name for name in METRICS if name not in page and name != "haulage_answers"] == []
            stub.pages["/health"] = UNWELL
            said = await says(f"http://127.0.0.1:{health}/readyz", lambda text: "503" in text)
        finally:
            end(process)
    facts = {"pool": pool, "server": stub.url, "healthy": False, "slots": 0, "used": 0}
    assert json.loads(said) == {"ready": False, "resting": [], **facts, "reason": "its /health says 503"}


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
