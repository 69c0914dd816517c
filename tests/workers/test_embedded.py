"""The settings of the embedded server are ones that it has, and do what they are there for."""

from __future__ import annotations

import asyncio
import mmap
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from workers import embedded
from workers.connection import connect
from workers.embedded import TUNING, EmbeddedServer, binary

KEYS = [value.partition("=")[0] for name, value in pairwise(TUNING) if name.endswith("-value")]
# Less than twice the least that the server waits by itself, which is half a minute with a jitter of 15 %.
SOON = 45.0


@pytest.fixture(scope="module")
def program() -> Iterator[mmap.mmap]:
    with Path(binary("temporal")).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as whole:
        yield whole


@pytest.mark.parametrize("key", KEYS)
def test_the_server_knows_each_setting_it_is_given(program: mmap.mmap, key: str) -> None:
    """What it does not know it ignores without a word."""
    assert program.find(key.encode()) > 0


async def test_the_server_does_not_keep_the_tasks_that_it_is_done_with(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as facts, asyncio.timeout(SOON):
        client = await connect(facts.address)
        for number in range(3):
            await _timed_out(client, f"run-{number}")
            while _kept(tmp_path / "temporal.db"):
                await asyncio.sleep(0.2)


async def test_servers_that_start_at_the_same_moment_get_ports_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PREFERRED", {"grpc": embedded._free_port(), "ui": embedded._free_port()})
    async with AsyncExitStack() as stack:
        starting = (stack.enter_async_context(EmbeddedServer(tmp_path / str(place))) for place in range(4))
        for facts in await asyncio.gather(*starting):
            # Were it the server of another one, it would have this already.
            await (await connect(facts.address)).start_workflow("mine", id="mine", task_queue="nowhere")


async def test_the_server_takes_no_queue_for_stuck_that_it_looks_at_often(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as facts:
        client = await connect(facts.address)
        await asyncio.gather(*(_timed_out(client, f"run-{place}", 1.0 + place / 20) for place in range(40)))
        with urllib.request.urlopen(facts.metrics, timeout=5) as answer:
            said = answer.read().decode()
    assert "TimerActiveTaskWorkflowRunTimeout" in said
    assert "reader_stuck" not in said


async def _timed_out(client: Client, id: str, seconds: float = 1.0) -> None:
    """A run for which nobody works, so that a timer ends it."""
    run = await client.start_workflow("nothing", id=id, task_queue="nowhere", run_timeout=timedelta(seconds=seconds))
    with pytest.raises(WorkflowFailureError):
        await run.result()


def _kept(database: Path) -> int:
    """The tasks that are done, or due."""
    due = "select count(*) from timer_tasks where visibility_timestamp < datetime('now')"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reading:
        counts = [reading.execute(query).fetchone()[0] for query in ("select count(*) from transfer_tasks", due)]
    return sum(counts)
