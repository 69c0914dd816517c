"""Runs that lose their worker at a chosen step, held against the same run undisturbed."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from manifests.reading import read_yaml
from manifests.shape.scenario import ScenarioFile
from tests.conftest import PROJECT
from tests.faults.processes import Nest, Setup
from tests.support import Ended, Haul
from tests.workflows.test_scenarios import steered
from workers.building import world
from workers.connection import connect
from workers.settings import Settings

CATALOG = PROJECT / "manifests" / "catalog"
OWN = Path(__file__).parent
# A lost workflow task is given out again after this; Temporal's own ten seconds would make a campaign last an hour.
TASK_TIME = timedelta(seconds=2)
LONGEST = 120.0
POOLS = "default,api,gpu-small"


@dataclass(frozen=True)
class Case:
    name: str
    bundles: Path
    scenario: Path

    @property
    def manifest(self) -> str:
        return self.name.partition("-with-")[0]


CASES = {
    name: Case(name, CATALOG, CATALOG / name.partition("-with-")[0] / "tests" / f"{scenario}.yaml")
    for name, scenario in {
        "hello": "greeting",
        "chat": "goodbye",
        "code-gremlin": "happy",
        "committee": "tie",
        "research-brief": "one_question_fails",
        "supervisor": "happy",
        "support-triage": "refund_approved",
        "tagline": "picked",
    }.items()
}
CASES |= {
    f"rich-with-{how}": Case(f"rich-with-{how}", OWN / "bundles", OWN / "scenarios" / f"rich-{how}.yaml")
    for how in ("happy", "undone")
}


@dataclass(frozen=True)
class Story:
    """What a run came to, as far as it must not depend on who died on the way."""

    status: str
    output: Any
    failure: dict[str, Any]
    path: list[str]
    effects: dict[str, list[str]]


@dataclass
class Trial:
    point: str
    story: Story
    reached: bool
    steps: list[dict[str, str]]
    events: int

    @property
    def points(self) -> list[str]:
        return [step["point"] for step in self.steps]

    @property
    def repeated(self) -> list[str]:
        """Activities that were begun again, each as often as it was; those of a process that died are among them."""
        steps = (step for step in self.steps if step["point"].endswith("before"))
        # A lost call of a model that a budget counts is made again by the run, under a name of its own.
        begun = Counter(re.sub(r"\+\d+", "", step["about"]) for step in steps)
        return sorted(about for about in (begun - Counter(set(begun))).elements() if not about.isdigit())


class Campaign:
    """Trials of one case, one after the other, in one namespace."""

    def __init__(self, client: Client, nest: Nest, case: Case, home: Path, **settings: str) -> None:
        self._client, self._nest, self._case, self._home = client, nest, case, home
        self._settings = {
            "bundles": str(case.bundles), "script": str(case.scenario), "pool": POOLS,
            "heartbeat_ms": "1000", **settings,
        }  # fmt: skip
        self._scenario = ScenarioFile.model_validate(read_yaml(case.scenario, str(case.scenario)).data)

    def in_lane(self, lane: Client) -> Campaign:
        other = copy.copy(self)
        other._client = lane
        return other

    async def undisturbed(self) -> Trial:
        return await self.trial("")

    async def trial(self, *points: str) -> Trial:
        """A point is a step of the worker, which ends itself there, or `event:N`, when the history has so many."""
        """A run that loses a worker at each of these points, and ends with one that lives."""
        name = "-".join(points).replace(":", "-").replace("*", "each") or "undisturbed"
        setup = Setup(
            self._client.service_client.config.target_host, self._home / f"{name}-{uuid.uuid4().hex[:6]}",
            self._client.namespace, self._settings,
        )  # fmt: skip
        log = setup.home / "steps.jsonl"
        run = await self._started()
        result = asyncio.create_task(_over(run))
        reached = True
        try:
            for point in filter(None, points):
                async with self._nest.hatched(setup, "--log", str(log), "--end", point) as doomed:
                    kind, _, number = point.partition(":")
                    comes = _has_events(run, int(number)) if kind == "event" else doomed.ended.wait()
                    moment = asyncio.create_task(comes)
                    await asyncio.wait([moment, result], return_when=asyncio.FIRST_COMPLETED, timeout=LONGEST)
                    reached = reached and moment.done()
                    moment.cancel()
            async with self._nest.hatched(setup, "--log", str(log)):
                await asyncio.wait_for(result, LONGEST)
                # The question that follows makes the worker go through the history once more; that is no step.
                steps = [json.loads(line) for line in log.read_text().splitlines()]
                end = await Haul(self._client, world(Settings(home=setup.home))).ended(run)
                events = (await run.describe()).history_length
        finally:
            result.cancel()
        return Trial("-".join(points), _story(end, setup.effects), reached, steps, events)

    async def _started(self) -> WorkflowHandle[Any, Any]:
        """A run that nobody works on yet, with all its answers given."""
        said = self._scenario
        run = await self._client.start_workflow(
            self._case.manifest,
            args=[said.input, {"mode": said.mode, "tags": said.tags, "pipeline": said.pipeline}],
            id=f"{self._case.name}-{uuid.uuid4()}", task_queue="haulage", task_timeout=TASK_TIME,
        )  # fmt: skip
        await steered(run, said)
        return run


async def _over(run: WorkflowHandle[Any, Any]) -> None:
    with contextlib.suppress(WorkflowFailureError):
        await run.result()


async def _has_events(run: WorkflowHandle[Any, Any], number: int) -> None:
    async for event in run.fetch_history_events(wait_new_event=True):
        if event.event_id >= number:
            return


async def lanes(client: Client, number: int) -> list[Client]:
    """Clients of namespaces of their own, so that trials can go on side by side."""
    names = [f"lane-{uuid.uuid4().hex[:8]}" for _ in range(number)]
    for name in names:
        request = RegisterNamespaceRequest(namespace=name)
        request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
        await client.workflow_service.register_namespace(request)
    found = [await connect(client.service_client.config.target_host, namespace=name) for name in names]
    await asyncio.gather(*(_known(lane) for lane in found))
    return found


async def _known(lane: Client) -> None:
    """Waits until all of the server has heard of a namespace: its parts look for new ones only every few seconds."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(RPCError):
                run = await lane.start_workflow("probe", id="probe", task_queue="nobody")
                await run.terminate()
                return
            await asyncio.sleep(0.2)


async def shared_out(work: list[tuple[Campaign, tuple[str, ...]]], lanes: list[Client]) -> list[Trial]:
    """Trials, dealt out to lanes as these get free."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for lane in lanes:
        free.put_nowait(lane)

    async def one(campaign: Campaign, points: tuple[str, ...]) -> Trial:
        lane = await free.get()
        try:
            return await campaign.in_lane(lane).trial(*points)
        finally:
            free.put_nowait(lane)

    async with asyncio.TaskGroup() as group:
        trials = [group.create_task(one(campaign, points)) for campaign, points in work]
    return [trial.result() for trial in trials]


def _story(end: Ended, effects: Path) -> Story:
    """Branches that run side by side may end in another order, so the path is told in order of names."""
    lines = [json.loads(line) for line in effects.read_text().splitlines()] if effects.exists() else []
    told: dict[str, list[str]] = {}
    for line in lines:
        # The key begins with the id of the run, which is another one in every trial, and some answers hold it.
        run, _, key = line["key"].partition("/")
        told.setdefault(key, []).append(json.dumps([line["what"], line["answer"]]).replace(run, "RUN"))
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys)), "an effect stands there twice"
    failure = {name: value for name, value in end.failure.items() if name in ("message", "category", "node", "kind")}
    return Story(end.status, end.output, failure, sorted(end.path), {key: sorted(told[key]) for key in sorted(told)})
