"""`tools.yaml`: what can be done, under which contract."""

from __future__ import annotations

from pydantic import Field

from manifests.shape.base import (
    Duration,
    Effect,
    EnvironmentName,
    JsonSchema,
    Literals,
    ManifestFile,
    Name,
    Risk,
    Shape,
    Size,
    Text,
)


class Filesystem(Shape):
    read: list[Text] = Field(default_factory=list, description="Scopes it may read.")
    write: list[Text] = Field(default_factory=list, description="Scopes it may write.")


class Permissions(Shape):
    """What a tool may touch; absent means nothing."""

    filesystem: Filesystem = Field(default_factory=Filesystem.model_construct, description="Files.")
    network: list[Text] = Field(default_factory=list, description="Hosts it may reach, as `host` or `host:port`.")
    commands: list[Text] = Field(default_factory=list, description="Programs it may start.")
    secrets: list[EnvironmentName] = Field(default_factory=list, description="Secrets it may see.")


class ToolLimits(Shape):
    time: Duration = Field(60_000, description="Longest time of one call.")
    memory: Size = Field(512 * 2**20, description="Most memory.")
    processes: int = Field(64, ge=1, description="Most processes.")
    output: Size = Field(2**20, description="Most output.")


class Tool(Shape):
    """A tool: what it runs, what it takes and gives, what it does to the world."""

    uses: Text = Field(description="The built-in tool it is, such as `command.run`.")
    description: str | None = Field(None, description="What it is for; agents read this.")
    input: JsonSchema | None = Field(None, description="Schema of its arguments; absent means the built-in's own.")
    output: JsonSchema | None = Field(None, description="Schema of its result; absent means the built-in's own.")
    with_: dict[str, Literals] = Field(default_factory=dict, alias="with", description="Settings of the built-in tool.")
    effect: Effect = Field(description="What a call does to the world.")
    undo: Name | None = Field(None, description="Tool that takes the effect back.")
    idempotency_key: Name | None = Field(
        None, description="Argument that carries the engine's key, by which the other side knows a repeated call."
    )
    risk: Risk = Field("medium", description="How much harm a wrong call does.")
    permissions: Permissions = Field(default_factory=Permissions.model_construct, description="What it may touch.")
    limits: ToolLimits = Field(default_factory=ToolLimits.model_construct, description="What a call may use.")


class ToolsFile(ManifestFile):
    """`tools.yaml`"""

    tools: dict[Name, Tool] = Field(default_factory=dict, description="The tools, by name.")
