"""An agent: a model in turns with its tools, one activity for each call of either, until it answers in its schema."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activities.contracts import ModelAnswer, ModelCall, Sign, ToolCalled, ToolResult, Usage
from activities.models.prices import priced, together, used
from manifests import plan as plans
from manifests.contracts import ANSWER
from manifests.plan import AgentSpec, ModelSpec
from workflows.budget import NOTHING, Spent
from workflows.failures import Failed
from workflows.kinds import tool
from workflows.knowing import answered, known
from workflows.purse import Prospect, Purse, Takes
from workflows.sizes import size_of
from workflows.together import all_of
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# The number of a call that has not been made.
UNCOUNTED = -1
# What a model cannot answer for; any other failure of a tool is told to it.
_NOT_THE_MODELS = ("budget", "cancelled", "engine")


async def perform(run: Interpreter, walk: Walk, node: plans.Agent) -> Any:
    spec = run.plan.agents[node.agent]
    variables = run.steering.inputs(walk, node) or run.value(walk, node, node.inputs)
    ladder = run.steering.models(walk, node) or spec.ladder
    # One budget for all tries of an answer; in older plans each has its own.
    purse = Purse(node.agent, spec, run.ledger) if run.plan.ir_version > 1 else None
    try:
        return await run.calls.laddered(
            node, lambda n: _Asking(run, walk, node, node.agent, variables, n, purse).climb(ladder)
        )
    except Failed as failure:
        if failure.category != "budget" or not node.cheaper:
            raise
        asking = _Asking(run, walk, node, node.agent, variables, failure.attempt + 1, purse)
        return await asking.climb(node.cheaper)


async def propose(run: Interpreter, walk: Walk, node: plans.Planning, attempt: int, variables: dict[str, Any]) -> Any:
    """One answer of the agent of a `plan` node."""
    spec = run.plan.agents[node.agent]
    return await _Asking(run, walk, node, node.agent, variables, attempt).climb(spec.ladder)


@dataclass(frozen=True)
class _Turn:
    """Where a conversation stands: the transcript so far, the tokens it has, and what is new."""

    number: int = 0
    transcript: str | None = None
    tokens: int = 0
    results: list[ToolResult] = field(default_factory=list)

    def after(self, transcript: str | None, used: Usage, results: Sequence[ToolResult] = ()) -> _Turn:
        return _Turn(self.number + 1, transcript, used.tokens_in + used.tokens_out, list(results))


class _Asking:
    """One try of an agent: its rungs, its turns, and what it has spent so far."""

    def __init__(
        self,
        run: Interpreter,
        walk: Walk,
        node: plans.Node,
        agent: str,
        variables: dict[str, Any],
        attempt: int,
        purse: Purse | None = None,
    ) -> None:
        self._run, self._walk, self._node, self._agent = run, walk, node, agent
        self._spec: AgentSpec = run.plan.agents[agent]
        self._variables = variables
        self._attempt = attempt
        self._purse = purse or Purse(agent, self._spec, run.ledger)
        self._tag = f"{walk.at(node)}~{attempt}" if attempt > 1 else walk.at(node)

    async def climb(self, ladder: list[str]) -> Any:
        """The first model that answers; the next one is asked after a failure that the route names."""
        for rung, model in enumerate(ladder):
            try:
                return await self._turns(model, f"{self._tag}^{rung}" if rung else self._tag)
            except Failed as failure:
                failure.cost = float(self._purse.own.spent.usd)
                if rung + 1 == len(ladder) or failure.category not in self._spec.next_rung_on:
                    raise
                said = f"{self._tag}: {ladder[rung + 1]} instead of {model}"
                self._run.steering.note("next model", "", said, f"{failure.category}: {failure.message}")
        raise AssertionError("a ladder has a rung")

    async def _turns(self, model: str, tag: str) -> Any:
        turn, asked_again = _Turn(), 0
        while turn.number < self._spec.max_turns + asked_again:
            try:
                answer = await self._call(model, f"{tag}.{turn.number}" if turn.number else tag, turn)
            except Failed as failure:
                # What was said, and what is wrong with it, stands in the transcript.
                transcript = failure.call.get("transcript")
                if transcript is None or asked_again >= self._spec.ask_again:
                    raise
                asked_again += 1
                turn = turn.after(transcript, Usage.model_validate(failure.usage))
                continue
            if not answer.calls:
                answered(self._run, self._walk, self._node, self._agent, answer.transcript)
                return self._run.noted(answer.output)
            results = []
            if turn.number + 1 < self._spec.max_turns + asked_again:
                results = await self._use_tools(answer.calls, f"{tag}.{turn.number}")
            turn = turn.after(answer.transcript, answer.usage, results)
        raise Failed("json_major", f"no answer after {self._spec.max_turns} turns")

    async def _call(self, model: str, id: str, turn: _Turn) -> ModelAnswer:
        """The answer of one turn. A call for which too little was set aside is made again with more."""
        request = self._request(model, id, turn)
        prospect = Prospect.of(self._characters(request), self._spec.max_output)
        prospect = replace(prospect, tokens_in=prospect.tokens_in + turn.tokens)
        takes = Takes(id, self._run.calls)
        try:
            while True:
                try:
                    return await self._asked(request, takes.id, prospect, turn)
                except Failed as failure:
                    tokens_in = await takes.again(failure)
                    was_cut = prospect.was_cut if failure.unfinished else bool(failure.call.get("is_cut"))
                    prospect = replace(prospect, tokens_in=tokens_in or prospect.tokens_in, was_cut=was_cut)
        except (Failed, asyncio.CancelledError) as error:
            if not (isinstance(error, Failed) and "transcript" in error.call):
                self._run.mail_back(self._agent, request.messages)
            raise

    def _request(self, model: str, id: str, turn: _Turn) -> ModelCall:
        calls = self._run.calls
        key = f"{calls.key(self._walk, self._node)}/{id}"
        return ModelCall(
            **calls.call(self._walk, self._node, UNCOUNTED, key),
            agent=self._agent,
            model=model,
            variables=self._variables if turn.transcript is None else {},
            transcript=turn.transcript,
            results=turn.results,
            messages=self._run.mail_for(self._agent),
            max_output=self._spec.max_output,
            known=known(self._run, self._walk, self._node, self._agent) if turn.transcript is None else None,
        )

    def _characters(self, request: ModelCall) -> int:
        """About how much is new in what is said; nothing depends on it where nothing is counted."""
        if self._run.plan.ir_version < 2:
            return 0
        new = size_of([request.variables, request.results, request.messages, request.known])
        if request.transcript is not None:
            return new
        tools = [self._run.plan.tools[name] for name in self._spec.tools]
        offered = sum(size_of([each.description, each.input]) for each in tools)
        schema = 0 if self._spec.output == ANSWER else size_of(self._spec.output)
        return len(self._spec.prompt) + schema + offered + new

    async def _asked(self, request: ModelCall, id: str, prospect: Prospect, turn: _Turn) -> ModelAnswer:
        run, node, spec = self._run, self._node, self._run.plan.models[request.model]
        if run.plan.ir_version < 2:
            aside = await self._purse.opened_as_seen(spec)
        else:
            aside, request.cap = await self._purse.opened(spec, prospect)
        if request.number == UNCOUNTED:
            request.number = run.calls.number(self._agent)
        spent, unheard = Spent(calls=1), NOTHING
        try:
            answer = await run.calls.activity(
                node, "models.call", request, ModelAnswer, id=id,
                queue=node.queue or f"haulage.models.{spec.pool}", summary=self._summary(request.model, turn.number),
                wait_ms=spec.wait_ms, once=run.calls.repeats_lost and request.cap is not None,
            )  # fmt: skip
            spent = _spent(answer.usage)
        except Failed as failure:
            spent = replace(_spent(_usage(failure, spec, prospect)), calls=int(failure.was_made))
            unheard = aside.beyond(spent) if failure.lost and run.calls.repeats_lost else NOTHING
            raise
        finally:
            self._purse.settle(aside, spent, unheard)
        return answer

    def _summary(self, model: str, turn: int) -> str:
        more = f", turn {turn + 1}" if turn else ""
        more += f", try {self._attempt}" if self._attempt > 1 else ""
        return f"{self._walk.at(self._node)}: {self._agent} on {model}{more}"

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
            tools = ", ".join(self._spec.tools) or "none"
            return ToolResult(id=wanted.id, tool=wanted.tool, error=f"there is no tool {wanted.tool!r}; tools: {tools}")
        try:
            output = await tool.called(self._run, self._walk, self._node, wanted.tool, wanted.arguments, tag)
        except Failed as failure:
            if failure.category in _NOT_THE_MODELS:
                raise
            return ToolResult(id=wanted.id, tool=wanted.tool, error=f"{failure.category}: {failure.message}")
        return ToolResult(id=wanted.id, tool=wanted.tool, output=output)


def _usage(failure: Failed, model: ModelSpec, prospect: Prospect) -> Usage:
    """What a failed call has used; of one that nobody could end any more, what it told last."""
    if "sign" not in failure.call:
        return Usage.model_validate(failure.usage)
    sign = Sign.model_validate(failure.call["sign"])
    silent = Usage(tokens_in=sign.silent * prospect.tokens_in)
    return priced(model, together(used(sign), silent))


def _spent(usage: Usage) -> Spent:
    return Spent(1, usage.tokens_in + usage.tokens_out, Decimal(usage.usd))
