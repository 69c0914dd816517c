"""`models.yaml`: models, their pools and prices, and the routes over them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manifests.shape.base import Category, Duration, ManifestFile, Money, Name, SecretRef, Setting, Shape, Text


class Price(Shape):
    input: Money = Field(description="Price of input tokens.")
    output: Money = Field(description="Price of output tokens.")
    cached: Money | None = Field(None, description="Price of cached input tokens; absent means that of input.")
    per: int = Field(1_000_000, ge=1, description="For how many tokens.")


class Model(Shape):
    """A model behind a provider."""

    provider: Literal["openai", "anthropic", "ollama", "openai_compatible", "scripted"] = Field(
        description="The protocol it is reached by."
    )
    model: Text = Field(description="The provider's name for it.")
    base_url: Setting | None = Field(None, description="Address; absent means the provider's own.")
    api_key: SecretRef | None = Field(None, description="Name of the secret that holds the key.")
    pool: Name = Field("default", description="Worker pool that makes the calls.")
    context: int = Field(8_192, ge=256, description="Tokens that fit into one call, in and out.")
    concurrency: int | None = Field(
        None, ge=1, description="Calls at once of each worker of the pool; absent means what the pool allows."
    )
    wait: Duration | None = Field(
        None, description="How long a call waits for a free slot of the pool; absent means for as long as it takes."
    )
    price: Price | None = Field(None, description="What it costs; absent means nothing.")


class Route(Shape):
    """A ladder of models."""

    ladder: list[Name] = Field(min_length=1, description="Models or routes, first choice first.")
    on: list[Literal[Category, "json"]] = Field(
        ["rate_limited", "unavailable", "timeout"],
        min_length=1,
        description="Failures that lead to the next rung.",
    )
    prefer: Literal["order", "cheapest", "largest_context"] = Field("order", description="How the rungs are ordered.")


class ModelsFile(ManifestFile):
    """`models.yaml`"""

    models: dict[Name, Model] = Field(default_factory=dict, description="The models, by name.")
    routes: dict[Name, Route] = Field(default_factory=dict, description="The routes, by name.")
