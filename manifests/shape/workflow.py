"""`workflow.yaml`: what a run takes and gives, its nodes and its edges."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from manifests.shape.base import (
    Budget,
    Category,
    Duration,
    Expression,
    JsonSchema,
    ManifestFile,
    Name,
    NodeId,
    Retry,
    Shape,
    Text,
    Value,
)

EdgeCategory: TypeAlias = Literal[Category, "json", "error"]
WorkflowName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]


class Arrow(Shape):
    """An edge with something to say about it."""

    from_: NodeId = Field(alias="from", description="The node it leaves.")
    to: NodeId = Field(description="The node it enters.")
    when: Expression | None = Field(None, description="Out of a decision: taken when this is true.")
    else_: Literal[True] | None = Field(
        None, alias="else", description="Out of a decision: taken when nothing else was."
    )
    on: (
        Annotated[
            Annotated[EdgeCategory, Tag("kind:one")]
            | Annotated[list[EdgeCategory], Field(min_length=1), Tag("kind:many")],
            Discriminator(lambda value: "kind:many" if isinstance(value, list) else "kind:one"),
        ]
        | None
    ) = Field(None, description="Taken when the node fails in one of these categories.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Arrow:
        said = [key for key, value in (("when", self.when), ("else", self.else_), ("on", self.on)) if value is not None]
        if len(said) > 1:
            raise PydanticCustomError(
                "one_of",
                "an edge cannot have both {first} and {second}",
                {"first": repr(said[0]), "second": repr(said[1]), "fix": "make it two edges"},
            )
        return self


Edge: TypeAlias = Annotated[
    Annotated[Arrow, Tag("kind:arrow")] | Annotated[str, Tag("kind:chain")],
    Discriminator(lambda value: "kind:chain" if isinstance(value, str) else "kind:arrow"),
    Field(description="A chain `a -> b -> c`, or one edge with `from` and `to`."),
]


class Common(Shape):
    """What any node may say."""

    description: str | None = Field(None, description="What the node is for.")
    with_: dict[str, Value] = Field(default_factory=dict, alias="with", description="Inputs, by name.")
    timeout: Duration | None = Field(None, description="Longest time for one try.")
    retry: Retry | None = Field(None, description="How often it is tried.")
    when_skipped: Value = Field(None, description="What the others read when the node is skipped.")
    queue: Name | None = Field(None, description="Task queue, in place of the one its kind has.")
    priority: int | None = Field(None, ge=1, le=5, description="1 is first, 5 is last; absent means 3.")
    undo: Name | None = Field(None, description="Tool that takes its effect back.")
    on_budget: OnBudget | None = Field(
        None, description="What happens when the budget does not allow it; absent means `fail`."
    )
    join: Literal["any"] | None = Field(
        None, description="`any` says aloud that several ways in are meant, where it is not a merge."
    )


class CheaperModel(Shape):
    """Go on with another model."""

    model: Name = Field(description="For an agent: model or route to use instead.")


OnBudget: TypeAlias = Annotated[
    Annotated[Literal["fail", "skip"], Tag("kind:word")] | Annotated[CheaperModel, Tag("kind:model")],
    Discriminator(lambda value: "kind:model" if isinstance(value, dict) else "kind:word"),
]


class Agent(Common):
    """A model, in turns with its tools, until it answers in its schema."""

    agent: Name = Field(description="An agent of `agents.yaml`.")


class Tool(Common):
    """One tool call."""

    tool: Name = Field(description="A tool of `tools.yaml`.")


class Choosing(Shape):
    many: bool = Field(False, description="Take every edge whose condition is true, not only the first.")


class Decision(Common):
    """Ordered choices, made by the edges that leave it."""

    decision: Choosing = Field(description="How it chooses; `{}` takes the first edge that is true.")


class Merge(Common):
    """Joins branches."""

    merge: Text = Field(description="`object`, `list`, `first`, `concat`, `vote` or an expression in `${ … }`.")
    by: Text | None = Field(None, description="For `vote`: the field that is voted on; absent means the whole output.")


class Transform(Common):
    """Builds a value."""

    transform: Value = Field(description="The value.")


class Body(Shape):
    """Nodes and edges inside a node."""

    nodes: dict[NodeId, Node] = Field(min_length=1, description="The nodes, by id.")
    edges: list[Edge] = Field(default_factory=list, description="The edges.")
    output: Value = Field(None, description="What the body gives; absent means the output of its only last node.")


class Run(Shape):
    """A sub-run."""

    workflow: Name = Field(description="A workflow of a bundle beside this one.")


Do: TypeAlias = Annotated[
    Annotated[Body, Tag("kind:body")] | Annotated[Run, Tag("kind:run")],
    Discriminator(lambda value: "kind:run" if isinstance(value, dict) and "workflow" in value else "kind:body"),
    Field(description="Nodes and edges, or a workflow."),
]


class Mapping(Shape):
    over: Expression = Field(description="The list, as an expression.")
    as_: NodeId = Field("item", alias="as", description="Name of the element inside the body.")
    do: Do
    concurrency: int = Field(10, ge=1, le=500, description="Items worked on at once.")
    max: int = Field(1_000, ge=1, le=1_000_000, description="More items than this are refused.")
    on_error: Literal["fail", "drop", "partition"] = Field(
        "fail", description="A failed item fails the node, is left out, or is listed under `failed`."
    )


class Map(Common):
    """Does the same for every element of a list."""

    map: Mapping = Field(description="Over what, and what to do.")


class Carried(Shape):
    """A value that goes from one iteration to the next."""

    first: Value = Field(description="Its value in the first iteration.")
    next: Value = Field(description="Its value in the next iteration, from what this one did.")


class Looping(Shape):
    do: Do
    until: Expression = Field(description="After an iteration: stop when this is true.")
    max: int = Field(ge=1, le=100_000, description="Most iterations.")
    carry: dict[NodeId, Carried] = Field(default_factory=dict, description="Values carried along, read as `loop.NAME`.")


class Loop(Common):
    """Repeats its body until a condition holds, a bounded number of times."""

    loop: Looping = Field(description="What is repeated, until when, how often at most.")


class Subflow(Common):
    """A sub-run, with an input of its own."""

    workflow: Name = Field(description="A workflow of a bundle beside this one.")


class Escalation(Shape):
    after: Duration = Field(description="How long to wait for the first ones asked.")
    to: Text = Field(description="Who is asked next.")


class Gate(Shape):
    ask: Text = Field(description="The question; `${ … }` is evaluated.")
    show: Value = Field(None, description="What the person sees; the answer is bound to it.")
    choices: list[Name] | None = Field(
        None, min_length=1, description="Answers to choose from; absent means approve, reject."
    )
    form: JsonSchema | None = Field(None, description="Schema of the answer, in place of choices.")
    to: Text | None = Field(None, description="Who is asked.")
    within: Duration = Field(description="How long an answer is waited for.")
    escalate: Escalation | None = Field(None, description="Who is asked when nobody answers.")
    on_timeout: Name = Field("expire", description="`expire`, or the choice that is made when nobody answers.")

    @model_validator(mode="after")
    def _asks_one_way(self) -> Gate:
        if self.choices is not None and self.form is not None:
            raise PydanticCustomError(
                "one_of", "a gate cannot have both 'choices' and 'form'", {"fix": "keep one of them"}
            )
        return self


class Human(Common):
    """A gate: a person decides."""

    human: Gate = Field(description="What is asked, and until when.")


class Waiting(Shape):
    for_: Duration | None = Field(None, alias="for", description="A length of time.")
    until: Value = Field(None, description="A time in RFC 3339; `${ … }` is evaluated.")
    signal: Name | None = Field(None, description="Name of a signal.")
    within: Duration | None = Field(None, description="For a signal: how long it is waited for (compulsory).")
    payload: JsonSchema | None = Field(None, alias="schema", description="For a signal: schema of what it brings.")

    @model_validator(mode="after")
    def _waits_for_one_thing(self) -> Waiting:
        said = [
            key
            for key, value in (("for", self.for_), ("until", self.until), ("signal", self.signal))
            if value is not None
        ]
        if len(said) != 1:
            raise PydanticCustomError("one_of", "a wait needs one of 'for', 'until' and 'signal'", {"fix": "keep one"})
        if (self.signal is None) != (self.within is None):
            raise PydanticCustomError(
                "one_of",
                "'within' goes with 'signal', and 'signal' with 'within'",
                {"fix": "say how long the signal is waited for"},
            )
        return self


class Wait(Common):
    """A timer or a signal."""

    wait: Waiting = Field(description="What is waited for.")


class Recall(Common):
    """Reads memory."""

    recall: Name = Field(description="A store, a profile or a layer.")


class Remember(Common):
    """Writes memory."""

    remember: Name = Field(description="A store.")


class Message(Shape):
    run: Value = Field(None, description="Id of the run that gets it.")
    agent: Name | None = Field(None, description="Agent whose mailbox gets it.")
    plugin: Name | None = Field(None, description="Channel or connector of `plugins.yaml` that gets it.")
    signal: Name | None = Field(None, description="For a run: name of the signal.")
    message: Value = Field(description="What is sent.")

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Message:
        said = [key for key in ("run", "agent", "plugin") if getattr(self, key) is not None]
        if len(said) != 1:
            raise PydanticCustomError("one_of", "an emit needs one of 'run', 'agent' and 'plugin'", {"fix": "keep one"})
        return self


class Emit(Common):
    """Sends a message out."""

    emit: Message = Field(description="What goes where.")


class Planning(Shape):
    agent: Name = Field(description="The agent that proposes the graph.")
    templates: dict[NodeId, Node] = Field(min_length=1, description="Nodes it may use, by name.")
    max_nodes: int = Field(12, ge=1, le=200, description="Largest graph that is accepted.")
    output: JsonSchema | None = Field(None, description="Schema of what the proposed graph gives.")


class Plan(Common):
    """An agent proposes a graph, which is compiled by the same checks and run."""

    plan: Planning = Field(description="Who proposes, and out of what.")


NODE_KINDS: dict[str, type[Common]] = {
    "agent": Agent,
    "tool": Tool,
    "decision": Decision,
    "merge": Merge,
    "transform": Transform,
    "map": Map,
    "loop": Loop,
    "workflow": Subflow,
    "human": Human,
    "wait": Wait,
    "recall": Recall,
    "remember": Remember,
    "emit": Emit,
    "plan": Plan,
}


def kind_of(value: Any) -> str | None:
    """The tag of a node's model, from the one key that says what runs."""
    keys = value if isinstance(value, dict) else ()
    kinds = [key for key in keys if key in NODE_KINDS]
    return f"kind:{kinds[0]}" if len(kinds) == 1 else None


Node: TypeAlias = Annotated[
    Annotated[Agent, Tag("kind:agent")]
    | Annotated[Tool, Tag("kind:tool")]
    | Annotated[Decision, Tag("kind:decision")]
    | Annotated[Merge, Tag("kind:merge")]
    | Annotated[Transform, Tag("kind:transform")]
    | Annotated[Map, Tag("kind:map")]
    | Annotated[Loop, Tag("kind:loop")]
    | Annotated[Subflow, Tag("kind:workflow")]
    | Annotated[Human, Tag("kind:human")]
    | Annotated[Wait, Tag("kind:wait")]
    | Annotated[Recall, Tag("kind:recall")]
    | Annotated[Remember, Tag("kind:remember")]
    | Annotated[Emit, Tag("kind:emit")]
    | Annotated[Plan, Tag("kind:plan")],
    Discriminator(kind_of),
]


class Limits(Shape):
    """Walls a run may not pass, whatever it may spend."""

    calls: int | None = Field(None, ge=1, description="Most model and tool calls of one node, tries included.")
    parallel: int = Field(100, ge=1, le=500, description="Activities under way at once.")


class WorkflowFile(ManifestFile):
    """`workflow.yaml`"""

    name: WorkflowName = Field(description="Name of the workflow; also its type on Temporal.")
    version: Text = Field("1", description="The author's version of it.")
    description: str | None = Field(None, description="What it is for.")
    input: JsonSchema | None = Field(None, description="Schema of the input; absent means any object.")
    output: Value = Field(None, description="What a run gives; absent means the output of its only last node.")
    budget: Budget | None = Field(None, description="What a run may spend.")
    limits: Limits = Field(default_factory=Limits.model_construct, description="Walls.")
    nodes: dict[NodeId, Node] = Field(min_length=1, description="The nodes, by id.")
    edges: list[Edge] = Field(default_factory=list, description="The edges.")
    finally_: Body | None = Field(None, alias="finally", description="What runs at every exit, whatever happened.")
