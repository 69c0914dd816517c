"""`haul worker` as people run it: its health, its pools, and the deployment that runs are pinned to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import TaskQueueType, VersioningBehavior
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from gateway.cli.main import main
from tests.conftest import PROJECT
from workers.version import build_id


@pytest.fixture
def workers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Those that a test starts; none is left behind."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for worker in started:
        worker.kill()
        worker.wait()


def worker(client: Client, home: Path, *argv: str) -> subprocess.Popen[bytes]:
    address = client.service_client.config.target_host
    own = {"TEMPORAL_ADDRESS": address, "HAULAGE_QUEUE": f"queue-{home.name}", "PYTHONPATH": str(PROJECT)}
    command = [str(Path(sys.executable).with_name("haul")), "worker", *argv, "--home", str(home)]
    command += ["--bundles", str(PROJECT / "manifests" / "catalog")]
    return subprocess.Popen(command, env={**os.environ, **own}, cwd=home)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def until_ready(port: int) -> None:
    """Raises after half a minute."""
    async with asyncio.timeout(30):
        while True:
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", timeout=2)
            except OSError:
                await asyncio.sleep(0.2)
            else:
                return


async def test_a_deployment_is_made_current_and_runs_are_pinned_to_it(
    temporal: Client, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    port, name = free_port(), f"deployment-{tmp_path.name}"
    health = ("--health", f"127.0.0.1:{port}")
    workers.append(worker(temporal, tmp_path, "run", "--deployment", name, "--current", *health))
    await until_ready(port)
    queue = f"queue-{tmp_path.name}"
    run = await temporal.start_workflow("hello", {"name": "ada"}, id=queue, task_queue=queue)
    assert (await asyncio.wait_for(run.result(), 30))["text"] == "Hello, Ada!"
    facts = (await run.describe()).raw_description.workflow_execution_info.versioning_info
    assert facts.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
    assert (facts.deployment_version.deployment_name, facts.deployment_version.build_id) == (name, build_id())
    workers[0].send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(workers[0].wait, 30) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--server", "http://127.0.0.1:9"], "--server is for the role `models`"),
        (["models", "--server", "nope"], "the address of a server is http://"),
        (["models", "--server", "http://127.0.0.1:9", "--pool", "a", "--pool", "b"], "these are 2: a, b"),
        (["models", "--metrics", "nope"], "metrics cannot be shown at nope"),
    ],
)
def test_a_server_or_an_address_that_cannot_be_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", *words]) == 2
    assert said in capsys.readouterr().err


async def test_a_models_worker_serves_the_pools_that_it_is_told(
    temporal: Client, tmp_path: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    port, pools = free_port(), [f"one-{tmp_path.name}", f"two-{tmp_path.name}"]
    named = [word for pool in pools for word in ("--pool", pool)]
    workers.append(worker(temporal, tmp_path, "models", *named, "--health", f"127.0.0.1:{port}"))
    await until_ready(port)
    for pool in pools:
        async with asyncio.timeout(30):
            while not await pollers(temporal, f"haulage.models.{pool}"):
                await asyncio.sleep(0.1)


async def pollers(client: Client, queue: str) -> int:
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    asked = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    return len((await client.workflow_service.describe_task_queue(asked)).pollers)
