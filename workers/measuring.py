"""Metrics for Prometheus: those of Temporal's SDK, and ours beside them on the same page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from activities.models.metrics import BUCKETS, gauge
from workers.pools import Pool
from workers.settings import Settings

# Seconds between two looks at the queues.
EVERY_S = 5.0


def runtime(address: str) -> Runtime:
    """What clients and workers run on that are measured; raises `ValueError` where the address cannot be had."""
    ours = dict.fromkeys(("haulage_model_seconds", "haulage_model_first_seconds"), BUCKETS)
    page = PrometheusConfig(address, durations_as_seconds=True, histogram_bucket_overrides=ours)
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=page, metric_prefix="temporal_", attach_service_name=False))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"metrics cannot be shown at {address}: {error}") from None


@asynccontextmanager
async def measuring(client: Client, settings: Settings, pool: Pool | None) -> AsyncIterator[None]:
    """Keeps the gauges of the pools current, if anybody is to see them."""
    if settings.metrics is None:
        yield
        return
    meter = (client.service_client.config.runtime or Runtime.default()).metric_meter
    task = asyncio.create_task(_keep_current(client, meter, settings.pool, pool))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_current(client: Client, meter: MetricMeter, pools: list[str], watched: Pool | None) -> None:
    while True:
        for name in pools:
            with contextlib.suppress(RPCError):
                gauge(meter, "haulage_pool_backlog", await backlog(client, f"haulage.models.{name}"), pool=name)
        if watched is not None:
            gauge(meter, "haulage_pool_slots", watched.slots.room, pool=watched.name)
            gauge(meter, "haulage_pool_used", watched.slots.used, pool=watched.name)
            gauge(meter, "haulage_pool_healthy", int(not watched.trouble), pool=watched.name)
        await asyncio.sleep(EVERY_S)


async def backlog(client: Client, queue: str) -> int:
    """How many activities wait there, about."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), report_stats=True,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
    )  # fmt: skip
    return answer.stats.approximate_backlog_count
