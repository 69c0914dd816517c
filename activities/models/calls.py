"""Model calls: one request to one model, answered in contract."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from temporalio import activity

from activities.blobs import Keeper
from activities.contracts import ModelAnswer, ModelCall, Sign, ToolCalled, Usage
from activities.failing import Failing
from activities.memory import Scripted
from activities.models.clipping import clipped
from activities.models.conversing import Conversations, Turn, as_text
from activities.models.endpoints import Endpoints
from activities.models.hearing import about
from activities.models.metrics import Measured, read_by
from activities.models.prices import priced, together
from activities.models.protocol import Ask, Heard, Message, Tool
from activities.models.scripted import least
from activities.models.telling import Telling, check_first, lost_before
from activities.plans import Plans
from activities.script import Script
from activities.store.cache import Cache, key_of
from activities.store.notes import tell
from activities.watching import broken_off
from manifests.contracts import ANSWER
from manifests.plan import AgentSpec, ModelSpec, Plan, ToolSpec


class ModelActivities:
    def __init__(
        self,
        plans: Plans,
        keeper: Keeper,
        script: Script | None,
        endpoints: Endpoints,
        cache: Cache | None = None,
        told_s: float = 0.5,
    ) -> None:
        self._plans = plans
        self._script = script
        self._endpoints = endpoints
        self._cache = cache
        self._told_s = told_s
        self._conversations = Conversations(keeper, None if script is None else Scripted(script))

    @activity.defn(name="models.call")
    async def call(self, request: ModelCall) -> ModelAnswer:
        agent, model, turn, ask = await asyncio.to_thread(self._understood, request)
        is_scripted = self._is_scripted(model)
        earlier = Sign() if is_scripted else lost_before(ask)
        cache = None if agent.cache_ms is None or is_scripted else self._cache
        if not is_scripted:
            check_first(request.cap, self._settled(model, earlier.lost))
        try:
            key = self._key(ask, request, model) if cache else ""
            known = await cache.get(key) if cache else None
            if known is None:
                ask = replace(ask, max_output=clipped(ask, model, request.cap))
            heard = known or await self._heard(request, ask, agent, model, earlier)
            answer = await asyncio.to_thread(self._conversations.answered, request, agent, turn, heard)
        except Failing as failing:
            facts = await asyncio.to_thread(self._conversations.facts, failing, request, agent, turn, ask)
            failing.told(self._settled(model, together(earlier.lost, failing.usage or Usage())), facts)
            raise
        if cache and agent.cache_ms is not None and known is None:
            await cache.put(key, heard, agent.cache_ms)
        if answer.rung:
            read_by(model, answer.rung)
        usage = self._settled(model, together(earlier.lost, heard.usage))
        return answer.model_copy(update={"usage": usage, "cached": known is not None})

    def _understood(self, request: ModelCall) -> tuple[AgentSpec, ModelSpec, Turn, Ask]:
        """Whose call of which model it is, where the conversation stands, and what is asked."""
        plan = self._plans.by_hash(request.plan)
        agent, model = plan.agents[request.agent], plan.models[request.model]
        tell(model=model.model, provider=model.provider, pool=model.pool)
        turn = self._conversations.turn(request, plan)
        return agent, model, turn, _ask(request, plan, agent, [*turn.before, *turn.new])

    def _key(self, ask: Ask, request: ModelCall, model: ModelSpec) -> str:
        return key_of(ask, model.provider, self._endpoints.address(request.model, model), request.tenant)

    def _is_scripted(self, model: ModelSpec) -> bool:
        return self._script is not None or model.provider == "scripted"

    def _settled(self, model: ModelSpec, usage: Usage) -> Usage:
        """What a script answers costs nothing."""
        return usage if self._is_scripted(model) else priced(model, usage)

    async def _heard(self, request: ModelCall, ask: Ask, agent: AgentSpec, model: ModelSpec, earlier: Sign) -> Heard:
        """The answer of a provider, or a `Failing`; the model stops when this is cancelled."""
        if self._is_scripted(model):
            return await asyncio.to_thread(self._scripted, request, ask, agent)
        provider = await self._endpoints.reached(request.model, model)
        measured = Measured(model, provider.breaker)
        broken_off(priced(model, earlier.lost))
        async with self._endpoints.place(model):
            telling = Telling(ask, earlier, self._told_s)
            try:
                heard = await provider.answer(ask, measured.listening(telling.on_text))
            except Failing as failing:
                measured.ended(failing.type or "engine", failing.usage)
                raise
            except asyncio.CancelledError:
                broken_off(priced(model, telling.used()))
                raise
        broken_off(priced(model, together(earlier.lost, heard.usage)))
        measured.ended("ok", heard.usage)
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
        value = (answer["json"],) if "json" in answer else ()
        text = "" if calls else as_text(answer["json"] if value else answer["text"])
        return Heard(text, calls, usage, ask.model, "stop", value)


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
