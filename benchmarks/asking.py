"""What an agent costs over the call of its model, beside an activity by hand that makes the same call.

The server is a stub in a process of its own; runs, and the same by hand, are on one embedded Temporal server.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.model_stub import ANSWER
from benchmarks.running import _with
from workers.building import ROLES, build_workers, world
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.settings import Settings

# Median milliseconds over the bare activity; share of what the slots allow.
OVERHEAD_MS = 15.0
SHARE = 0.9
# How long the stub takes for an answer where many ask, and how many it gives at once.
TAKES_MS = 50
SLOTS = 4
RUNS = 64
# Calls of each of them, one after another. They begin together, and slots stand free while the first calls are on their
# way; the more calls, the less it matters.
CALLS = (10, 30)
STUB = Path(__file__).with_name("model_stub.py")
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


class Bare:
    """The same request over one client, read as it comes."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    @activity.defn(name="bare")
    async def call(self, url: str) -> dict[str, str]:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
        asked: dict[str, Any] = {"model": "stub", "messages": [{"role": "user", "content": "Say A."}], "stream": True}
        text = ""
        async with self._http.stream("POST", f"{url}/chat/completions", json=asked | {"response_format": form}) as said:
            async for line in said.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        text += choice["delta"].get("content", "")
        found: dict[str, str] = json.loads(text)
        return found


@workflow.defn
class BareRun:
    @workflow.run
    async def run(self, asked: list[Any]) -> dict[str, str]:
        url, calls = asked
        found: dict[str, str] = {}
        for _ in range(calls):
            found = await workflow.execute_activity(
                "bare", url, task_queue="hand-models", start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=10),
            )  # fmt: skip
        return found


@contextmanager
def stub(milliseconds: int, slots: int) -> Iterator[str]:
    command = [sys.executable, str(STUB), str(milliseconds), str(slots)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def write(folder: Path, name: str, url: str, calls: int) -> None:
    """One agent, asked so many times, one after another."""
    folder.mkdir(parents=True)
    schema = json.dumps(SCHEMA)
    names = [f"ask{number}" for number in range(calls)]
    nodes = "".join(f"  {each}: {{agent: thinker}}\n" for each in names)
    edges = f"edges: [{' -> '.join(names)}]" if calls > 1 else ""
    files = {
        "workflow": f"name: {name}\noutput: ${{{names[-1]}}}\nnodes:\n{nodes}{edges}",
        "agents": f"agents:\n  thinker: {{model: stub, prompt: {{text: Say A.}}, output: {schema}}}",
        "models": f"models:\n  stub: {{provider: openai_compatible, base_url: '{url}', model: stub}}",
    }
    for file, text in files.items():
        (folder / f"{file}.yaml").write_text(f"apiVersion: haulage/v1\n{text}\n", encoding="utf-8")


def measured(rounds: int) -> dict[str, Any]:
    """Seconds of single runs, round by round, and of many at once."""
    with stub(0, RUNS) as quick, stub(TAKES_MS, SLOTS) as slow:
        return asyncio.run(_measured(rounds, quick, slow))


async def _measured(rounds: int, quick: str, slow: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        bundles, home = Path(folder) / "bundles", Path(folder) / "home"
        write(bundles / "quick", "quick", quick, 1)
        for calls in CALLS:
            write(bundles / f"slow-{calls}", f"slow-{calls}", slow, calls)
        async with EmbeddedServer(Path(folder) / "temporal") as facts, httpx2.AsyncClient(timeout=60) as http:
            client = await connect(facts.address)
            shared = world(Settings(home=home, queue="ours", bundles=[bundles]))
            plain = UnsandboxedWorkflowRunner()
            workers = [
                *await build_workers(client, ROLES, shared),
                Worker(client, task_queue="hand", workflows=[BareRun], workflow_runner=plain),
                Worker(client, task_queue="hand-models", activities=[Bare(http).call]),
            ]
            async with shared.opened():
                return await _with(workers, lambda: _all(client, rounds, quick, slow))


async def _all(client: Client, rounds: int, quick: str, slow: str) -> dict[str, Any]:
    return {
        "single": await _pairs(rounds * 10, 3, lambda *what: _one(client, *what), "quick", [quick, 1]),
        "at once": {
            str(calls): await _pairs(rounds, 1, lambda *what: _many(client, *what), f"slow-{calls}", [slow, calls])
            for calls in CALLS
        },
    }


async def _pairs(
    many: int, warm: int, work: Callable[..., Awaitable[float]], ours: str, by_hand: list[Any]
) -> dict[str, list[float]]:
    """Seconds of both, who take turns to be first; the first few, while all gets warm, do not count."""
    what: dict[str, tuple[str, Any, str]] = {"ours": (ours, {}, "ours"), "hand": ("BareRun", by_hand, "hand")}
    took: dict[str, list[float]] = {"ours": [], "hand": []}
    for number in range(-warm, many):
        for who in sorted(what, reverse=number % 2 == 0):
            seconds = await work(*what[who])
            took[who] += [round(seconds, 5)] if number >= 0 else []
    return took


async def _one(client: Client, type: str, given: Any, queue: str) -> float:
    start = time.perf_counter()
    found = await client.execute_workflow(type, given, id=f"{type}-{uuid.uuid4()}", task_queue=queue)
    assert found == json.loads(ANSWER)
    return time.perf_counter() - start


async def _many(client: Client, type: str, given: Any, queue: str) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(_one(client, type, given, queue) for _ in range(RUNS)))
    return time.perf_counter() - start


def report(found: dict[str, Any]) -> Iterator[str]:
    """The findings as Markdown."""
    single, at_once = found["single"], found["at once"]
    over = [(ours - hand) * 1000 for ours, hand in zip(single["ours"], single["hand"], strict=True)]
    median, verdict = statistics.median(over), ("MISS", "PASS")
    rounds = len(next(iter(at_once.values()))["ours"])
    yield f"Medians of {len(over)} single runs in turns, and of {rounds} rounds of {RUNS} runs at once."
    yield ""
    yield "| | an agent | an activity by hand | | budget |"
    yield "|---|--:|--:|--:|---|"
    ours, hand = (statistics.median(single[who]) * 1000 for who in ("ours", "hand"))
    kept = verdict[median <= OVERHEAD_MS]
    yield f"| one call | {ours:.1f} ms | {hand:.1f} ms | {median:+.1f} ms | {kept}: +{OVERHEAD_MS:g} ms |"
    for calls, took in at_once.items():
        least = RUNS * int(calls) * TAKES_MS / SLOTS / 1000
        ours, hand = (_share(least, took[who]) for who in ("ours", "hand"))
        kept = verdict[least / statistics.median(took["ours"]) >= SHARE]
        what = f"{RUNS} runs at once of {calls} calls each, {TAKES_MS} ms an answer, {SLOTS} slots"
        what += ": share of what the slots allow, and in the worst round"
        yield f"| {what} | {ours} | {hand} | | {kept}: {SHARE:.0%} |"


def _share(least: float, took: list[float]) -> str:
    return f"{least / statistics.median(took):.0%}, {least / max(took):.0%}"
