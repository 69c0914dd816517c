"""An agent: a model in turns with its tools, one activity for each call of either, until it answers in its schema."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activities.contracts import ModelAnswer, ModelCall, ToolCalled, ToolResult, Usage
from manifests import plan as plans
from manifests.plan import AgentSpec, Budget
from workflows.budget import Ledger, Spent
from workflows.failures import Failed
from workflows.kinds import tool
from workflows.together import all_of
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# What a model cannot answer for; any other failure of a tool is told to it.
_NOT_THE_MODELS = ("budget", "cancelled", "engine")


async def perform(run: Interpreter, walk: Walk, node: plans.Agent) -> Any:
    spec = run.plan.agents[node.agent]
    variables = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)
    ladder = run.steering.models(walk, node) or spec.ladder
    try:
        return await run.calls.laddered(
            node, lambda n: _Asking(run, walk, node, node.agent, variables, n).climb(ladder)
        )
    except Failed as failure:
        if failure.category != "budget" or not node.cheaper:
            raise
        asking = _Asking(run, walk, node, node.agent, variables, failure.attempt + 1)
        return await asking.climb(node.cheaper)


async def propose(run: Interpreter, walk: Walk, node: plans.Planning, attempt: int, variables: dict[str, Any]) -> Any:
    """One answer of the agent of a `plan` node."""
    spec = run.plan.agents[node.agent]
    return await _Asking(run, walk, node, node.agent, variables, attempt).climb(spec.ladder)


class _Asking:
    """One try of an agent: its rungs, its turns, and what it has spent so far."""

    def __init__(
        self, run: Interpreter, walk: Walk, node: plans.Node, agent: str, variables: dict[str, Any], attempt: int
    ) -> None:
        self._run, self._walk, self._node, self._agent = run, walk, node, agent
        self._spec: AgentSpec = run.plan.agents[agent]
        self._variables = variables
        self._attempt = attempt
        self._own = Ledger(self._spec.budget or Budget())
        self._tag = f"{walk.at(node)}~{attempt}" if attempt > 1 else walk.at(node)

    async def climb(self, ladder: list[str]) -> Any:
        """The first model that answers; the next one is asked after a failure that the route names."""
        for rung, model in enumerate(ladder):
            try:
                return await self._turns(model, f"{self._tag}^{rung}" if rung else self._tag)
            except Failed as failure:
                failure.cost = float(self._own.spent.usd)
                if rung + 1 == len(ladder) or failure.category not in self._spec.next_rung_on:
                    raise
        raise AssertionError("a ladder has a rung")

    async def _turns(self, model: str, tag: str) -> Any:
        answer, results = ModelAnswer(), list[ToolResult]()
        for turn in range(self._spec.max_turns):
            answer = await self._call(model, f"{tag}.{turn}" if turn else tag, answer.transcript, results, turn)
            if not answer.calls:
                return self._run.noted(answer.output)
            if turn + 1 < self._spec.max_turns:
                results = await self._use_tools(answer.calls, f"{tag}.{turn}")
        raise Failed("json_major", f"no answer after {self._spec.max_turns} turns")

    async def _call(
        self, model: str, id: str, transcript: str | None, results: list[ToolResult], turn: int
    ) -> ModelAnswer:
        run, node = self._run, self._node
        spec = run.plan.models[model]
        reserved = await self._reserve(model)
        used = Spent(calls=1)
        calls = run.calls
        key = f"{calls.key(self._walk, node)}/{id}"
        request = ModelCall(
            **calls.call(self._walk, node, calls.number(self._agent), key),
            agent=self._agent,
            model=model,
            variables=self._variables if transcript is None else {},
            transcript=transcript,
            results=results,
            messages=run.mail_for(self._agent),
            max_output=self._spec.max_output,
        )
        try:
            answer = await calls.activity(
                node, "models.call", request, ModelAnswer, id=id,
                queue=node.queue or f"haulage.models.{spec.pool}", summary=self._summary(model, turn),
            )  # fmt: skip
            used = _spent(answer.usage)
        except Failed as failure:
            used = _spent(Usage.model_validate(failure.usage))
            raise
        finally:
            run.ledger.settle(reserved, used)
            self._own.settle(reserved, used)
            run.ledger.saw(self._agent, used)
        return answer

    def _summary(self, model: str, turn: int) -> str:
        more = f", turn {turn + 1}" if turn else ""
        more += f", try {self._attempt}" if self._attempt > 1 else ""
        return f"{self._walk.at(self._node)}: {self._agent} on {model}{more}"

    async def _reserve(self, model: str) -> Spent:
        """What calls of this agent have been seen to use, and at least something where something is paid for."""
        run, spec = self._run, self._run.plan.models[model]
        seen = run.ledger.seen(self._agent)
        priced = Decimal(spec.input_price) or Decimal(spec.output_price)
        usd = max(seen.usd, Decimal("0.000001")) if priced else Decimal(0)
        wanted = Spent(1, max(seen.tokens, 1), usd)
        own = self._own.reserve(wanted)
        try:
            return await run.ledger.reserved_for(wanted)
        except Failed:
            self._own.settle(own, Spent())
            raise

    async def _use_tools(self, wanted: list[ToolCalled], tag: str) -> list[ToolResult]:
        """The calls of one turn, side by side; those beyond the limit are refused."""
        most = self._spec.calls_per_turn
        uses = [asyncio.create_task(self._use_tool(each, f"{tag}/{place}")) for place, each in enumerate(wanted[:most])]
        refused = [
            ToolResult(id=each.id, tool=each.tool, error=f"at most {most} calls in a turn") for each in wanted[most:]
        ]
        return [*await all_of(uses), *refused]

    async def _use_tool(self, wanted: ToolCalled, tag: str) -> ToolResult:
        if wanted.tool not in self._spec.tools:
            known = ", ".join(self._spec.tools) or "none"
            return ToolResult(id=wanted.id, tool=wanted.tool, error=f"there is no tool {wanted.tool!r}; tools: {known}")
        try:
            output = await tool.called(self._run, self._walk, self._node, wanted.tool, wanted.arguments, tag)
        except Failed as failure:
            if failure.category in _NOT_THE_MODELS:
                raise
            return ToolResult(id=wanted.id, tool=wanted.tool, error=f"{failure.category}: {failure.message}")
        return ToolResult(id=wanted.id, tool=wanted.tool, output=output)


def _spent(usage: Usage) -> Spent:
    return Spent(1, usage.tokens_in + usage.tokens_out, Decimal(usage.usd))
