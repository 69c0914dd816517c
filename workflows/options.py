"""The second, optional input of a run: how it should be carried out. And what a run hands to its children and heirs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workflows.orders import Mode, Override

# Temporal shares workers fairly by a key of at most so many bytes.
LONGEST_TENANT = 64


class Allowance(BaseModel):
    """A budget for this run; what is left out stays as the manifest has it."""

    model_config = ConfigDict(extra="forbid")
    calls: int | None = Field(None, ge=0, description="Calls of models and tools.")
    tokens: int | None = Field(None, ge=0, description="Tokens, in and out.")
    usd: str | None = Field(None, pattern=r"^\d+(\.\d+)?$", description="Dollars, as text.")
    time_ms: int | None = Field(None, ge=1, description="Milliseconds of work; waiting for people is none.")


class Part(BaseModel):
    """Some items of a map, for a child run that carries out nothing else; `names` are what the body reads."""

    node: str
    key: str
    offset: int
    items: list[Any]
    names: dict[str, Any]


class Origin(BaseModel):
    """The run that this one goes on from, and where its walk stood: those nodes do not run again."""

    model_config = ConfigDict(extra="forbid")
    run: str
    walk: dict[str, Any]


def _short(tenant: str) -> str:
    if len(tenant.encode("utf-8", "replace")) > LONGEST_TENANT:
        raise ValueError(f"at most {LONGEST_TENANT} bytes")
    return tenant


Tenant = Annotated[str, AfterValidator(_short)]


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mode: Mode = Field("normal", description="In a safe mode only tools with harmless effects act.")
    tags: list[str] = Field([], description="Tags, which expressions read as `run.tags`.")
    pipeline: str | None = Field(None, description="The pipeline; absent means the one that the manifest chooses.")
    plan: str | None = Field(None, description="Run no plan but the one of this hash.")
    budget: Allowance | None = Field(None, description="What this run may spend.")
    overrides: list[Override] = Field([], description="Overrides that hold from the start.")
    priority: int | None = Field(None, ge=1, le=5, description="1 is first, 5 is last.")
    tenant: Tenant = Field("", description="Whose run it is; tenants share workers fairly.")
    actor: str = Field("", description="Who started it.")
    origin: Origin | None = Field(None, description="The run that this one goes on from.")
    keep: list[str] | None = Field(None, description="Set by a parent: the fields of the output that it looks into.")
    part: Part | None = Field(None, description="For child runs of a large map.")
    is_child: bool = Field(False, description="Set by a parent, which wants to know what was spent.")
