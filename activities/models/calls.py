"""Model calls: one request to one model, answered in contract."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from temporalio import activity

from activities.blobs import Keeper, encoded
from activities.contracts import ModelAnswer, ModelCall, Sign, ToolCalled, ToolResult, Usage
from activities.failing import Failing
from activities.models.clipping import clipped, prompt_tokens
from activities.models.endpoints import Endpoints
from activities.models.fitting import OutOfContract, fitting
from activities.models.hearing import about
from activities.models.prices import priced, together
from activities.models.protocol import Ask, Heard, Message, Tool
from activities.models.scripted import least
from activities.models.telling import Telling, last_sign
from activities.models.transcripts import Transcripts
from activities.plans import Plans
from activities.script import Script
from activities.store.cache import Cache, key_of
from activities.store.notes import tell
from manifests.contracts import ANSWER
from manifests.failures import JSON
from manifests.plan import AgentSpec, ModelSpec, Plan, ToolSpec

# Prompts that are kept compiled.
PROMPTS = 256


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
        jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        # To compile a prompt takes longer than to fill it in, and an agent has the same one in every run.
        self._template = lru_cache(PROMPTS)(jinja.from_string)

    @activity.defn(name="models.call")
    async def call(self, request: ModelCall) -> ModelAnswer:
        plan, before, new = await asyncio.to_thread(self._asked, request)
        agent, model = plan.agents[request.agent], plan.models[request.model]
        tell(model=model.model, provider=model.provider, pool=model.pool)
        earlier = last_sign()
        ask = _ask(request, plan, agent, [*before, *new])
        cache = None if agent.cache_ms is None or self._is_scripted(model) else self._cache
        key = key_of(ask, model, request.tenant) if cache else ""
        try:
            known = await cache.get(key) if cache else None
            if known is None:
                ask = replace(ask, max_output=clipped(ask, model, request.cap, earlier.most_lost))
            heard = known or await self._heard(request, ask, agent, model, earlier)
            answer = await asyncio.to_thread(self._answered, request, agent, new, heard)
        except Failing as failing:
            facts = await asyncio.to_thread(self._facts, failing, request, agent, ask, new)
            usage = self._settled(model, together(earlier.lost, failing.usage or Usage()))
            raise failing.with_usage(usage, **facts) from None
        if cache and agent.cache_ms is not None and known is None:
            await cache.put(key, heard, agent.cache_ms)
        usage = self._settled(model, together(earlier.lost, heard.usage))
        return answer.model_copy(update={"usage": usage, "cached": known is not None})

    def _is_scripted(self, model: ModelSpec) -> bool:
        return self._script is not None or model.provider == "scripted"

    def _settled(self, model: ModelSpec, usage: Usage) -> Usage:
        """What a script answers costs nothing."""
        return usage if self._is_scripted(model) else priced(model, usage)

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
            return self._template(agent.prompt).render(self._keeper.brought_back(variables))
        except TemplateError as error:
            raise Failing("input", f"the prompt cannot be rendered: {error}") from None

    async def _heard(self, request: ModelCall, ask: Ask, agent: AgentSpec, model: ModelSpec, earlier: Sign) -> Heard:
        """The answer of a provider, or a `Failing`; the model stops when this is cancelled."""
        if self._is_scripted(model):
            return await asyncio.to_thread(self._scripted, request, ask, agent)
        provider = await asyncio.to_thread(self._endpoints.provider, request.model, model)
        heard = await provider.answer(ask, Telling(ask, earlier).on_text)
        tell(finish=heard.finish)
        return heard

    def _scripted(self, request: ModelCall, ask: Ask, agent: AgentSpec) -> Heard:
        """What the script says, or the least that fits the schema."""
        if self._script is not None:
            answer = self._script.model(request, request.agent)
        else:
            answer = {"json": least(agent.output)}
        calls = tuple(
            ToolCalled(id=f"call-{place}", tool=each["tool"], arguments=each.get("with") or {})
            for place, each in enumerate(answer.get("calls", ()))
        )
        said = sum(len(each.text) for each in ask.messages)
        usage = Usage(tokens_in=about(said), tokens_out=about(len(json.dumps(answer))))
        json_ = (answer["json"],) if "json" in answer else ()
        text = "" if calls else _text(answer["json"] if json_ else answer["text"])
        return Heard(text, calls, usage, ask.model, "stop", json_)

    def _answered(self, request: ModelCall, agent: AgentSpec, new: list[Message], heard: Heard) -> ModelAnswer:
        said = [*new, Message("assistant", heard.text, calls=heard.calls)]
        if heard.calls:
            return ModelAnswer(calls=list(heard.calls), transcript=self._transcripts.put(request.transcript, said))
        found = fitting(agent, heard)
        return ModelAnswer(
            output=self._keeper.taken_in(found.value, request.keep),
            transcript=self._transcripts.put(request.transcript, said),
            rung=found.rung,
            repairs=list(found.steps),
        )

    def _facts(
        self, failing: Failing, request: ModelCall, agent: AgentSpec, ask: Ask, new: list[Message]
    ) -> dict[str, Any]:
        """What the run needs to know to ask again: the conversation, with what is wrong, or how much room it takes."""
        if failing.facts.get("is_cut") and ask.max_output < agent.max_output:
            return {"tokens_in": prompt_tokens(ask), "is_cut": True}
        if not (agent.ask_again and failing.type in JSON):
            return {}
        said, again = [], f"Your last answer cannot be used: {failing.message}. Answer again."
        if isinstance(failing, OutOfContract):
            said, again = [Message("assistant", failing.said)], failing.again
        return {"transcript": self._transcripts.put(request.transcript, [*new, *said, Message("user", again)])}


def _ask(request: ModelCall, plan: Plan, agent: AgentSpec, messages: list[Message]) -> Ask:
    model = plan.models[request.model]
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
