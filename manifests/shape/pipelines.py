"""`pipelines.yaml`: ways through the graph, and the fallback matrix."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from manifests.shape.base import Category, Expression, ManifestFile, Name, NodeId, Shape

KIND_NAMES = Literal[
    "agent", "tool", "decision", "merge", "transform", "map", "loop",
    "workflow", "human", "wait", "recall", "remember", "emit", "plan",
]  # fmt: skip


class Pipeline(Shape):
    """A way through the graph."""

    description: str | None = Field(None, description="What it is for.")
    when: Expression | None = Field(None, description="It may be chosen when this is true, over `input` and `run`.")
    score: Annotated[
        Annotated[int | float, Tag("kind:number")] | Annotated[Expression, Tag("kind:expression")],
        Discriminator(lambda value: "kind:expression" if isinstance(value, str) else "kind:number"),
    ] = Field(0, description="The highest one wins, of equals the first by name; a number, or an expression.")
    only: list[NodeId] | None = Field(None, min_length=1, description="The nodes that stay.")
    skip: list[NodeId] | None = Field(None, min_length=1, description="The nodes that are left out.")

    @model_validator(mode="after")
    def _says_one_of_them(self) -> Pipeline:
        if self.only is not None and self.skip is not None:
            raise PydanticCustomError("one_of", "a pipeline cannot have both 'only' and 'skip'", {"fix": "keep one"})
        return self


class Fallback(Shape):
    """A cell of the fallback matrix: where a failure goes that no edge handles."""

    category: Literal[Category, "json", "error"] = Field(description="The failure; `error` is any.")
    kind: KIND_NAMES | None = Field(None, description="For nodes of this kind.")
    node: NodeId | None = Field(None, description="For this node.")
    to: NodeId = Field(description="Where the run goes on.")

    @model_validator(mode="before")
    @classmethod
    def _says_for_whom(cls, value: Any) -> Any:
        if isinstance(value, dict) and (("kind" in value) == ("node" in value)):
            raise PydanticCustomError(
                "one_of", "a fallback needs one of 'kind' and 'node'", {"fix": "say for which nodes it is"}
            )
        return value


class PipelinesFile(ManifestFile):
    """`pipelines.yaml`"""

    pipelines: dict[Name, Pipeline] = Field(default_factory=dict, description="The pipelines, by name.")
    fallbacks: list[Fallback] = Field(default_factory=list, description="The fallback matrix, most important first.")
