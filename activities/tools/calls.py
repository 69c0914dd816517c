"""Tool calls: judged against their contract on the way in and on the way out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from temporalio import activity

from activities.blobs import Keeper, encoded
from activities.contracts import Call, Done, Failure, Result, Segment, Step, ToolCall
from activities.failing import Failing
from activities.plans import Plans
from activities.script import Script
from activities.tools.pure import PURE
from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.plan import ToolSpec
from manifests.values import completed, in_form, misfit, out_of_range

# A workflow task has ten seconds: a segment hands back what it has well before.
SEGMENT_SECONDS = 2.0
# And what several segments give must fit into one message to the server.
SEGMENT_BYTES = 256 * 1024


class ToolActivities:
    def __init__(self, plans: Plans, keeper: Keeper, script: Script | None) -> None:
        self._plans = plans
        self._keeper = keeper
        self._script = script
        self._evaluator = Evaluator()

    @activity.defn(name="tools.call")
    async def call(self, request: ToolCall) -> Result:
        spec = self._plans.by_hash(request.plan).tools[request.tool]
        if spec.uses in PURE and self._script is None:
            output = self._called(request, spec, request.tool, request.arguments)
        else:
            output = await asyncio.to_thread(self._called, request, spec, request.tool, request.arguments)
        return Result(output=self._keeper.taken_in(output, request.keep))

    @activity.defn(name="tools.segment")
    async def segment(self, request: Segment) -> Done:
        """Step by step in this process: there is nothing in it that waits."""
        specs = self._plans.by_hash(request.plan).tools
        scope, outputs, ends = dict(request.scope), list[Any](), time.monotonic() + SEGMENT_SECONDS
        size = 0
        for step in request.steps:
            if outputs and (time.monotonic() > ends or size > SEGMENT_BYTES):
                break
            try:
                output = self._step(request.plan, step, specs[step.tool], scope)
            except Failing as failure:
                return Done(
                    outputs=outputs, failure=Failure(category=failure.type or "engine", message=failure.message)
                )
            scope[step.node] = output
            outputs.append(self._keeper.taken_in(output, step.keep))
            size += len(encoded(outputs[-1]))
        return Done(outputs=outputs)

    def _step(self, plan: str, step: Step, spec: ToolSpec, scope: dict[str, Any]) -> Any:
        try:
            arguments = self._evaluator.render(step.arguments, scope)
        except ExpressionFailed as error:
            raise Failing("input", str(error)) from None
        return self._called(Call(plan=plan, node=step.node, key=""), spec, step.tool, arguments)

    def _called(self, call: Call, spec: ToolSpec, name: str, arguments: dict[str, Any]) -> Any:
        given = _judged(spec, name, call.key, self._keeper.brought_back(arguments))
        if self._script is not None and (spec.uses not in PURE or self._script.scripts_tool(name)):
            output = self._script.tool(call, name)
        elif spec.uses in PURE:
            output = PURE[spec.uses](**{**spec.settings, **given})
        else:
            raise Failing("engine", f"the tool {name!r} uses {spec.uses!r}, which this worker does not have yet")
        return _fitting(spec, name, output)


def _judged(spec: ToolSpec, name: str, key: str, arguments: Any) -> dict[str, Any]:
    """What the tool gets: its arguments with their defaults, and the key by which it knows a repeated call."""
    given: dict[str, Any] = completed(spec.input, arguments)
    if spec.idempotency_key is not None:
        given = {**given, spec.idempotency_key: key}
    wrong = misfit(spec.input, given)
    if wrong:
        raise Failing("input", f"the arguments of {name!r} do not fit: {wrong}")
    return given


def _fitting(spec: ToolSpec, name: str, output: Any) -> Any:
    output = completed(spec.output, output)
    wrong = misfit(spec.output, output) or out_of_range(output)
    if wrong:
        raise Failing("json_major", f"what {name!r} gave does not fit its output: {wrong}")
    return in_form(spec.output, output)
