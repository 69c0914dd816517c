"""Model calls: one request to one model, answered in contract."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from temporalio import activity

from activities.answers.reading import Unreadable, fitted, read
from activities.blobs import Keeper, encoded
from activities.contracts import ModelAnswer, ModelCall, ToolCalled, Usage
from activities.failing import Failing
from activities.models.scripted import least
from activities.plans import Plans
from activities.script import Script
from manifests.contracts import ANSWER
from manifests.plan import AgentSpec, ModelSpec


class ModelActivities:
    def __init__(self, plans: Plans, keeper: Keeper, script: Script | None) -> None:
        self._plans = plans
        self._keeper = keeper
        self._script = script
        self._jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)

    @activity.defn(name="models.call")
    async def call(self, request: ModelCall) -> ModelAnswer:
        return await asyncio.to_thread(self._called, request)

    def _called(self, request: ModelCall) -> ModelAnswer:
        plan = self._plans.by_hash(request.plan)
        agent, model = plan.agents[request.agent], plan.models[request.model]
        messages = self._messages(request, agent)
        answer = self._answer(request, agent, model)
        usage = Usage(tokens_in=_tokens(messages), tokens_out=_tokens(answer))
        messages.append({"role": "assistant", "content": answer})
        transcript = self._keeper.blobs.put(encoded(messages))
        if "calls" in answer:
            calls = [
                ToolCalled(id=f"call-{place}", tool=each["tool"], arguments=each.get("with") or {})
                for place, each in enumerate(answer["calls"])
            ]
            return ModelAnswer(calls=calls, transcript=transcript, usage=usage)
        output = _fitting(agent, answer, usage)
        return ModelAnswer(output=self._keeper.taken_in(output, request.keep), transcript=transcript, usage=usage)

    def _messages(self, request: ModelCall, agent: AgentSpec) -> list[dict[str, Any]]:
        """The conversation so far, and what is new in it."""
        if request.transcript is not None:
            messages: list[dict[str, Any]] = json.loads(self._keeper.blobs.get(request.transcript))
        else:
            messages = [{"role": "user", "content": self._prompt(agent, request.variables)}]
        messages += [{"role": "tool", **self._keeper.brought_back(each.model_dump())} for each in request.results]
        messages += [{"role": "user", **letter} for letter in request.messages]
        return messages

    def _prompt(self, agent: AgentSpec, variables: dict[str, Any]) -> str:
        try:
            return self._jinja.from_string(agent.prompt).render(self._keeper.brought_back(variables))
        except TemplateError as error:
            raise Failing("input", f"the prompt cannot be rendered: {error}") from None

    def _answer(self, request: ModelCall, agent: AgentSpec, model: ModelSpec) -> dict[str, Any]:
        if self._script is not None:
            return self._script.model(request, request.agent)
        if model.provider == "scripted":
            return {"json": least(agent.output)}
        raise Failing("engine", f"the provider {model.provider!r} of {request.model!r} is not on this worker yet")


def _fitting(agent: AgentSpec, answer: dict[str, Any], usage: Usage) -> Any:
    """The answer as its schema has it, plain text if it has none; raises `Failing` with what was used all the same."""
    if "json" not in answer and agent.output == ANSWER:
        return {"text": answer["text"]}
    try:
        found = fitted(answer["json"], agent.output) if "json" in answer else read(answer["text"], agent.output)
    except Unreadable as error:
        raise Failing(error.category, error.message, usage=usage) from None
    return found.value


def _tokens(value: Any) -> int:
    """About four characters to a token; providers count for themselves."""
    return len(json.dumps(value)) // 4 + 1
