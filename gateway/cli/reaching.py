"""From a command to a server and a store, for commands that look at runs which others carry out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.blobs import BlobStore
from activities.blobs_at import blobs_at
from gateway.cli.misuse import Misuse
from gateway.cli.servers import carried_out, found
from workers.settings import Settings

T = TypeVar("T")


def store(settings: Settings) -> BlobStore:
    return blobs_at(settings.blobs, settings.home)


def with_server(work: Callable[[Client, Settings], Awaitable[T]]) -> T:
    """Does something with a client; what cannot be done is `Misuse` or `Trouble`."""

    async def whole() -> T:
        settings = Settings()
        return await work((await found(settings)).client, settings)

    try:
        return carried_out(whole())
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise Misuse(f"no such run here ({error.message})") from None


def run_named(client: Client, text: str) -> WorkflowHandle[Any, Any]:
    """A run by its id, or one of several under the same id as `ID@RUN_ID`."""
    id, _, run_id = text.rpartition("@") if "@" in text else (text, "", "")
    return client.get_workflow_handle(id, run_id=run_id or None)
