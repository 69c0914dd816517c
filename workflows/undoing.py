"""Takes back what was done, in reverse order, when a run fails or is cancelled."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from activities.contracts import Result, ToolCall
from manifests import plan as plans
from manifests.failures import RETRYABLE
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

# What was done stays done when this gives up, so it does not give up at the first hiccup.
TRIES = 5
FIRST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class Deed:
    """Something that can be taken back: by which tool of which plan, and with what was given and what came of it."""

    node: str
    at: str
    tool: str
    arguments: dict[str, Any]
    key: str
    plan: str
    time_ms: int


class Undoing:
    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self.deeds: list[Deed] = []
        self.undone: list[str] = []

    def remember(self, walk: Walk, node: plans.Node, output: Any) -> None:
        if node.undo is None:
            return
        given = self._run.values.render(node.inputs, walk.scope_of(node.id))
        arguments = {**given, **(output if isinstance(output, dict) else {})}
        self.push(walk, node, node.undo, arguments, self._run.calls.key(walk, node))

    def push(self, walk: Walk, node: plans.Node, tool: str, arguments: dict[str, Any], key: str) -> None:
        """Keeps of the arguments what the tool takes."""
        run, spec = self._run, self._run.plan.tools[tool]
        properties = spec.input.get("properties")
        if isinstance(properties, dict) and properties:
            arguments = {name: value for name, value in arguments.items() if name in properties}
        self.deeds.append(Deed(node.path, walk.at(node), tool, arguments, key, run.sha256, spec.time_ms))

    def inherit(self, walk: Walk, node: plans.Node, deeds: list[dict[str, Any]]) -> None:
        """What a child run did that has ended well: from now on it is for its parent to take it back."""
        for each in deeds:
            deed = Deed(**each)
            self.deeds.append(replace(deed, node=node.path, at=f"{walk.at(node)}/{deed.at}"))

    async def all(self) -> list[str]:
        """Takes everything back, last things first; says what could not be."""
        left: list[str] = []
        while self.deeds:
            deed = self.deeds.pop()
            try:
                await self._one(deed)
                self.undone.append(deed.node)
                self._run.steering.note("undone", deed.at, deed.tool)
            except Failed as failure:
                self._run.steering.note("not undone", deed.at, f"{deed.tool}: {failure.message}")
                left.append(f"{deed.at} could not be undone by {deed.tool}: {failure.message}")
        return left

    async def _one(self, deed: Deed) -> None:
        number = 1
        while True:
            try:
                await self._called(deed, number)
            except Failed as failure:
                if number == TRIES or failure.category not in RETRYABLE:
                    raise
                await workflow.sleep(FIRST_WAIT * 2 ** (number - 1), summary=f"{deed.node}: undo again")
                number += 1
            else:
                return

    async def _called(self, deed: Deed, number: int) -> None:
        run = self._run
        node = plans.Tool(
            id=deed.node, path=deed.node, placement="queue", tool=deed.tool, timeout_ms=deed.time_ms
        )  # fmt: skip
        request = ToolCall(
            plan=deed.plan, node=deed.at, key=f"{deed.key}!undo", number=run.calls.number(deed.tool),
            tenant=run.options.tenant, tool=deed.tool, arguments=deed.arguments,
        )  # fmt: skip
        tag = f"{deed.at}!undo" if number == 1 else f"{deed.at}!undo~{number}"
        await run.calls.activity(
            node, "tools.call", request, Result, id=tag, queue="haulage.tools",
            summary=f"{deed.at}: undone by {deed.tool}",
        )  # fmt: skip

    # --- across continue-as-new

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(deed) for deed in self.deeds]

    def load(self, data: list[dict[str, Any]]) -> None:
        self.deeds = [Deed(**each) for each in data]
