"""What the tests of limits share: bundles that are made up on the spot, and what a history says about a run."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.script import Effects, Script
from activities.tools.calls import ToolActivities
from activities.watching import Watching
from manifests.shape.scenario import ScenarioFile
from tests.support import Ended, Haul
from workers.building import ROLES, build_workers, world
from workers.settings import Settings

API = "haulage/v1"
MOST_EVENTS, MOST_BYTES = 51_200, 50 * 1024 * 1024
# A queue on which pure tools run too.
APART = "apart"
PURE: dict[str, Any] = {"uses": "text.case", "effect": "pure", "risk": "low", "description": "Cases."}


def bundle(folder: Path, nodes: dict[str, Any], edges: list[Any] | None = None, **more: Any) -> str:
    """Writes a bundle beside the others of a test and gives its name; `tools` are for its tools.yaml."""
    name = str(more.pop("name", "limit"))
    tools = more.pop("tools", {})
    files: dict[str, Any] = {"workflow.yaml": {"name": name, "nodes": nodes, "edges": edges or [], **more}}
    if tools:
        files["tools.yaml"] = {"tools": tools}
    for file, data in files.items():
        path = folder / "bundles" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"apiVersion": API, **data}))
    return name


def external(**more: Any) -> dict[str, Any]:
    """A tool that only a script answers for."""
    spec: dict[str, Any] = {"uses": "http.request", "effect": "idempotent", "risk": "low", "description": "Calls."}
    spec["permissions"] = {"network": ["example.org"]}
    return {**spec, **more}


class Yard:
    """`async with Yard(client, folder, tools=…) as haul`: workers for the bundles of a folder, tools as scripted."""

    def __init__(self, client: Client, folder: Path, tools: dict[str, list[Any]] | None = None, **settings: Any):
        self._client = client
        more = {"heartbeat_ms": 2_000, "queue": f"q-{folder.name}-{id(self)}", **settings}
        self._settings = Settings(home=folder / "home", bundles=[folder / "bundles"], **more)
        answers = {name: [{"returns": each} for each in returned] for name, returned in (tools or {}).items()}
        scenario = ScenarioFile.model_validate({"scenario": "a limit", "tools": answers, "expect": {}})
        self._script = Script(scenario, Effects(folder / "effects.jsonl")) if tools else None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Haul:
        shared = replace(world(self._settings), script=self._script)
        await self._stack.enter_async_context(shared.opened())
        for worker in await build_workers(self._client, ROLES, shared):
            await self._stack.enter_async_context(worker)
        tools = ToolActivities(shared.plans, shared.keeper, None)
        apart = Worker(self._client, task_queue=APART, activities=[tools.call], interceptors=[Watching()])
        await self._stack.enter_async_context(apart)
        return Haul(self._client, shared)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


@dataclass(frozen=True)
class Record:
    """The histories of a run and of those that it went on as."""

    runs: int
    events: int
    bytes: int
    troubles: list[str]

    @property
    def is_within_limits(self) -> bool:
        return not self.troubles and self.events < MOST_EVENTS and self.bytes < MOST_BYTES


async def record(haul: Haul, handle: WorkflowHandle[Any, Any]) -> Record:
    """`events` and `bytes` are those of the longest history of the chain."""
    runs, events, size = 0, 0, 0
    troubles: list[str] = []
    run_id: str | None = handle.first_execution_run_id
    while run_id:
        found = [
            each async for each in haul.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history_events()
        ]
        runs, events = runs + 1, max(events, len(found))
        size = max(size, sum(each.ByteSize() for each in found))
        troubles += [trouble for each in found if (trouble := _trouble(each))]
        run_id = found[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return Record(runs, events, size, troubles)


def _trouble(event: HistoryEvent) -> str:
    """Why a workflow task was lost. A worker that was slow to take one on, and a server that cuts one short because
    more than a hundred signals wait for its end, are in the order of things.
    """
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            forced = failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
            return "" if forced else f"failed: {failed.cause} {failed.failure.message}"[:300]
        case EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
            slow = (
                event.workflow_task_timed_out_event_attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
            )
            return "timed out" if slow else ""
    return ""


async def proved(haul: Haul, handle: WorkflowHandle[Any, Any], within: float = 30.0) -> tuple[Ended, Record]:
    """The end of a run, whose histories stay within Temporal's limits and show no workflow task that failed."""
    try:
        end = await asyncio.wait_for(haul.ended(handle), within)
    except TimeoutError:
        end = Ended("running")
        await handle.terminate()
    seen = await record(haul, handle)
    assert end.status != "running", seen
    assert seen.is_within_limits, seen
    return end, seen
