"""What `haul worker` does: it works, and makes its version the current one when it is asked to."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from gateway.cli.misuse import Trouble
from gateway.cli.servers import found
from workers.building import ROLES, Role, world
from workers.serving import serve
from workers.settings import Settings
from workers.version import build_id

PAUSE = 0.25
LONGEST_WAIT = 60.0


async def work(settings: Settings, role: str, *, current: bool) -> None:
    """Until SIGTERM or SIGINT; raises `NotReachable` and `Trouble`."""
    client = (await found(settings)).client
    roles: tuple[Role, ...] = ROLES if role == "all" else (role,)  # type: ignore[assignment]
    print(f"{_about(settings, roles)} for {client.service_client.config.target_host}", file=sys.stderr, flush=True)
    serving = asyncio.create_task(serve(client, roles, world(settings)))
    making = asyncio.create_task(_made_current(client, settings.deployment or "")) if current else None
    await asyncio.wait([serving, *([making] if making else [])], return_when=asyncio.FIRST_COMPLETED)
    if making is not None and not serving.done():
        print(f"{settings.deployment}: {build_id()} is current", file=sys.stderr, flush=True)
    if making is not None:
        making.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await making
    await serving


def _about(settings: Settings, roles: tuple[Role, ...]) -> str:
    named = [f"models ({', '.join(settings.pool)})" if role == "models" else role for role in roles]
    return f"working as {', '.join(named)}"


async def _made_current(client: Client, deployment: str) -> None:
    """The server knows a version once its worker has polled; until then it is asked again."""
    ends = asyncio.get_running_loop().time() + LONGEST_WAIT
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=build_id(), identity=client.identity
    )
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
            return
        except RPCError as error:
            unknown = error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
            if not unknown or asyncio.get_running_loop().time() > ends:
                raise Trouble(f"{deployment!r} cannot be made current: {error.message}") from None
        await asyncio.sleep(PAUSE)
