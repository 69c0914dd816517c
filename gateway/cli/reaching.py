"""From a command to the server: the one that Temporal's configuration names, or else the one that `haul dev` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.blobs import BlobStore, FileBlobs
from gateway.cli.misuse import Misuse
from workers.connection import NotReachable, connect
from workers.embedded import running
from workers.settings import Settings

T = TypeVar("T")


def store(settings: Settings) -> BlobStore:
    return FileBlobs(settings.home / "blobs")


def with_server(work: Callable[[Client, Settings], Awaitable[T]]) -> T:
    """Does something with a client; what cannot be done is `Misuse`."""

    async def whole() -> T:
        settings = Settings()
        named = ClientConfig.load_client_connect_config().get("target_host")
        facts = None if named else running(settings.home)
        return await work(await connect(facts.address if facts else None), settings)

    try:
        return asyncio.run(whole())
    except NotReachable as error:
        raise Misuse(str(error)) from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise Misuse(f"no such run here ({error.message})") from None
        raise Misuse(f"Temporal says: {error.message}") from None


def run_named(client: Client, text: str) -> WorkflowHandle[Any, Any]:
    """A run by its id, or one of several under the same id as `ID@RUN_ID`."""
    id, _, run_id = text.rpartition("@") if "@" in text else (text, "", "")
    return client.get_workflow_handle(id, run_id=run_id or None)
