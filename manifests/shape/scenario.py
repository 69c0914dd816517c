"""`tests/*.yaml`: scenarios, with the edges of the world scripted."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from manifests.shape.base import Category, Literals, Mode, Name, NodeId, Shape, Text


class Failure(Shape):
    category: Category = Field(description="Category of the failure.")
    message: str = Field("scripted failure", description="Its message.")


class ModelAnswer(Shape):
    """One scripted answer of a model."""

    json_: Literals = Field(None, alias="json", description="The answer, as a value.")
    text: str | None = Field(None, description="The answer, as raw text.")
    calls: list[dict[str, Any]] | None = Field(None, description="Tool calls: `{tool: NAME, with: {…}}`.")
    fails: Failure | None = Field(None, description="The call fails.")


class ToolAnswer(Shape):
    """One scripted answer of a tool."""

    returns: Literals = Field(None, description="Its result.")
    fails: Failure | None = Field(None, description="The call fails.")


class FormAnswer(Shape):
    form: dict[str, Any] = Field(description="The filled-in form.")


class ExpectedFailure(Shape):
    category: Category = Field(description="Category of the failure.")
    node: NodeId | None = Field(None, description="The node that failed.")


class Expectation(Shape):
    status: Literal["completed", "failed", "cancelled"] = Field("completed", description="How the run ends.")
    path: list[NodeId] | None = Field(None, description="The nodes that completed, in plan order.")
    output: Literals = Field(None, description="What it gives; of objects, the fields that are named.")
    calls: dict[Name, int] = Field(default_factory=dict, description="How often each agent or tool is called.")
    not_called: list[Name] = Field(default_factory=list, description="Agents and tools that are not called.")
    failure: ExpectedFailure | None = Field(None, description="For a failed run: with what.")


class ScenarioFile(Shape):
    """`tests/*.yaml`"""

    apiVersion: Literal["haulage/v1"] = Field("haulage/v1", description="Version of the language.")
    scenario: Text = Field(description="The sentence it proves.")
    input: Literals = Field(default_factory=dict, description="Input of the run.")
    mode: Mode = Field("normal", description="Mode of the run.")
    pipeline: Name | None = Field(None, description="Pipeline of the run; absent means the one that is chosen.")
    tags: list[str] = Field(default_factory=list, description="Tags of the run.")
    models: dict[Name, list[ModelAnswer]] = Field(default_factory=dict, description="Scripted answers, by agent.")
    tools: dict[Name, list[ToolAnswer]] = Field(default_factory=dict, description="Scripted answers, by tool.")
    memory: dict[Name, list[dict[str, Any]]] = Field(default_factory=dict, description="Memories there are, by store.")
    answers: dict[NodeId, Name | FormAnswer] = Field(default_factory=dict, description="Answers of people, by gate.")
    signals: dict[Name, list[Literals]] = Field(
        default_factory=dict, description="What arrives with signals, by their name, in order."
    )
    expect: Expectation = Field(description="What must come of it.")
