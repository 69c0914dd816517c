"""The workers that a command starts for its own run, where nobody else would do the work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from manifests.plan import Agent, Emit, Plan, Planning, Recall, Remember, Tool
from workers.building import ROLES, Role, world
from workers.serving import serve
from workers.settings import Settings

LONGEST_SETTLING = 10.0
PAUSE = 0.05
# A poll lasts a minute; the server names those who have polled for five.
GONE = timedelta(seconds=65)


class Crew:
    """Whoever is missing for a plan, for as long as this lasts; `work` ends early only when a worker breaks."""

    def __init__(self, client: Client, plan: Plan, settings: Settings) -> None:
        self._client, self._plan, self._settings = client, plan, settings
        self._stop = asyncio.Event()
        self.work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Crew:
        roles, pools = await _missing(self._client, self._plan, self._settings)
        if roles:
            self.call_in(roles, pools)
        return self

    def call_in(self, roles: tuple[Role, ...] = ROLES, pools: list[str] | None = None) -> None:
        pools = pools or sorted(pools_of(self._plan)) or ["default"]
        shared = world(self._settings.model_copy(update={"pool": pools, "health": None, "server": None}))
        self.work = asyncio.create_task(serve(self._client, roles, shared, stop=self._stop))

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self.work is not None:
            await asyncio.gather(self.work, return_exceptions=True)


async def _missing(client: Client, plan: Plan, settings: Settings) -> tuple[tuple[Role, ...], list[str]]:
    """Roles and pools that nobody serves; all of them where there is nobody for the runs themselves."""
    pools = sorted(pools_of(plan)) or ["default"]
    if not await pollers(client, settings.queue, runs=True):
        return ROLES, pools
    kinds = {
        type(node) for each in family(plan) for graph in (each.graph, each.final) if graph for node in graph.walk()
    }
    needed: list[Role] = []
    embeds = any(tool.uses == "embed" for each in family(plan) for tool in each.tools.values())
    if embeds or kinds & {Agent, Planning}:
        pools = [pool for pool in pools if not await pollers(client, f"haulage.models.{pool}")]
        needed += ["models"] if pools else []
    if kinds & {Tool, Emit, Agent, Planning} and not await pollers(client, "haulage.tools"):
        needed.append("tools")
    if kinds & {Recall, Remember} and not await pollers(client, "haulage.memory"):
        needed.append("memory")
    return tuple(needed), pools or ["default"]


def family(plan: Plan) -> Iterator[Plan]:
    """A plan and those of its sub-runs."""
    yield plan
    for child in plan.children.values():
        yield from family(child)


def pools_of(plan: Plan) -> set[str]:
    return {model.pool for each in family(plan) for model in each.models.values()}


async def pollers(client: Client, queue: str, *, runs: bool = False) -> list[PollerInfo]:
    """Who takes tasks of this queue, or did a moment ago."""
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if runs else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    )
    now = datetime.now(UTC)
    seen = [(each, each.last_access_time.ToDatetime(tzinfo=UTC)) for each in answer.pollers]
    return [each for each, at in seen if now - at < GONE]


async def settled(client: Client, queues: Iterable[tuple[str, bool]]) -> bool:
    """Waits until this process is seen on all of these queues; False when that takes too long."""
    ends = asyncio.get_running_loop().time() + LONGEST_SETTLING
    for queue, runs in queues:
        while not any(each.identity == client.identity for each in await pollers(client, queue, runs=runs)):
            if asyncio.get_running_loop().time() > ends:
                return False
            await asyncio.sleep(PAUSE)
    return True
