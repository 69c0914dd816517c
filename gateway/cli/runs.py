"""Talking to a run: finding it, looking at it, giving it orders, and what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError, FailureError, TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from activities.blobs import Keeper
from gateway.cli.misuse import Trouble

Handle = WorkflowHandle[Any, Any]

ANSWER = 10.0
NOBODY = "no worker answered within {:.0f} s; is one running? `haul worker all` or `haul dev` starts one"


@dataclass
class Outcome:
    """What became of a run; `path`, `cost` and the rest of the state are there when a worker could be asked."""

    run_id: str
    workflow_id: str
    status: str = "running"
    output: Any = None
    path: list[str] | None = None
    failure: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    events: int = 0
    state: dict[str, Any] | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "state"}


async def found(client: Client, text: str) -> tuple[Handle, WorkflowExecutionDescription]:
    """A run by its workflow id or its run id; raises `Trouble`."""
    handle: Handle = client.get_workflow_handle(text)
    try:
        return handle, await handle.describe()
    except RPCError as error:
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            raise Trouble(f"the server does not tell about {text!r}: {error.message}") from None
    async for each in client.list_workflows(f"RunId = {quoted(text)}", limit=1):
        handle = client.get_workflow_handle(each.id, run_id=each.run_id)
        return handle, await handle.describe()
    raise Trouble(f"there is no run {text!r} here; `haul list` shows those there are")


def quoted(text: str) -> str:
    """A text as Temporal's list filters write it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


async def asked(handle: Handle, query: str, patience: float = ANSWER) -> Any:
    """The answer to a query, or None when no worker gives one."""
    # The first one may have gone to a worker that has just left.
    for limit in (patience / 3, patience * 2 / 3):
        try:
            return await asyncio.wait_for(handle.query(query, rpc_timeout=timedelta(seconds=limit)), limit + 1)
        except (RPCError, WorkflowQueryFailedError, TimeoutError):
            continue
    return None


async def ordered(client: Client, text: str, name: str, order: dict[str, Any]) -> dict[str, Any]:
    """Gives an open run an order; raises `Trouble` with the reason when it is refused."""
    handle, about = await found(client, text)
    if about.status != WorkflowExecutionStatus.RUNNING:
        raise Trouble(f"{about.id!r} is {word(about.status)} already")
    said = {key: value for key, value in order.items() if value not in (None, "")}
    try:
        answer: dict[str, Any] = await asyncio.wait_for(handle.execute_update(name, said), ANSWER)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Trouble(cause.message if isinstance(cause, FailureError) else str(cause)) from None
    except TimeoutError:
        raise Trouble(NOBODY.format(ANSWER)) from None
    except RPCError as error:
        raise Trouble(f"{about.id!r} did not take it: {error.message}") from None
    return answer


async def outcome(handle: Handle, keeper: Keeper, patience: float = ANSWER) -> Outcome:
    """Waits for the end of a run."""
    ended = Outcome("", handle.id)
    try:
        ended.output = await handle.result()
        ended.status = "completed"
    except WorkflowFailureError as error:
        ended.status, ended.failure = failed(error.cause)
    about = await handle.describe()
    ended.run_id, ended.events = about.run_id, about.history_length
    await looked(ended, handle, patience)
    if ended.output is not None:
        ended.output = brought_back(ended.output, keeper)
    return ended


async def looked(ended: Outcome, handle: Handle, patience: float = ANSWER) -> None:
    """Adds what only a worker knows: the state that the run has now, or had at its end."""
    ended.state = await asked(handle, "state", patience)
    if ended.state is not None:
        ended.path, ended.cost = ended.state.get("path", []), ended.state.get("spent")


def failed(cause: BaseException | None) -> tuple[str, dict[str, Any]]:
    """How a run ended that did not complete, and why."""
    match cause:
        case ApplicationError():
            facts = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
            return "failed", {"category": cause.type or "engine", "message": cause.message, **facts}
        case CancelledError():
            return "cancelled", {"category": "cancelled", "message": "the run was cancelled"}
        case TerminatedError():
            return "terminated", {"category": "cancelled", "message": str(cause.message or "it was terminated")}
    return "failed", {"category": "timeout", "message": str(cause)}


def brought_back(output: Any, keeper: Keeper) -> Any:
    """The output with what is kept outside of it; a reference stays one where our store does not have it."""
    try:
        return keeper.brought_back(output)
    except ApplicationError:
        return output


def word(status: WorkflowExecutionStatus | None) -> str:
    return status.name.lower() if status is not None else "unknown"
