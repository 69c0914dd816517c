"""What people and programs may ask of a run, and the book in which all of it is written down."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from temporalio.exceptions import ApplicationError

from manifests.plan import Node

Mode = Literal["normal", "analysis_only", "dry_run"]


# Of anything that is counted.
MOST = 10**15


class Order(BaseModel):
    """Everybody who asks may say who they are and why."""

    model_config = ConfigDict(extra="forbid")
    actor: str = Field("", description="Who asks.")
    reason: str = Field("", description="Why.")


class Answer(Order):
    node: str = Field(description="The gate: the name of its node, or its path.")
    iteration: str = Field("", description="Which iteration's gate, such as `3` or `3.1`.")
    shown: str | None = Field(None, description="The hash of what was shown; an answer to anything else is refused.")


class Approve(Answer):
    choice: str | None = Field(None, description="One of the gate's choices; absent means `approve`.")
    form: dict[str, Any] | None = Field(None, description="The filled-in form, for a gate that has one.")


class Reject(Answer):
    pass


class Override(Order):
    """Takes a node's fate out of its hands, before it runs or while it does."""

    node: str = Field(description="The name of the node, or its path.")
    iteration: str = Field("", description="Which iteration, such as `3` or `3.1`.")
    action: Literal["skip", "output", "retry", "goto", "input"] = Field(description="What happens to it.")
    output: Any = Field(None, description="For `output`: what the node gives.")
    model: str | None = Field(None, description="For `retry`: the model to use, for an agent.")
    to: str | None = Field(None, description="For `goto`: the end of one of the node's edges.")
    input: dict[str, Any] | None = Field(None, description="For `input`: inputs that replace those of the node.")


class Pause(Order):
    pass


class Resume(Order):
    pass


class SetMode(Order):
    mode: Mode = Field(description="The mode from now on.")


class ExtendBudget(Order):
    calls: int = Field(0, ge=0, le=MOST, description="More calls.")
    tokens: int = Field(0, ge=0, le=MOST, description="More tokens.")
    usd: str = Field("0", pattern=r"^[0-9]{1,15}(\.[0-9]{1,12})?$", description="More dollars.")
    time_ms: int = Field(0, ge=0, le=MOST, description="More milliseconds.")


class Say(Order):
    text: str = Field(min_length=1, description="What is said.")
    agent: str | None = Field(None, description="To whom; absent means every agent of the run.")


ORDERS: dict[str, type[Order]] = {
    "approve": Approve,
    "reject": Reject,
    "override": Override,
    "pause": Pause,
    "resume": Resume,
    "set_mode": SetMode,
    "extend_budget": ExtendBudget,
    "message": Say,
}


def iteration_misfit(node: Node, iteration: str) -> str:
    """Why this names no iteration of a node; empty when it may."""
    depth = node.path.count("/")
    steps = iteration.split(".") if iteration else []
    if len(steps) == depth and all(step.isdecimal() for step in steps):
        return ""
    if not depth:
        return f"{node.id!r} is in no map and no loop: leave the iteration out"
    if not iteration:
        return f"{node.id!r} is not under way; to say it in advance, say for which iteration"
    return f"{iteration!r} is no iteration of {node.id!r}; one looks like {'.'.join('3' * depth)}"


Model = TypeVar("Model", bound=BaseModel)


class Refused(ApplicationError):
    """An order that cannot be carried out, with what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type="input", non_retryable=True)


def read(model: type[Model], given: Any, what: str) -> Model:
    """The order as it was given, or `Refused` with its first mistake in one line."""
    try:
        return model.model_validate({} if given is None else given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        known = ", ".join(model.model_fields)
        raise Refused(f"{what}: {where or 'it'}: {first['msg']} (it takes {known})") from None
