"""The Plan: what a bundle comes to, with nothing left to look up; canonical JSON, named by its sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

IR_VERSION: Literal[2] = 2
# In the run of a proposed graph, the input that holds the names around the `plan` node.
AROUND = "around_"
# Bytes of what a run knows that go with a call of an agent which has a context profile.
TOLD_BYTES = 32 * 1024

Placement: TypeAlias = Literal["inline", "local", "queue", "child", "wait"]
Json: TypeAlias = Any


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Retry(Part):
    """A retry ladder; `on` are the categories that are tried again."""

    attempts: int
    initial_ms: int
    backoff: float
    max_ms: int
    on: list[str]


class Budget(Part):
    tokens: int | None = None
    usd: str | None = None
    time_ms: int | None = None
    calls: int | None = None


class Base(Part):
    """What every node says. `reads` are the nodes whose outputs its expressions look at."""

    id: str
    path: str
    description: str | None = None
    placement: Placement
    inputs: dict[str, Json] = {}
    reads: list[str] = []
    queue: str | None = None
    priority: int = 3
    timeout_ms: int | None = None
    retry: Retry | None = None
    undo: str | None = None
    on_budget: str = "fail"
    cheaper: list[str] | None = None
    has_default: bool = False
    default: Json = None


class Agent(Base):
    kind: Literal["agent"] = "agent"
    agent: str


class Tool(Base):
    kind: Literal["tool"] = "tool"
    tool: str


class Decision(Base):
    kind: Literal["decision"] = "decision"
    many: bool


class Merge(Base):
    kind: Literal["merge"] = "merge"
    policy: Literal["object", "list", "first", "concat", "vote", "value"]
    by: str | None = None
    value: Json = None


class Transform(Base):
    kind: Literal["transform"] = "transform"
    value: Json = None


class Map(Base):
    """`partition` items go to one child run; without it all of them stay in this one."""

    kind: Literal["map"] = "map"
    over: str
    element: str
    concurrency: int
    most: int
    on_error: Literal["fail", "drop", "partition"]
    partition: int | None = None
    body: Graph | None = None
    workflow: str | None = None


class Carried(Part):
    first: Json = None
    next: Json = None


class Loop(Base):
    kind: Literal["loop"] = "loop"
    until: str
    most: int
    carry: dict[str, Carried]
    body: Graph | None = None
    workflow: str | None = None


class Subflow(Base):
    kind: Literal["workflow"] = "workflow"
    workflow: str


class Human(Base):
    kind: Literal["human"] = "human"
    ask: str
    show: Json = None
    choices: list[str] | None = None
    form: dict[str, Json] | None = None
    to: str | None = None
    within_ms: int
    escalate_after_ms: int | None = None
    escalate_to: str | None = None
    on_timeout: str


class Wait(Base):
    kind: Literal["wait"] = "wait"
    for_ms: int | None = None
    until: Json = None
    signal: str | None = None
    within_ms: int | None = None
    payload: dict[str, Json] | None = None


class Recall(Base):
    kind: Literal["recall"] = "recall"
    source: Literal["store", "profile", "layer"]
    name: str


class Remember(Base):
    kind: Literal["remember"] = "remember"
    store: str


class Emit(Base):
    kind: Literal["emit"] = "emit"
    run: Json = None
    agent: str | None = None
    plugin: str | None = None
    signal: str | None = None
    message: Json = None


class Planning(Base):
    kind: Literal["plan"] = "plan"
    agent: str
    templates: Graph
    max_nodes: int
    output: dict[str, Json] | None = None


Node: TypeAlias = Annotated[
    Agent
    | Tool
    | Decision
    | Merge
    | Transform
    | Map
    | Loop
    | Subflow
    | Human
    | Wait
    | Recall
    | Remember
    | Emit
    | Planning,
    Field(discriminator="kind"),
]


class Edge(Part):
    """A way on success; out of a decision `when` says whether it is taken, and `otherwise` that nothing else was."""

    source: str
    target: str
    when: str | None = None
    otherwise: bool = False


class Ways(Part):
    """How a graph is walked: its nodes in plan order, its edges, and per node and category where a failure goes."""

    nodes: list[str]
    edges: list[Edge]
    failures: dict[str, dict[str, str]] = {}


class Graph(Part):
    nodes: list[Node]
    ways: Ways
    output: Json = None

    @cached_property
    def by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    def walk(self) -> Iterator[Node]:
        """Every node, those of bodies after the node they are in."""
        for node in self.nodes:
            yield node
            if isinstance(node, Map | Loop) and node.body:
                yield from node.body.walk()


class Pipeline(Part):
    """A way through the main graph, and when it may be chosen; `score` is a number or an expression."""

    name: str
    description: str | None = None
    when: str | None = None
    score: Json = 0
    ways: Ways


class AgentSpec(Part):
    description: str | None = None
    role: str | None = None
    prompt: str
    ladder: list[str]
    next_rung_on: list[str]
    context: str | None = None
    tools: list[str] = []
    max_turns: int
    ask_again: int = 0
    calls_per_turn: int
    max_output: int
    temperature: float | None = None
    cache_ms: int | None = None
    output: dict[str, Json]
    budget: Budget | None = None


class ToolSpec(Part):
    uses: str
    description: str | None = None
    input: dict[str, Json]
    output: dict[str, Json]
    settings: dict[str, Json] = {}
    effect: Literal["pure", "idempotent", "compensable", "irreversible"]
    undo: str | None = None
    idempotency_key: str | None = None
    risk: Literal["low", "medium", "high"]
    read: list[str] = []
    write: list[str] = []
    network: list[str] = []
    commands: list[str] = []
    secrets: list[str] = []
    time_ms: int
    memory: int
    processes: int
    most_output: int


class ModelSpec(Part):
    """A concrete model; settings that differ by place are references. Prices are decimals per token count `per`."""

    provider: str
    model: str
    base_url: Json = None
    api_key: Json = None
    pool: str
    context: int
    concurrency: int | None = None
    wait_ms: int | None = None
    input_price: str = "0"
    output_price: str = "0"
    cached_price: str | None = None
    per: int = 1_000_000


class StoreSpec(Part):
    scope: str
    search: str
    ttl_ms: int | None = None
    readers: list[str] | None = None
    writers: list[str] | None = None


class SourceSpec(Part):
    layer: str
    store: str | None = None
    k: int
    last: int
    policy: str


class ProfileSpec(Part):
    max_tokens: int
    sources: list[SourceSpec]
    head: float
    tail: float


class PluginSpec(Part):
    uses: str
    settings: dict[str, Json] = {}


class Bounds(Part):
    """The worst case of one run, children included, and the least that every run needs."""

    events: int
    activities: int
    bytes: int
    model_calls: int
    tool_calls: int
    tokens: int
    usd: str
    least_tokens: int = 0
    least_ms: int = 0


class Plan(Part):
    # 1 sets aside for a call what its agent has been seen to use, and lets it use more.
    ir_version: Literal[1, 2] = IR_VERSION
    name: str
    version: str
    description: str | None = None
    input: dict[str, Json]
    graph: Graph
    final: Graph | None = None
    pipelines: list[Pipeline] = []
    budget: Budget
    parallel: int
    call_limit: int | None = None
    agents: dict[str, AgentSpec] = {}
    tools: dict[str, ToolSpec] = {}
    models: dict[str, ModelSpec] = {}
    stores: dict[str, StoreSpec] = {}
    profiles: dict[str, ProfileSpec] = {}
    plugins: dict[str, PluginSpec] = {}
    safe_modes: dict[str, list[str]] = {}
    gates: dict[str, str] = {}
    segments: list[list[str]] = []
    projections: dict[str, list[str]] = {}
    children: dict[str, Plan] = {}
    # The sha256 of the archived bundle, where an agent may propose graphs that are compiled with it.
    archive: str | None = None
    bounds: Bounds

    def canonical(self) -> bytes:
        """The bytes that the plan is named by: sorted keys, no spaces, UTF-8."""
        data = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def nodes(self) -> list[Node]:
        return self.graph.nodes


def loaded(data: bytes | str) -> Plan:
    """A plan from its canonical JSON."""
    return Plan.model_validate_json(data)


def body_of(node: Node) -> Graph | None:
    """The graph inside a node."""
    match node:
        case Map() | Loop():
            return node.body
        case Planning():
            return node.templates
        case _:
            return None
