"""Failures as the plan knows them: a category, a message, and where."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
)

from manifests.failures import CATEGORIES

LONGEST_MESSAGE = 1_000


class Failed(Exception):
    """A node that failed; `at` is set once it is known which one.

    `call` is what a call of a model tells besides, for the next one. Of what was `lost`, nobody knows what it has used.
    An `unfinished` call has not come to its end: it was lost or handed back, and may be made again.
    """

    def __init__(self, category: str, message: str, **facts: Any) -> None:
        self.category = category
        self.message = message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
        self.node: str = facts.pop("node", "")
        self.kind: str = facts.pop("kind", "")
        self.attempt: int = facts.pop("attempt", 1)
        self.cost: float = facts.pop("cost", 0.0)
        self.retry_after: timedelta | None = facts.pop("retry_after", None)
        self.usage: dict[str, Any] = facts.pop("usage", {})
        self.call: dict[str, Any] = facts.pop("call", {})
        self.lost: bool = facts.pop("lost", False)
        self.unfinished = False
        assert not facts, facts
        super().__init__(f"{category}: {self.message}")

    @property
    def was_made(self) -> bool:
        """Not where the worker has counted more than was set aside, or where the call has not come to its end."""
        was_refused = "tokens_in" in self.call and not self.call.get("is_cut")
        return not (was_refused or self.unfinished)

    def at(self, node: str, kind: str) -> Failed:
        """The same failure, of the node that it came out of; one from further inside says so in its message."""
        message = f"{self.node}: {self.message}" if self.node and self.node != node else self.message
        facts = {"attempt": self.attempt, "cost": self.cost, "retry_after": self.retry_after, "usage": self.usage}
        return Failed(self.category, message, node=node, kind=kind, **facts)

    def as_error(self) -> dict[str, Any]:
        """What expressions read as `error`."""
        return {
            "category": self.category,
            "message": self.message,
            "node": self.node,
            "attempt": self.attempt,
            "cost": self.cost,
        }

    def as_temporal(self, pipeline: str | None, spent: dict[str, Any]) -> ApplicationError:
        where = f"{self.node}: " if self.node else ""
        facts = {**self.as_error(), "kind": self.kind, "pipeline": pipeline, "usage": spent}
        return ApplicationError(f"{where}{self.message}", facts, type=self.category, non_retryable=True)


def understood(error: FailureError, queue: str = "", *, once: bool = False) -> Failed:
    """What an activity, on this queue, or a child run failed with; one that was given out `once` may be unfinished."""
    failed = _understood(error, queue)
    failed.unfinished = once and _is_unfinished(error)
    silenced = list(_silenced(error))
    # What a call told that died with its worker, or whose time was up before it could say so.
    told = next((each.last_heartbeat_details for each in silenced if each.last_heartbeat_details), ())
    if told and isinstance(told[0], dict):
        failed.call["sign"] = told[0]
    failed.lost |= bool(told) or any(each.type is not TimeoutType.SCHEDULE_TO_START for each in silenced)
    return failed


def _is_unfinished(error: FailureError) -> bool:
    """Its worker was lost, or gave it back: what our activities fail with themselves is final."""
    match error.cause:
        case TimeoutError(type=TimeoutType.HEARTBEAT):
            return True
        case ApplicationError(non_retryable=is_final):
            return not is_final
    return False


def _silenced(error: BaseException | None) -> Iterator[TimeoutError]:
    """The ends of tries that could not say themselves how they ended."""
    while error is not None:
        if isinstance(error, TimeoutError):
            yield error
        error = error.__cause__


def _understood(error: FailureError, queue: str) -> Failed:
    cause = error.cause if isinstance(error, ActivityError | ChildWorkflowError) else error
    match cause:
        case ApplicationError():
            return _told(cause)
        case TimeoutError(type=TimeoutType.START_TO_CLOSE):
            return Failed("timeout", "it took longer than its timeout")
        case TimeoutError(type=TimeoutType.HEARTBEAT):
            return Failed("unavailable", "its worker was lost again and again")
        case TimeoutError(type=TimeoutType.SCHEDULE_TO_START):
            return Failed("unavailable", f"nobody on {queue} was free in time")
        case TimeoutError():
            return Failed("timeout", "no worker took it in time")
        case CancelledError():
            return Failed("cancelled", "it was cancelled")
        case TerminatedError():
            return Failed("cancelled", "it was terminated", lost=True)
    return Failed("engine", str(cause or error) or type(error).__name__)


def _told(error: ApplicationError) -> Failed:
    """Our activities say everything; what somebody else's raise is a failed tool or a bug of ours."""
    facts = error.details[0] if error.details and isinstance(error.details[0], dict) else {}
    category = error.type if error.type in CATEGORIES else "engine"
    message = error.message if error.type in CATEGORIES else f"{error.type}: {error.message}"
    after = facts.get("retry_after_ms")
    return Failed(
        category,
        facts.get("message", message),
        node=facts.get("node", ""),
        cost=facts.get("cost", 0.0),
        usage=facts.get("usage") or {},
        lost=bool(facts.get("lost")),
        retry_after=None if after is None else timedelta(milliseconds=after),
        call=facts,
    )
