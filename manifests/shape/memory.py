"""`memory.yaml`: stores, and the context profiles that read them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from manifests.shape.base import Duration, ManifestFile, Name, Shape

Layer: TypeAlias = Literal["conversation", "retrieval", "state", "profile", "environment"]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class Access(Shape):
    read: list[Name] | None = Field(None, description="Agents that may read it; absent means all.")
    write: list[Name] | None = Field(None, description="Agents that may write it; absent means all.")


class Store(Shape):
    """A place where memories are kept."""

    scope: Literal["task", "project", "global"] = Field(description="Who shares it: one run, one project, all.")
    search: Literal["dense", "sparse", "hybrid"] = Field("hybrid", description="How it is searched.")
    ttl: Duration | None = Field(None, description="When a memory expires; absent means never.")
    access: Access = Field(default_factory=Access.model_construct, description="Which agents may use it.")


class ContextSource(Shape):
    """What goes into a context."""

    layer: Layer = Field(description="The memory layer.")
    store: Name | None = Field(None, description="For `retrieval`: the store.")
    k: int = Field(8, ge=1, le=1_000, description="For `retrieval`: how many memories.")
    last: int = Field(20, ge=1, le=10_000, description="For `conversation`: how many messages.")
    policy: Literal["dense", "sparse", "hybrid", "recent", "important"] = Field(
        "hybrid", description="For `retrieval`: how they are ranked."
    )


class Keep(Shape):
    head: Share = Field(0.3, description="Share of the budget for the beginning.")
    tail: Share = Field(0.4, description="Share of the budget for the end.")


class Profile(Shape):
    """How an agent's context is put together."""

    max_tokens: int = Field(ge=64, description="Token budget of the context.")
    sources: list[ContextSource] = Field(min_length=1, description="What goes in, first comes first.")
    keep: Keep = Field(default_factory=Keep.model_construct, description="What is never compressed.")


class MemoryFile(ManifestFile):
    """`memory.yaml`"""

    stores: dict[Name, Store] = Field(default_factory=dict, description="The stores, by name.")
    profiles: dict[Name, Profile] = Field(default_factory=dict, description="The context profiles, by name.")
