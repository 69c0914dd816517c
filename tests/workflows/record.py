"""Records the corpus of histories, by hand: `python -m tests.workflows.record [STORY …]`.

A recorded history stands for a run out in the world. When one stops replaying, the code has broken runs like it: that
wants another way, a patch or a new `ir_version`, and never a new recording. New stories are recorded beside the old.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from temporalio.client import Client, WorkflowHandle

from activities import plans
from gateway.cli.going_on import fork
from tests.support import Haul, Hauling
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.replaying import plan_file
from workflows.orders import Override

HERE = Path(__file__).parent
BUNDLES = HERE / "bundles"
HISTORIES = HERE / "histories"
# A history that is long after so many events makes a run go on as a new one while it is still small.
SHORT = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=30")

Run: TypeAlias = WorkflowHandle[Any, Any]
Drive: TypeAlias = Callable[[Haul, Run], Awaitable[None]]


async def alone(haul: Haul, run: Run) -> None:
    """Nobody does anything."""


@dataclass(frozen=True)
class Story:
    """One run and what people do to it; `children` are ends of the ids of the other runs to keep."""

    bundle: str
    scenario: str | None = None
    drive: Drive = alone
    given: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] | None = None
    children: Mapping[str, str] = field(default_factory=dict)
    chained: bool = False
    by_reference: bool = False


# --- what people do


async def until_asked(run: Run, *gates: str) -> None:
    while {gate["node"] for gate in await run.query("gates")} != set(gates):
        await asyncio.sleep(0.02)


async def approves_all(haul: Haul, run: Run) -> None:
    await until_asked(run, "first", "form")
    await run.execute_update("approve", {"node": "second", "choice": "yes", "actor": "ann"})
    await run.execute_update("approve", {"node": "form", "form": {"count": 3}})
    await run.execute_update("approve", {"node": "first", "actor": "ann", "reason": "why not"})


async def rejects(haul: Haul, run: Run) -> None:
    await run.signal("approve", {"node": "first"})
    await run.signal("approve", {"node": "form", "form": {"count": "three"}})
    await run.signal("approve", {"node": "nobody"})
    await until_asked(run, "second", "form")
    await run.signal("approve", {"node": "form", "form": {"count": 3}})
    await run.signal("reject", {"node": "second", "reason": "no"})
    await run.signal("reject", {"node": "second", "reason": "no, twice"})


async def is_slow(haul: Haul, run: Run) -> None:
    await run.execute_update("approve", {"node": "form", "form": {"count": 3}})
    await run.execute_update("approve", {"node": "first"})
    await until_asked(run, "second")
    while (await run.query("gates"))[0]["to"] != "boss":
        await asyncio.sleep(0.02)
    await run.execute_update("approve", {"node": "second", "choice": "no"})


async def sends_news(haul: Haul, run: Run) -> None:
    await run.signal("stray", {})
    await run.signal("news", {"text": 1})
    await run.signal("news", {"text": "hear"})


async def is_told(haul: Haul, run: Run) -> None:
    """Another run sends what this one waits for."""
    other = await haul.start("waits", {"other": run.id}, id="waits-tells")
    await other.signal("news", {"text": "start"})
    await other.result()


async def answers(haul: Haul, run: Run) -> None:
    await run.execute_update("approve", {"node": "pause"})


async def cancels(haul: Haul, run: Run) -> None:
    await until_asked(run, "pause")
    await run.cancel()


async def steers(haul: Haul, run: Run) -> None:
    """One order of every kind, as updates."""
    await until_asked(run, "start")
    orders: list[tuple[str, dict[str, Any]]] = [
        ("pause", {"actor": "ann"}),
        ("override", {"node": "left", "action": "skip", "reason": "not needed"}),
        ("override", {"node": "given", "action": "input", "input": {"query": "other"}}),
        ("override", {"node": "asked", "action": "retry", "model": "large"}),
        ("override", {"node": "way", "action": "goto", "to": "there"}),
        ("set_mode", {"mode": "analysis_only"}),
        ("extend_budget", {"calls": 5, "time_ms": 1000}),
        ("message", {"text": "be brief", "agent": "talker"}),
        ("approve", {"node": "start", "actor": "ann"}),
        ("set_mode", {"mode": "normal"}),
        ("resume", {"actor": "ann"}),
    ]
    for name, order in orders:
        await run.execute_update(name, order)


async def signals(haul: Haul, run: Run) -> None:
    """The same as signals, some of them before the first task and some that make no sense."""
    for name, order in [
        ("resume", {}),
        ("override", {"node": "nobody", "action": "skip"}),
        ("override", {"node": "loud", "action": "output", "output": {"text": "given"}}),
        ("override", {"node": "given", "action": "output", "output": {"found": "x"}}),
        ("message", {"text": "hello"}),
        ("pause", {}),
        ("approve", {"node": "start"}),
        ("resume", {}),
    ]:
        await run.signal(name, order)


async def is_late(haul: Haul, run: Run) -> None:
    """Answers and signals that stand and wait while the run is handed on."""
    await run.signal("news", {"text": "hear"})
    await run.execute_update("extend_budget", {"calls": 1})
    while (await run.query("state")).get("nodes", {}).get("rounds") != "done":
        await asyncio.sleep(0.02)
    await run.execute_update("approve", {"node": "gate"})


STORIES: dict[str, Story] = {
    "kinds": Story("kinds", "few", given={"text": "hello there"}),
    "kinds-many": Story("kinds", given={"text": "one two three four"}, by_reference=True),
    "kinds-packed": Story("kinds", "few", given={"text": "hello there"}),
    "kinds-refused": Story("kinds"),
    "world": Story("world", "answered", given={"question": "why"}),
    "lists": Story("lists", "one_fails", given={"topics": ["a", "b", "c"]}),
    "parts": Story("parts", "dealt_out", given={"topics": ["a", "b", "c"]}, children={"parts-child": "parts/each#0+3"}),
    "rounds": Story("rounds", "third_time"),
    "parent": Story("parent", "all_run", children={"parent-child": "parent/one"}),
    "gates-approved": Story("gates", drive=approves_all),
    "gates-rejected": Story("gates", drive=rejects),
    "gates-expired": Story("gates", drive=is_slow, given={"patience": "short"}),
    "waits": Story("waits", drive=sends_news),
    "waits-told": Story("waits", drive=is_told, children={"waits-tells": "waits-tells"}),
    "waits-unreached": Story("waits", drive=sends_news, given={"other": "nobody"}),
    "failing-handled": Story("failing", "handled"),
    "failing-unhandled": Story("failing", "unhandled"),
    "undoing-failed": Story("undoing", "taken_back", drive=answers),
    "undoing-cancelled": Story("undoing", "taken_back", drive=cancels),
    "ways-full": Story("ways", "full", options={"priority": 2, "tenant": "t", "tags": ["a"]}),
    "ways-quick": Story("ways", "quick", options={"mode": "dry_run", "tags": ["quick"]}),
    "spending": Story("spending", "spent"),
    "proposed": Story("proposed", "happy"),
    "taken-back": Story("taken-back", "unpaid"),
    "outside": Story("outside"),
    "steered-updates": Story("steered", "script", drive=steers),
    "steered-signals": Story("steered", "script", drive=signals),
    "steered-from-start": Story(
        "steered",
        "script",
        drive=lambda haul, run: run.signal("approve", {"node": "start"}),
        options={"overrides": [{"node": "given", "action": "output", "output": {"found": "x"}}]},
    ),
    "handed": Story("handed", "script", drive=is_late, chained=True),
}


# --- recording


async def record(story: Story, name: str, client: Client, home: Path) -> None:
    script = BUNDLES / story.bundle / "tests" / f"{story.scenario}.yaml" if story.scenario else None
    inline = plans.INLINE_PLAN
    plans.INLINE_PLAN = 0 if story.by_reference else inline
    try:
        async with Hauling(client, home, bundles=[BUNDLES], script=script) as haul:
            run = await haul.start(story.bundle, dict(story.given), story.options, id=name)
            await story.drive(haul, run)
            end = await haul.ended(run)
            print(f"{name}: {end.status} {end.output or end.failure}")
            await keep(haul, run, name, story)
    finally:
        plans.INLINE_PLAN = inline


async def keep(haul: Haul, run: Run, name: str, story: Story) -> None:
    runs = {name: run}
    if story.chained:
        chain = [each.run_id async for each in haul.client.list_workflows(f"WorkflowId = '{name}'")]
        runs = {f"{name}-{at}": haul.client.get_workflow_handle(name, run_id=id) for at, id in enumerate(chain[::-1])}
    for child, id in story.children.items():
        runs[child] = haul.client.get_workflow_handle(id)
    for each, handle in runs.items():
        history = await handle.fetch_history()
        (HISTORIES / f"{each}.json").write_text(json.dumps(history.to_json_dict(), sort_keys=True) + "\n")
    if story.by_reference:
        sha256 = (await run.query("state"))["plan"]
        plan_file(HISTORIES, sha256).write_bytes(haul.world.blobs.get(sha256))


async def record_fork(client: Client, home: Path) -> None:
    """A run that goes on from the middle of another."""
    script = BUNDLES / "world" / "tests" / "answered.yaml"
    async with Hauling(client, home, bundles=[BUNDLES], script=script) as haul:
        first = await haul.start("world", {"question": "why"}, id="world-first")
        await first.result()
        changed = Override(node="said", action="output", output={"text": "changed"})
        run = await fork(client, first, "read", [changed], haul.world.blobs, id="forked")
        print("forked:", (await haul.ended(run)).failure)
        await keep(haul, run, "forked", Story("world"))


@asynccontextmanager
async def servers(home: Path) -> AsyncIterator[tuple[Client, Client]]:
    """An ordinary one, and one on which runs are handed on early."""
    async with AsyncExitStack() as stack:
        facts = [
            await stack.enter_async_context(EmbeddedServer(home / name, extra=extra))
            for name, extra in (("long", ()), ("short", SHORT))
        ]
        yield tuple([await connect(each.address, identity="recorder") for each in facts])  # type: ignore[misc]


async def main(names: list[str]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with servers(home) as (long, short):
            for name in names or STORIES:
                if name in STORIES:
                    story = STORIES[name]
                    await record(story, name, short if story.chained else long, home / name)
            if not names or "forked" in names:
                await record_fork(long, home / "forked")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
