"""What reaches a run between its end and the start of the one that it goes on as, and what that one takes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client

from tests.support import Hauling
from tests.workflows.limits import proved
from tests.workflows.record import SHORT
from tests.workflows.stage import Run, Stage, stage, until
from workers.connection import connect
from workers.embedded import EmbeddedServer


@pytest.fixture(scope="module")
async def short(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that finds histories long after thirty events."""
    async with EmbeddedServer(tmp_path_factory.mktemp("short"), extra=SHORT) as facts:
        yield await connect(facts.address)


CHAIN = """
nodes:
  never: {tool: do, with: {what: never}}
  which: {decision: {}}
  booked: {tool: book, with: {what: x}}
  go: {transform: 1}
  many: {loop: {max: 30, until: index == 29, do: {nodes: {step: {tool: do}}}}}
  one: {map: {over: "['a']", as: item, max: 1, do: {nodes: {ask: {human: {ask: Go?, within: 1h}}}}}}
  end: {merge: list}
edges:
  - booked -> which
  - {from: which, to: never, when: size(run.tags) > 5}
  - {from: which, to: go, else: true}
  - go -> many -> end
  - never -> end
  - one -> end
finally:
  nodes: {report: {tool: look, with: {what: "${has(error.category) ? error.category : 'fine'}"}}}
"""


@asynccontextmanager
async def handed_on(client: Client, home: Path) -> AsyncIterator[tuple[Stage, Run]]:
    """A run whose heir waits on a queue that no worker has looked at yet."""
    once, queue = workflow.continue_as_new, f"elsewhere-{home.name}"
    async with stage(client, home, CHAIN) as haul:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workflow, "continue_as_new", lambda args: once(args=args, task_queue=queue))
            run = await haul.begin()
            heir = client.get_workflow_handle(run.id)
            await until(heir.describe, lambda seen: seen.run_id != run.first_execution_run_id)
        haul.begun = [heir]
        yield haul, heir


def heirs_workers(haul: Stage, home: Path) -> Hauling:
    more: dict[str, Any] = {"queue": f"elsewhere-{home.name}", "bundles": [home / "bundles"]}
    return Hauling(haul.client, home / "home", roles=("run",), **more)


async def test_a_run_that_is_cancelled_before_its_heir_begins_takes_back_what_it_did(
    short: Client, tmp_path: Path
) -> None:
    async with handed_on(short, tmp_path) as (haul, heir):
        await heir.cancel()
        done = len(haul.hands.tools)
        async with heirs_workers(haul, tmp_path) as other:
            end, _ = await proved(other, heir)
    assert end.status == "cancelled"
    assert haul.hands.tools[done:] == ["unbook", "look"]
    assert haul.hands.calls[-1].arguments == {"what": "cancelled"}


@pytest.mark.parametrize("way", ["signal", "update"])
async def test_an_answer_that_comes_before_the_heir_begins_answers_the_open_gate(
    way: str, short: Client, tmp_path: Path
) -> None:
    async with handed_on(short, tmp_path) as (haul, heir):
        order = {"node": "ask"}
        sent = heir.signal("approve", order) if way == "signal" else heir.execute_update("approve", order)
        answering = asyncio.create_task(sent)
        async with heirs_workers(haul, tmp_path) as other:
            await answering
            end, _ = await proved(other, heir)
            book = await heir.query("decisions")
    assert end.status == "completed"
    assert [(each["event"], each["what"]) for each in book] == [("approve", "ask: answered")]


async def test_an_order_does_not_keep_an_heir_that_is_cancelled_from_ending(short: Client, tmp_path: Path) -> None:
    async with handed_on(short, tmp_path) as (haul, heir):
        await heir.cancel()
        ordering = asyncio.create_task(heir.execute_update("approve", {"node": "ask"}))
        async with heirs_workers(haul, tmp_path) as other:
            end, _ = await proved(other, heir)
            await asyncio.wait([ordering])
    assert (end.status, haul.hands.tools[-2:]) == ("cancelled", ["unbook", "look"])
    ordering.exception()


async def test_an_override_that_came_to_nothing_does_not_stop_the_heir(short: Client, tmp_path: Path) -> None:
    """`never` is skipped after its output was set."""
    async with stage(short, tmp_path, CHAIN) as haul:
        haul.hands.hold("book")
        run = await haul.begin()
        await haul.hands.began("book")
        await run.execute_update("override", {"node": "never", "action": "output", "output": {"did": "x"}})
        await run.execute_update("approve", {"node": "ask", "iteration": "0"})
        haul.hands.let_go("book")
        end, seen = await proved(haul, run)
    assert (end.status, seen.runs > 1) == ("completed", True)
    assert len(haul.hands.called("do")) == 30
