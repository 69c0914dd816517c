"""Workers, put together the same way in production, tests and benchmarks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerDeploymentConfig,
    WorkerDeploymentVersion,
)

from activities.blobs import BlobStore, Keeper
from activities.blobs_at import blobs_at
from activities.memory import MemoryActivities
from activities.models.calls import ModelActivities
from activities.models.embeds import EmbedActivities
from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from activities.plans import PlanActivities, Plans
from activities.plugins import PluginActivities
from activities.script import Effects, Script
from activities.store.cache import Cache
from activities.store.place import Store, place
from activities.store.recording import Recorder, Recording
from activities.tools.calls import ToolActivities
from activities.watching import Watching
from manifests.shape.scenario import ScenarioFile
from workers.attributes import registered
from workers.pools import Pool
from workers.settings import Settings
from workers.showing import Showing
from workers.version import build_id
from workflows.chart import SHELF
from workflows.run import ManifestRun

Role: TypeAlias = Literal["run", "models", "tools", "memory"]
ROLES: tuple[Role, ...] = ("run", "models", "tools", "memory")
# A worker that dies holds its runs for as long as this before another one gets them.
STICKY = timedelta(seconds=1)


@dataclass(frozen=True)
class World:
    """What the activities of one process share."""

    settings: Settings
    blobs: BlobStore
    plans: Plans
    keeper: Keeper
    script: Script | None
    endpoints: Endpoints
    store: Store
    recorder: Recorder

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """While workers work; at the end what they noted is written, and all connections are closed."""
        async with self.recorder:
            try:
                yield
            finally:
                if self.recorder.users == 1:
                    await self.endpoints.close()


def world(settings: Settings) -> World:
    blobs = blobs_at(settings.blobs, settings.home)
    plans, endpoints = Plans(blobs, list(settings.bundles)), Endpoints(Secrets(os.environ, settings.secrets))
    store = Store(place(settings.store, settings.home))
    return World(settings, blobs, plans, Keeper(blobs), _script(settings), endpoints, store, Recorder(store))


def _script(settings: Settings) -> Script | None:
    if settings.script is None:
        return None
    from manifests.reading import read_yaml

    data = read_yaml(settings.script, str(settings.script)).data
    effects = settings.effects or settings.home / "effects.jsonl"
    return Script(ScenarioFile.model_validate(data), Effects(effects))


async def build_workers(
    client: Client, roles: tuple[Role, ...], shared: World, pool: Pool | None = None, **more: Any
) -> list[Worker]:
    """One worker for each queue that these roles serve; that of `pool` works while its model server is well."""
    workers: list[Worker] = []
    everything: list[Callable[..., Any]] = []
    for role in roles:
        if role == "run":
            workers.append(await _run_worker(client, shared, more))
            continue
        served = activities_of(role, shared)
        everything += served
        watched = pool if role == "models" else None
        workers += [_worker(client, queue, served, shared, more, watched) for queue in _queues(role, shared)]
    # Whoever polls a queue must know all that may be put there.
    own = shared.settings.queues if everything else []
    return [*workers, *(_worker(client, queue, everything, shared, more) for queue in own)]


async def _run_worker(client: Client, shared: World, more: dict[str, Any]) -> Worker:
    settings = shared.settings
    options: dict[str, Any] = {"max_cached_workflows": settings.cached_runs, **more}
    return _worker(
        client, settings.queue, run_activities(shared, await registered(client)), shared, options,
        workflows=[ManifestRun], workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=settings.runs,
        # No payload of ours is stored outside; with more, the SDK makes an asyncio task for each.
        max_workflow_task_external_storage_concurrency=1,
        **_versioning(settings),
    )  # fmt: skip


def run_activities(shared: World, search_attributes: bool) -> list[Callable[..., Any]]:
    """The local activities of runs, and what replay needs of this process."""
    SHELF.fetch = shared.plans.by_hash
    pinning = PlanActivities(
        shared.plans,
        heartbeat_ms=shared.settings.heartbeat_ms,
        lost_attempts=shared.settings.lost_attempts,
        search_attributes=search_attributes,
    )
    tools = ToolActivities(shared.plans, shared.keeper, shared.script)
    return [pinning.pin, pinning.keep, pinning.propose, tools.segment]


def _worker(
    client: Client,
    queue: str,
    activities: list[Callable[..., Any]],
    shared: World,
    more: dict[str, Any],
    pool: Pool | None = None,
    **own: Any,
) -> Worker:
    settings = shared.settings
    slots = pool.worker_options() if pool else {"max_concurrent_activities": settings.activities}
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        interceptors=[Recording(shared.recorder), Watching(), Showing(), *([pool] if pool else [])],
        graceful_shutdown_timeout=timedelta(seconds=settings.drain_s),
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_heartbeat_throttle_interval=timedelta(milliseconds=settings.told_ms),
        **{**slots, **own, **more},
    )


def _queues(role: Role, shared: World) -> list[str]:
    match role:
        case "models":
            return [f"haulage.models.{pool}" for pool in shared.settings.pool]
        case _:
            return [f"haulage.{role}"]


def activities_of(role: Role, shared: World) -> list[Callable[..., Any]]:
    """What a role does on its queues; runs do their own in place."""
    match role:
        case "run":
            return []
        case "models":
            given = (shared.plans, shared.keeper, shared.script, shared.endpoints)
            return [
                ModelActivities(*given, Cache(shared.store), shared.settings.told_ms / 1000).call,
                EmbedActivities(*given).embed,
            ]
        case "tools":
            tools = ToolActivities(shared.plans, shared.keeper, shared.script)
            return [tools.call, PluginActivities(shared.plans, shared.script).emit]
        case _:
            memory = MemoryActivities(shared.script)
            return [memory.recall, memory.remember]


def _versioning(settings: Settings) -> dict[str, Any]:
    """With a deployment named, a run stays with the code that it started on."""
    if settings.deployment is None:
        return {"build_id": build_id()}
    version = WorkerDeploymentVersion(settings.deployment, build_id())
    pinned = VersioningBehavior.PINNED
    return {"deployment_config": WorkerDeploymentConfig(version, True, pinned)}


def build_replayer(**more: Any) -> Replayer:
    """Judges recorded histories by the workflow code of today."""
    from temporalio.contrib.pydantic import pydantic_data_converter

    return Replayer(
        workflows=[ManifestRun],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
        **more,
    )
