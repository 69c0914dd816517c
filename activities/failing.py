"""How an activity says what went wrong: a category, and what a run needs to know to go on."""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts import Usage


class Failing(ApplicationError):
    """A failed try. Whether there is another one is the plan's to say, so Temporal never repeats it by itself."""

    def __init__(
        self,
        category: str,
        message: str,
        *,
        retry_after_ms: int | None = None,
        usage: Usage | None = None,
        answered: bool = False,
        **facts: Any,
    ) -> None:
        self.retry_after_ms = retry_after_ms
        self.usage = usage
        # The server that was asked has said something, though it was no answer.
        self.answered = answered
        # What is added before it leaves the activity goes with it.
        self.facts = dict(facts)
        if retry_after_ms is not None:
            self.facts["retry_after_ms"] = retry_after_ms
        if usage is not None:
            self.facts["usage"] = usage.model_dump()
        # Only a bug of ours is worth a stack trace in the worker's log; everything else is the run's to tell.
        benign = ApplicationErrorCategory.UNSPECIFIED if category == "engine" else ApplicationErrorCategory.BENIGN
        super().__init__(message[:1_000], self.facts, type=category, non_retryable=True, category=benign)

    def told(self, usage: Usage, facts: dict[str, Any]) -> None:
        """What a call of a model has used, and what the run needs to know for the next one."""
        self.usage = usage
        self.facts |= {"usage": usage.model_dump(), **facts}
