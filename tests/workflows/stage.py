"""A stage for tests of steering: a graph of a few lines, tools in the hands of the test, and all the rest real."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.contracts import Result, ToolCall
from activities.watching import Watching
from manifests.compiler import compile_bundle
from manifests.problems import Refused
from tests.support import Haul, Hauling
from workers.building import build_replayer

STAGE = Path(__file__).parent / "steering"
PATIENCE = 20
# Where a tool says what it was given.
_ECHOES = {"do": "did", "look": "found", "book": "booking"}
Run = WorkflowHandle[Any, Any]


class Hands:
    """Every tool call is written down, and held for as long as its tool is."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.answers: dict[str, list[Any]] = {}
        self.stopped: list[str] = []
        self._held: dict[str, asyncio.Event] = {}
        self._deaf: set[str] = set()
        self._news = asyncio.Condition()

    @activity.defn(name="tools.call")
    async def call(self, request: ToolCall) -> Result:
        async with self._news:
            self.calls.append(request)
            self._news.notify_all()
        if request.tool in self._held:
            await self._let_go(request.tool)
        answers = self.answers.get(request.tool)
        answer = answers.pop(0) if answers else {_ECHOES.get(request.tool, "said"): request.arguments.get("what", "")}
        if isinstance(answer, Exception):
            raise answer
        return Result(output=answer)

    async def _let_go(self, tool: str) -> None:
        while not self._held[tool].is_set():
            try:
                await self._held[tool].wait()
            except asyncio.CancelledError:
                self.stopped.append(tool)
                async with self._news:
                    self._news.notify_all()
                if tool not in self._deaf:
                    raise

    def hold(self, *tools: str, deaf: bool = False) -> None:
        """Calls of these tools last until they are let go; deaf ones also when they are told to stop."""
        self._held.update({tool: asyncio.Event() for tool in tools})
        self._deaf.update(tools if deaf else ())

    def let_go(self, tool: str) -> None:
        self._held[tool].set()

    def called(self, tool: str) -> list[ToolCall]:
        return [call for call in self.calls if call.tool == tool]

    @property
    def tools(self) -> list[str]:
        return [call.tool for call in self.calls]

    async def began(self, tool: str, times: int = 1) -> None:
        await self._seen(lambda: len(self.called(tool)) >= times)

    async def was_stopped(self, tool: str) -> None:
        await self._seen(lambda: tool in self.stopped)

    async def _seen(self, what: Callable[[], bool]) -> None:
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(what), PATIENCE)


class Stage(Haul):
    hands: Hands

    begun: list[Run]

    async def begin(self, given: Any = None, **options: Any) -> Run:
        run = await self.start("stage", given, options or None)
        self.begun.append(run)
        return run

    async def end_all(self) -> None:
        """What a failed test leaves behind would act in the next one."""
        for run in self.begun:
            with suppress(RPCError):
                await run.terminate()

    async def replays(self, run: Run) -> None:
        """What has happened so far happens again."""
        await build_replayer().replay_workflow(await run.fetch_history())


@asynccontextmanager
async def stage(
    client: Client, home: Path, graph: str, *, models: Mapping[str, list[Any]] | None = None, **more: Any
) -> AsyncIterator[Stage]:
    """Workers for one bundle: this graph, and the agents and tools of the folder `steering`."""
    bundle = home / "bundles" / "stage"
    shutil.copytree(STAGE, bundle)
    (bundle / "workflow.yaml").write_text(f"apiVersion: haulage/v1\nname: stage\n{graph}", encoding="utf-8")
    for name, text in more.pop("files", {}).items():
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text(text, encoding="utf-8")
    try:
        compile_bundle(bundle)
    except Refused as refused:
        raise AssertionError([problem.message for problem in refused.problems]) from refused
    script = home / "script.yaml"
    script.write_text(yaml.safe_dump({"scenario": "for a test", "models": dict(models or {}), "expect": {}} | more))
    hands = Hands()
    settings = {"bundles": [home / "bundles"], "script": script, "heartbeat_ms": 600}
    tools = Worker(client, task_queue="haulage.tools", activities=[hands.call], interceptors=[Watching()])
    async with tools, Hauling(client, home / "home", roles=("run", "models", "memory"), **settings) as haul:
        own = Stage(haul.client, haul.world)
        own.hands, own.begun = hands, []
        try:
            yield own
        finally:
            await own.end_all()


async def until(look: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """What is seen once it holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds(seen := await look()):
            await asyncio.sleep(0.02)
    return seen


async def gates(run: Run, number: int = 1) -> list[dict[str, Any]]:
    """The open gates, once there are so many."""
    found: list[dict[str, Any]] = await until(lambda: run.query("gates"), lambda open: len(open) == number)
    return found


async def status(run: Run, wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = await until(lambda: run.query("state"), lambda state: state["status"] == wanted)
    return found


async def node_is(run: Run, node: str, state: str) -> None:
    await until(lambda: run.query("state"), lambda seen: seen.get("nodes", {}).get(node) == state)


async def refusal(run: Run, name: str, order: Mapping[str, Any]) -> str:
    """How an update is refused; fails when it is not."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await run.execute_update(name, dict(order))
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def events(run: Run) -> list[str]:
    history = await run.fetch_history()
    return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]


async def sent(run: Run, name: str) -> list[dict[str, Any]]:
    """What activities of this name were asked."""
    history = await run.fetch_history()
    asked = [each.activity_task_scheduled_event_attributes for each in history.events]
    return [json.loads(each.input.payloads[0].data) for each in asked if each.activity_type.name == name]


async def gave(run: Run, name: str) -> list[dict[str, Any]]:
    """What they gave."""
    history = await run.fetch_history()
    ids = {e.event_id for e in history.events if e.activity_task_scheduled_event_attributes.activity_type.name == name}
    ends = [each.activity_task_completed_event_attributes for each in history.events]
    return [json.loads(each.result.payloads[0].data) for each in ends if each.scheduled_event_id in ids]


async def page(run: Run) -> str:
    """What the Temporal UI shows as the details of a run."""
    metadata: WorkflowMetadata = await run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)
