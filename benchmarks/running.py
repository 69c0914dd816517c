"""How long runs take: ours beside hand-written workflows on the same server, round by round, and peers on their own."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks import workloads
from workers.building import ROLES, build_workers, world
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.serving import undisturbed
from workers.settings import Settings

# Shape, size and placement; the first two placements are compared with hand-written workflows.
CASES = [
    ("chain", 100, "queue"),
    ("chain", 1_000, "queue"),
    ("fan-out", 200, "queue"),
    ("fan-out", 1_000, "queue"),
    ("loop", 1_000, "queue"),
    ("tree", 12, "queue"),
    ("chain", 100, "local"),
    ("chain", 1_000, "local"),
    ("chain", 10_000, "local"),
    ("chain", 10_000, "inline"),
]
# It takes minutes and is there for its bytes: once is enough, and nobody has to do it by hand.
LONG = ("chain", 10_000, "queue")
# Of one case in one round.
MOST_PAIRS = 8
AT_ONCE = (1, 10, 100, 1_000)
PEERS = Path(".haulage/peers")
PEER_SIZES = ("100", "1000")
# The type of a workflow, what it is given, and its queue.
Start = tuple[str, list[Any], str]


@dataclass
class Pairs:
    """Seconds of all pairs of one case, ours and by hand, and the history events of the last."""

    ours: list[float] = field(default_factory=list)
    hand: list[float] = field(default_factory=list)
    events: int = 0
    bytes: int = 0
    events_by_hand: int = 0


def measured(rounds: int) -> dict[str, Any]:
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        bundles = Path(folder) / "bundles"
        for shape, size, placement in [*CASES, LONG]:
            workloads.write(bundles / f"{shape}-{size}-{placement}", shape, size, placement)
        workloads.write(bundles / "chain-10-queue", "chain", 10, "queue")
        workloads.write_waiting(bundles / "waiting")
        async with EmbeddedServer(Path(folder) / "temporal") as facts:
            client = await connect(facts.address)
            queue = ["bench-tools"]
            settings = Settings(home=Path(folder) / "home", queue="ours", bundles=[bundles], queues=queue)
            shared = world(settings)
            workers = await build_workers(client, ROLES, shared)
            hand: dict[str, Any] = {"activities": [workloads.shout], "max_concurrent_activities": settings.activities}
            plain = UnsandboxedWorkflowRunner()
            workers += [
                Worker(client, task_queue="hand", workflows=[workloads.HandWritten], workflow_runner=plain, **hand),
                Worker(client, task_queue="hand-tools", **hand),
            ]
            async with shared.opened():
                return await _with(workers, lambda: _all(client, rounds))


async def _with(workers: list[Worker], work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        with undisturbed():
            return await work()
    finally:
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*running)


async def _all(client: Client, rounds: int) -> dict[str, Any]:
    # Before anything else has run: memory that was used and is free again would be used for these.
    idle = await _idle(client, 800)
    cases = {case: Pairs() for case in CASES}
    for number in range(rounds + 1):
        for case, found in cases.items():
            for place in range(_pairs(case) if number else 1):
                await _pair(client, case, found, counts=number > 0, ours_first=(number + place) % 2 == 0)
    at_once = {str(count): await _at_once(client, count) for count in AT_ONCE}
    named = {f"{shape} {size} {placement}": vars(found) for (shape, size, placement), found in cases.items()}
    return {"cases": named, "at once": at_once, "idle": idle, "long": await _long(client)}


def _pairs(case: tuple[str, int, str]) -> int:
    """Short cases are measured more often in each round: one stumble of the machine is as long as some of them."""
    return max(1, min(MOST_PAIRS, 1_000 // case[1]))


async def _pair(
    client: Client, case: tuple[str, int, str], found: Pairs, *, counts: bool, ours_first: bool = True
) -> None:
    """One run of ours and one by hand; what the first leaves to be done slows the second, so they take turns."""
    shape, size, placement = case
    where = "local" if placement == "local" else "hand-tools"
    starts: dict[str, Start] = {
        "ours": (f"{shape}-{size}-{placement}", [{}], "ours"),
        "hand": ("HandWritten", [shape, size, where], "hand"),
    }
    order = ["ours"] if placement == "inline" else sorted(starts, reverse=ours_first)
    for who in order:
        seconds, handle = await _timed(client, *starts[who])
        if counts:
            (found.ours if who == "ours" else found.hand).append(seconds)
        events, held = await _history(client, handle)
        if who == "ours":
            found.events, found.bytes = events, held
        else:
            found.events_by_hand = events


async def _timed(client: Client, type: str, args: list[Any], queue: str) -> tuple[float, WorkflowHandle[Any, Any]]:
    started = time.perf_counter()
    handle = await client.start_workflow(type, args=args, id=f"{type}-{uuid.uuid4()}", task_queue=queue)
    await handle.result()
    return time.perf_counter() - started, handle


async def _history(client: Client, handle: WorkflowHandle[Any, Any]) -> tuple[int, int]:
    """Events and bytes of a run, and of those that it went on as."""
    events = held = 0
    run_id = handle.first_execution_run_id
    while run_id:
        part = client.get_workflow_handle(handle.id, run_id=run_id)
        about = await part.describe()
        events += about.history_length
        held += about.raw_description.workflow_execution_info.history_size_bytes
        last = (await part.fetch_history()).events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return events, held


async def _at_once(client: Client, count: int) -> dict[str, float]:
    """Seconds of so many chains of ten steps at once; each side is first once."""
    starts: dict[str, Start] = {
        "ours": ("chain-10-queue", [{}], "ours"),
        "hand": ("HandWritten", ["chain", 10, "hand-tools"], "hand"),
    }
    seconds: dict[str, list[float]] = {"ours": [], "hand": []}
    for who in ("ours", "hand", "hand", "ours"):
        seconds[who].append(await _together(client, count, *starts[who]))
    return {who: statistics.mean(each) for who, each in seconds.items()}


async def _together(client: Client, count: int, type: str, args: list[Any], queue: str) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(_timed(client, type, args, queue) for _ in range(count)))
    return time.perf_counter() - started


async def _long(client: Client) -> dict[str, float]:
    shape, size, placement = LONG
    seconds, handle = await _timed(client, f"{shape}-{size}-{placement}", [{}], "ours")
    events, held = await _history(client, handle)
    return {"seconds": seconds, "events": events, "bytes": held}


async def _idle(client: Client, count: int) -> dict[str, float]:
    """Memory for each run that waits for a person, in the process of its worker, which keeps it in its cache."""
    await _waiting(client, 200)
    before = _resident()
    handles = await _waiting(client, count)
    held = _resident() - before
    await asyncio.gather(*(handle.terminate() for handle in handles))
    return {"runs": count, "KiB a run": held / count / 1024}


async def _waiting(client: Client, count: int) -> list[WorkflowHandle[Any, Any]]:
    starting = (
        client.start_workflow("waiting", {}, id=f"waiting-{uuid.uuid4()}", task_queue="ours") for _ in range(count)
    )
    handles = await asyncio.gather(*starting)
    for handle in handles:
        while not await handle.query("gates"):
            await asyncio.sleep(0.05)
    return list(handles)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize()


def peers() -> dict[str, Any]:
    """What the peers need for the same chain, where `make bench-peers` has installed them."""
    found: dict[str, Any] = {}
    for name, script in (("langgraph", "langgraph_chain.py"), ("dbos", "dbos_chain.py")):
        python = PEERS / name / "bin" / "python"
        if python.exists():
            command = [str(python), str(Path(__file__).parent / "peers" / script), *PEER_SIZES]
            said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
            found[name] = json.loads(said.stdout.splitlines()[-1])
    return found


BUDGETS = {"queue": (1.10, 1.05), "local": (1.10, 1.05)}


def report(found: dict[str, Any], beside: dict[str, Any]) -> Iterator[str]:
    """The findings as Markdown, losses and all."""
    pairs = sorted(len(case["ours"]) for case in found["cases"].values())
    yield f"Medians of {pairs[0]} pairs (long cases) to {pairs[-1]} (short ones), after one that warms up; the sides"
    yield "take turns to be first, and a ratio is the median of those of the pairs."
    yield ""
    yield "| case | ours | by hand | ratio | events | by hand | bytes a step | budget |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for name, case in found["cases"].items():
        yield _row(name, case)
    yield _long_row(found["long"])
    yield ""
    yield "| runs at once, ten steps each | ours | by hand | ratio | steps a second | by hand |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for count, said in found["at once"].items():
        ours, hand, steps = said["ours"], said["hand"], 10 * int(count)
        yield (
            f"| {int(count):,} | {ours:.2f} s | {hand:.2f} s | {ours / hand:.2f} | {steps / ours:.0f} "
            f"| {steps / hand:.0f} |"
        )
    yield ""
    yield f"A run that waits for a person takes {found['idle']['KiB a run']:.0f} KiB of its worker's memory."
    if beside:
        yield ""
        yield from _beside(found, beside)


def _row(name: str, case: dict[str, Any]) -> str:
    shape, size, placement = name.split()
    ours = statistics.median(case["ours"])
    steps = f"{case['bytes'] / int(size):.0f}"
    if placement == "inline":
        verdict = f"{'PASS' if ours <= 1.0 else 'MISS'}: 1 s"
        return f"| {shape} {int(size):,} {placement} | {ours:.3f} s | | | {case['events']:,} | | {steps} | {verdict} |"
    hand = statistics.median(case["hand"])
    ratio = statistics.median(ours / hand for ours, hand in zip(case["ours"], case["hand"], strict=True))
    events = case["events"] / case["events_by_hand"]
    most, most_events = BUDGETS[placement]
    kept = ratio <= most and events <= most_events
    verdict = f"{'PASS' if kept else 'MISS'}: {most:.2f} × time, {most_events:.2f} × events"
    return (
        f"| {shape} {int(size):,} {placement} | {ours:.3f} s | {hand:.3f} s | {ratio:.2f} | {case['events']:,} "
        f"| {case['events_by_hand']:,} | {steps} | {verdict} |"
    )


def _long_row(long: dict[str, float]) -> str:
    shape, size, placement = LONG
    steps = f"{long['bytes'] / size:.0f}"
    return f"| {shape} {size:,} {placement}, once | {long['seconds']:.1f} s | | | {long['events']:,} | | {steps} | |"


def _beside(found: dict[str, Any], beside: dict[str, Any]) -> Iterator[str]:
    """The same chain of a thousand steps, in each system's own durable way."""
    yield "| chain | Haulage, fused local | Haulage, queue | " + " | ".join(beside) + " |"
    yield "|--:|--:|--:|" + "--:|" * len(beside)
    for place, size in enumerate(PEER_SIZES):
        own = [statistics.median(found["cases"][f"chain {size} {each}"]["ours"]) for each in ("local", "queue")]
        others = [said[place]["seconds"] for said in beside.values()]
        yield f"| {int(size):,} | " + " | ".join(f"{seconds:.2f} s" for seconds in [*own, *others]) + " |"
