"""`agents.yaml`: who thinks."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Discriminator, Field, Tag

from manifests.shape.base import Budget, Duration, JsonSchema, ManifestFile, Name, Shape, Text


class InlinePrompt(Shape):
    text: Text = Field(description="The prompt itself, in Jinja2.")


Prompt: TypeAlias = Annotated[
    Annotated[InlinePrompt, Tag("kind:inline")] | Annotated[Text, Tag("kind:path")],
    Discriminator(lambda value: "kind:inline" if isinstance(value, dict) else "kind:path"),
    Field(description="Path of a Jinja2 file inside the bundle, or `{text: …}`."),
]


class Cache(Shape):
    ttl: Duration = Field(description="How long an answer may be used again.")


class Agent(Shape):
    """A model with a prompt, tools and a contract for its answer."""

    role: Text | None = Field(None, description="What it is in the team, such as planner or critic.")
    description: str | None = Field(None, description="What it is for.")
    model: Name = Field(description="A model or a route of `models.yaml`.")
    prompt: Prompt
    context: Name | None = Field(None, description="A context profile of `memory.yaml`.")
    tools: list[Name] = Field(default_factory=list, description="Tools it may call; absent means none.")
    max_turns: int = Field(8, ge=1, le=1_000, description="Most model calls of one answer.")
    ask_again: int = Field(
        1, ge=0, le=10, description="How often an answer that does not fit is asked for again, with what is wrong."
    )
    calls_per_turn: int = Field(8, ge=1, le=64, description="Most tool calls of one turn.")
    output: JsonSchema | None = Field(None, description="Schema of its answer; absent means `{text: string}`.")
    budget: Budget | None = Field(None, description="What one answer may spend.")
    temperature: float | None = Field(None, ge=0, le=2, description="Absent means the model's own.")
    max_output: int = Field(4_096, ge=1, description="Most tokens of one model call's answer.")
    cache: Cache | None = Field(None, description="Use the answer to an identical request again; absent means never.")


class AgentsFile(ManifestFile):
    """`agents.yaml`"""

    agents: dict[Name, Agent] = Field(default_factory=dict, description="The agents, by name.")
