"""The conversation of an agent with its model: how it begins, goes on, and what of it the run is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activities.blobs import Keeper, check, encoded
from activities.context.pieces import Memory
from activities.context.prompt import Contexts, Opening
from activities.contracts import ModelAnswer, ModelCall, ToolCalled, ToolResult
from activities.failing import Failing
from activities.models.clipping import prompt_tokens
from activities.models.fitting import OutOfContract, fitting
from activities.models.protocol import Ask, Heard, Message
from activities.models.transcripts import Transcripts
from manifests.contracts import ANSWER
from manifests.failures import JSON
from manifests.plan import AgentSpec, Plan

# Prompts that are kept compiled.
PROMPTS = 256
# Bytes of all calls of one turn, which come back to the run in one piece: Temporal takes twice as many.
LARGEST_CALLS = 1024 * 1024


@dataclass(frozen=True)
class Turn:
    """What was said before, what is new, and how that was put together for an agent that begins with a context."""

    before: list[Message]
    new: list[Message]
    opening: Opening | None = None


class Conversations:
    def __init__(self, keeper: Keeper, memory: Memory | None) -> None:
        self._keeper = keeper
        self._transcripts = Transcripts(keeper.blobs)
        self._contexts = Contexts(keeper, self._transcripts, memory)
        jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        # To compile a prompt takes longer than to fill it in, and an agent has the same one in every run.
        self._template = lru_cache(PROMPTS)(jinja.from_string)

    def turn(self, request: ModelCall, plan: Plan) -> Turn:
        """An agent without a context profile begins with its prompt; raises `Failing`."""
        before, opening = self._transcripts.up_to(request.transcript), None
        new = [] if before else [Message("user", self._prompt(plan.agents[request.agent], request.variables))]
        if new and request.known is not None:
            opening = self._contexts.opening(request, plan, new[0].text)
            new = list(opening.messages)
        new += [self._result(each) for each in request.results]
        new += [Message("user", as_text(letter["text"]), by=letter["from"]) for letter in request.messages]
        try:
            "".join(each.text for each in new).encode()
        except UnicodeEncodeError:
            raise Failing("input", "what the agent is told holds half a character, which is no Unicode") from None
        return Turn(before, new, opening)

    def _result(self, result: ToolResult) -> Message:
        text = as_text(self._keeper.brought_back(result.output)) if result.error is None else result.error
        return Message("tool", text, id=result.id, tool=result.tool, failed=result.error is not None)

    def _prompt(self, agent: AgentSpec, variables: dict[str, Any]) -> str:
        try:
            return self._template(agent.prompt).render(self._keeper.brought_back(variables))
        except TemplateError as error:
            raise Failing("input", f"the prompt cannot be rendered: {error}") from None

    def answered(self, request: ModelCall, agent: AgentSpec, turn: Turn, heard: Heard) -> ModelAnswer:
        """Calls of tools, or an output in contract; raises `Failing` with what was used all the same."""
        try:
            return self._answered(request, agent, turn, heard)
        except Failing as failing:
            failing.usage = heard.usage
            raise

    def _answered(self, request: ModelCall, agent: AgentSpec, turn: Turn, heard: Heard) -> ModelAnswer:
        said = [Message("assistant", heard.text, calls=heard.calls)]
        assembled = turn.opening.assembled if turn.opening else None
        if heard.calls:
            _check(heard.calls)
            transcript = self._kept(request, turn, said)
            return ModelAnswer(calls=list(heard.calls), transcript=transcript, context=assembled)
        found = fitting(agent, heard)
        return ModelAnswer(
            output=self._keeper.taken_in(found.value, request.keep),
            transcript=self._kept(request, turn, said),
            context=assembled,
            rung=None if agent.output == ANSWER else found.rung,
            repairs=list(found.steps),
        )

    def facts(self, failing: Failing, request: ModelCall, agent: AgentSpec, turn: Turn, ask: Ask) -> dict[str, Any]:
        """What the run is told of a failed call: how its context was put together, and what it needs to ask again.

        That is the conversation with what is wrong in it, or how much room it takes.
        """
        facts = {"context": turn.opening.assembled.model_dump()} if turn.opening else {}
        if failing.facts.get("is_cut") and ask.max_output < agent.max_output:
            return {**facts, "tokens_in": prompt_tokens(ask)}
        if not (agent.ask_again and failing.type in JSON):
            return facts
        said, again = [], f"Your last answer cannot be used: {failing.message}. Answer again."
        if isinstance(failing, OutOfContract):
            # Providers refuse a message that says nothing.
            said = [Message("assistant", failing.said)] if failing.said.strip() else []
            again = failing.again
        return {**facts, "transcript": self._kept(request, turn, [*said, Message("user", again)])}

    def _kept(self, request: ModelCall, turn: Turn, said: list[Message]) -> str:
        context = turn.opening.context if turn.opening else None
        return self._transcripts.put(request.transcript, [*turn.new, *said], context)


def _check(calls: Sequence[ToolCalled]) -> None:
    """Raises `Failing` for calls that may not enter a run, or are too large to."""
    for each in calls:
        check(f"what {each.tool!r} is called with", each.arguments)
    size = len(encoded([each.model_dump() for each in calls]))
    if size > LARGEST_CALLS:
        said = f"the tool calls of one turn have {size:,} bytes, and at most {LARGEST_CALLS:,} are taken together"
        raise Failing("json_major", said)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else encoded(value).decode("utf-8", "replace")
