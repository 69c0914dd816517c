"""What workflows and activities say to each other: one model in, one model out."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Json: TypeAlias = Any
# Tokens: an answer of fewer is hardly one, and no call is made for it.
LEAST_OUTPUT = 256
# Marks a value that is kept outside of the run; what expressions read of it stands beside the mark.
BLOB = "$blob"
# Under this name a worker that keeps a record hears what a run says of itself.
NOTE_OF_RUN = "haulage.note_of_run"


class Message(BaseModel):
    """What is asked: a worker refuses what it does not know, for it may be what makes the request safe."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What comes back: a run reads over what a newer worker tells besides, and so does the replay of an older run."""

    model_config = ConfigDict(extra="ignore")


class Usage(Answer):
    """What a call of a model has used; it comes back with every answer and with every failure.

    `cached` is the part of `tokens_in` that the provider knew from before, `reasoning` that of `tokens_out` which is
    not in the answer.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    usd: str = "0"


# --- the first thing a run does


class PinRequest(Message):
    """Which plan: the one of this hash, or else the one that the type's name stands for now."""

    type: str
    input: Json = None
    plan: str | None = None
    is_child: bool = False
    is_part: bool = False


class Pinned(Answer):
    """The plan, packed (or only its hash, when it is large), and what of the worker's set-up a run depends on.

    `input` is there when validation changed it, by filling in defaults.
    """

    sha256: str
    plan: Json = None
    input: Json = None
    heartbeat_ms: int
    lost_attempts: int
    search_attributes: bool
    # Whether the run makes lost calls again by itself where a budget counts them; the server did so for older ones.
    repeats_lost: bool = False


class Keep(Message):
    """Outputs of a run that are too large to leave it; those above so many bytes are put away."""

    outputs: list[Json]
    above: int
    keep: list[str] | None = None


class Kept(Answer):
    outputs: list[Json]


# --- what nodes do


class Call(Message):
    """What all calls carry: whose they are, and the key by which the world knows a repeated one.

    `number` counts the calls of one agent or tool in a run, from 0.
    """

    plan: str
    node: str
    key: str
    number: int = 0
    tenant: str = ""
    keep: list[str] | None = None


class Cap(Message):
    """The most that one call may use, in and out."""

    tokens: int | None = None
    usd: str | None = None


class Noted(Message):
    """A value that a run knows under a name, and what it came from: the input, an item, a kind of node."""

    name: str
    kind: str
    value: Json = None


class Known(Message):
    """What a run tells an agent with a context profile: `state` from the oldest to the newest, and what is `left_out`
    of it with its bytes; `earlier` is the transcript of the agent's last answer.
    """

    facts: dict[str, str] = {}
    state: list[Noted] = []
    left_out: dict[str, int] = {}
    earlier: str | None = None


class Assembled(Answer):
    """How a context was put together: the hash of the whole report, and how many pieces became what."""

    report: str
    tokens: int
    included: int
    compressed: int
    dropped: int


class ModelCall(Call):
    """One call of a model: the agent's prompt with these variables, or the transcript and what came since.

    `known` is there where the prompt is that of an agent with a context profile.
    """

    agent: str
    model: str
    variables: dict[str, Json] = {}
    transcript: str | None = None
    results: list[ToolResult] = []
    messages: list[Json] = []
    max_output: int
    cap: Cap | None = None
    known: Known | None = None


class ToolCalled(Answer):
    id: str
    tool: str
    arguments: dict[str, Json] = {}


class ToolResult(Message):
    id: str
    tool: str
    output: Json = None
    error: str | None = None


class ModelAnswer(Answer):
    """An output in contract, or tool calls to make first; `cached` where the model was not asked again for it.

    `rung` is the step of reading that gave the output, and `repairs` are what was put right on the way.
    """

    output: Json = None
    calls: list[ToolCalled] = []
    transcript: str | None = None
    usage: Usage = Usage()
    cached: bool = False
    rung: str | None = None
    repairs: list[str] = []
    context: Assembled | None = None


class Sign(Answer):
    """What a call tells while it goes on, with its signs of life: what it has used, and the end of what came.

    It is of one `attempt` of the call; about `soon` more tokens will come until the next sign. `heard` characters came
    in all. `lost` is what attempts before this one have used, which died with their workers; `silent` more of them died
    before they told anything.
    """

    attempt: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    soon: int = 0
    lost: Usage = Usage()
    silent: int = 0
    heard: int = 0
    text: str = ""


class Embed(Call):
    """Texts to embed; `tool` is what a script knows the call by."""

    model: str
    texts: Json
    tool: str = ""
    cap: Cap | None = None


class Vectors(Answer):
    """`{vectors: [[number]]}`, one for each text."""

    output: Json = None
    usage: Usage = Usage()


class ToolCall(Call):
    tool: str
    arguments: dict[str, Json] = {}


class Recall(Call):
    source: Literal["store", "profile", "layer"]
    name: str
    arguments: dict[str, Json] = {}


class Remember(Call):
    store: str
    arguments: dict[str, Json] = {}


class Emit(Call):
    plugin: str
    message: Json = None


class Result(Answer):
    output: Json = None


# --- several local steps in one go


class Step(Message):
    """A pure tool; `arguments` still hold expressions, over the scope and the steps before."""

    node: str
    tool: str
    arguments: dict[str, Json] = {}
    timeout_ms: int
    keep: list[str] | None = None


class Segment(Message):
    plan: str
    scope: dict[str, Json] = {}
    steps: list[Step]


class Failure(Answer):
    category: str
    message: str


class Done(Answer):
    """What the steps gave, in order; the first that failed ends the segment, and so does the time when it is up."""

    outputs: list[Json]
    failure: Failure | None = None


# --- a graph that an agent proposes


class Proposal(Message):
    """`names` are those that its nodes may read besides each other: the nodes around the one that asked for it."""

    plan: str
    node: str
    names: list[str]
    graph: Json


class Proposed(Answer):
    sha256: str
    name: str
