"""Model calls: one request to one model, answered in contract."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from temporalio import activity

from activities.answers.reading import Unreadable, fitted, read
from activities.blobs import Keeper, encoded
from activities.contracts import ModelAnswer, ModelCall, ToolCalled, ToolResult, Usage
from activities.failing import Failing
from activities.models.endpoints import Endpoints
from activities.models.hearing import about
from activities.models.prices import priced
from activities.models.protocol import Ask, Heard, Message, Tool
from activities.models.scripted import least
from activities.models.transcripts import Transcripts
from activities.plans import Plans
from activities.script import Script
from activities.store.cache import Cache, key_of
from activities.store.notes import tell
from manifests.contracts import ANSWER
from manifests.plan import AgentSpec, ModelSpec, Plan, ToolSpec

# Seconds from one word about an answer that comes in to the next.
TOLD_EVERY = 1.0


class ModelActivities:
    def __init__(
        self, plans: Plans, keeper: Keeper, script: Script | None, endpoints: Endpoints, cache: Cache | None = None
    ) -> None:
        self._plans = plans
        self._keeper = keeper
        self._script = script
        self._endpoints = endpoints
        self._cache = cache
        self._transcripts = Transcripts(keeper.blobs)
        self._jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)

    @activity.defn(name="models.call")
    async def call(self, request: ModelCall) -> ModelAnswer:
        plan, before, new = await asyncio.to_thread(self._asked, request)
        messages, agent, model = [*before, *new], plan.agents[request.agent], plan.models[request.model]
        tell(model=model.model, provider=model.provider, pool=model.pool)
        if self._script is not None or model.provider == "scripted":
            heard, said = await asyncio.to_thread(self._scripted, request, plan, messages)
            return await asyncio.to_thread(self._answered, request, agent, new, heard, said)
        ask = _ask(request, plan, messages)
        cache = self._cache if agent.cache_ms is not None else None
        key = key_of(ask, model, request.tenant) if cache else ""
        if cache and (known := await cache.get(key)):
            answer = await asyncio.to_thread(self._answered, request, agent, new, known, {"text": known.text})
            return answer.model_copy(update={"cached": True})
        heard = await self._heard(request, model, ask)
        answer = await asyncio.to_thread(self._answered, request, agent, new, heard, {"text": heard.text})
        if cache and agent.cache_ms is not None:
            await cache.put(key, heard, agent.cache_ms)
        return answer

    def _asked(self, request: ModelCall) -> tuple[Plan, list[Message], list[Message]]:
        """The plan, the conversation so far, and what is new in it."""
        plan = self._plans.by_hash(request.plan)
        before = self._transcripts.up_to(request.transcript)
        new = [] if before else [Message("user", self._prompt(plan.agents[request.agent], request.variables))]
        new += [self._result(each) for each in request.results]
        new += [Message("user", _text(letter["text"]), by=letter["from"]) for letter in request.messages]
        try:
            "".join(each.text for each in new).encode()
        except UnicodeEncodeError:
            raise Failing("input", "what the agent is told holds half a character, which is no Unicode") from None
        return plan, before, new

    def _result(self, result: ToolResult) -> Message:
        text = _text(self._keeper.brought_back(result.output)) if result.error is None else result.error
        return Message("tool", text, id=result.id, tool=result.tool, failed=result.error is not None)

    def _prompt(self, agent: AgentSpec, variables: dict[str, Any]) -> str:
        try:
            return self._jinja.from_string(agent.prompt).render(self._keeper.brought_back(variables))
        except TemplateError as error:
            raise Failing("input", f"the prompt cannot be rendered: {error}") from None

    async def _heard(self, request: ModelCall, model: ModelSpec, ask: Ask) -> Heard:
        """The answer of a provider, or a `Failing`, with what it costs; the model stops when this is cancelled."""
        provider = await asyncio.to_thread(self._endpoints.provider, request.model, model)
        try:
            heard = await provider.answer(ask, _progress())
        except Failing as failing:
            usage = failing.usage and priced(model, failing.usage)
            after = failing.retry_after_ms
            raise Failing(failing.type or "engine", failing.message, retry_after_ms=after, usage=usage) from None
        tell(finish=heard.finish)
        return Heard(heard.text, heard.calls, priced(model, heard.usage), heard.model, heard.finish)

    def _scripted(self, request: ModelCall, plan: Plan, messages: list[Message]) -> tuple[Heard, dict[str, Any]]:
        """What the script says, or the least that fits the schema; it costs nothing."""
        if self._script is not None:
            answer = self._script.model(request, request.agent)
        else:
            answer = {"json": least(plan.agents[request.agent].output)}
        calls = tuple(
            ToolCalled(id=f"call-{place}", tool=each["tool"], arguments=each.get("with") or {})
            for place, each in enumerate(answer.get("calls", ()))
        )
        said = sum(len(each.text) for each in messages)
        usage = Usage(tokens_in=about(said), tokens_out=about(len(json.dumps(answer))))
        text = "" if calls else _text(answer["json"] if "json" in answer else answer["text"])
        return Heard(text, calls, usage, plan.models[request.model].model, "stop"), answer

    def _answered(
        self, request: ModelCall, agent: AgentSpec, new: list[Message], heard: Heard, answer: dict[str, Any]
    ) -> ModelAnswer:
        said = [*new, Message("assistant", heard.text, calls=heard.calls)]
        transcript = self._transcripts.put(request.transcript, said)
        if heard.calls:
            return ModelAnswer(calls=list(heard.calls), transcript=transcript, usage=heard.usage)
        output = _fitting(agent, answer, heard)
        return ModelAnswer(output=self._keeper.taken_in(output, request.keep), transcript=transcript, usage=heard.usage)


def _ask(request: ModelCall, plan: Plan, messages: list[Message]) -> Ask:
    agent, model = plan.agents[request.agent], plan.models[request.model]
    return Ask(
        model=model.model,
        messages=tuple(messages),
        max_output=request.max_output,
        context=model.context,
        tools=tuple(_offered(name, plan.tools[name]) for name in agent.tools),
        schema=None if agent.output == ANSWER else agent.output,
        temperature=agent.temperature,
    )


def _offered(name: str, tool: ToolSpec) -> Tool:
    """A tool as a model sees it: the key of a call is not the model's to choose."""
    schema, key = dict(tool.input), tool.idempotency_key
    if key is not None:
        schema["properties"] = {each: below for each, below in schema.get("properties", {}).items() if each != key}
        schema["required"] = [each for each in schema.get("required", ()) if each != key]
    return Tool(name, tool.description or "", schema)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encoded(value).decode("utf-8", "replace")


def _progress() -> Callable[[str], None]:
    """Tells with a sign of life how many characters have come."""
    heard, told = 0, time.monotonic()

    def on_text(piece: str) -> None:
        nonlocal heard, told
        heard += len(piece)
        if time.monotonic() - told >= TOLD_EVERY:
            told = time.monotonic()
            activity.heartbeat(heard)

    return on_text


def _fitting(agent: AgentSpec, answer: dict[str, Any], heard: Heard) -> Any:
    """The answer as its schema has it, plain text if it has none; raises `Failing` with what was used all the same.

    Half an answer is none, however well it reads.
    """
    is_cut = heard.finish == "length"
    if "json" not in answer and agent.output == ANSWER:
        if is_cut:
            raise _cut(agent, heard)
        return {"text": answer["text"]}
    try:
        found = fitted(answer["json"], agent.output) if "json" in answer else read(answer["text"], agent.output)
    except Unreadable as error:
        raise _cut(agent, heard) if is_cut else Failing(error.category, error.message, usage=heard.usage) from None
    if is_cut and found.rung != "strict":
        raise _cut(agent, heard)
    return found.value


def _cut(agent: AgentSpec, heard: Heard) -> Failing:
    said = f"{heard.model} was cut off at {heard.usage.tokens_out:,} tokens: a max_output above {agent.max_output:,}"
    return Failing("context", f"{said} gives it more room", usage=heard.usage)
