"""The one workflow: dynamic, so that every manifest keeps its own workflow type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from manifests.values import DEEPEST, too_deep
    from workflows import noting
    from workflows.life import Life
    from workflows.orders import Refused


@workflow.defn(dynamic=True)
class ManifestRun:
    def __init__(self) -> None:
        self._life = Life()

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        return await noting.ended(self._life, self._lived(args))

    async def _lived(self, args: Sequence[RawValue]) -> Any:
        return await self._life.run(_plain(args))

    # --- steering, each also as a signal

    @workflow.update(description="Answers a gate with one of its choices or with its form.")
    async def approve(self, order: Any = None) -> Any:
        return await self._life.ordered("approve", order)

    @approve.validator
    def _check_approve(self, order: Any = None) -> None:
        self._life.check("approve", order)

    @workflow.update(description="Answers a gate with no.")
    async def reject(self, order: Any = None) -> Any:
        return await self._life.ordered("reject", order)

    @reject.validator
    def _check_reject(self, order: Any = None) -> None:
        self._life.check("reject", order)

    @workflow.update(description="Decides what becomes of a node: skip, output, retry, goto or input.")
    async def override(self, order: Any = None) -> Any:
        return await self._life.ordered("override", order)

    @override.validator
    def _check_override(self, order: Any = None) -> None:
        self._life.check("override", order)

    @workflow.update(description="Starts no further node; what is under way goes on.")
    async def pause(self, order: Any = None) -> Any:
        return await self._life.ordered("pause", order)

    @pause.validator
    def _check_pause(self, order: Any = None) -> None:
        self._life.check("pause", order)

    @workflow.update(description="Goes on after a pause.")
    async def resume(self, order: Any = None) -> Any:
        return await self._life.ordered("resume", order)

    @resume.validator
    def _check_resume(self, order: Any = None) -> None:
        self._life.check("resume", order)

    @workflow.update(description="Sets the mode: normal, analysis_only or dry_run.")
    async def set_mode(self, order: Any = None) -> Any:
        return await self._life.ordered("set_mode", order)

    @set_mode.validator
    def _check_set_mode(self, order: Any = None) -> None:
        self._life.check("set_mode", order)

    @workflow.update(description="Allows more calls, tokens, dollars or time.")
    async def extend_budget(self, order: Any = None) -> Any:
        return await self._life.ordered("extend_budget", order)

    @extend_budget.validator
    def _check_extend_budget(self, order: Any = None) -> None:
        self._life.check("extend_budget", order)

    @workflow.update(description="Tells an agent something before its next call.")
    async def message(self, order: Any = None) -> Any:
        return await self._life.ordered("message", order)

    @message.validator
    def _check_message(self, order: Any = None) -> None:
        self._life.check("message", order)

    @workflow.signal(dynamic=True)
    def signalled(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            brought = _plain(args)
        except Refused as refused:
            brought = [refused]
        self._life.signalled(name, brought)

    # --- looking

    def details(self) -> str:
        return self._life.details()

    @workflow.query(description="Where every node stands.")
    def state(self) -> Any:
        return self._life.state()

    @workflow.query(description="What a fork or a resumed run would take over.")
    def checkpoint(self) -> Any:
        return self._life.checkpoint()

    @workflow.query(description="The nodes and their states, as Mermaid.")
    def graph(self) -> str:
        return self._life.graph()

    @workflow.query(description="Who ordered what, when and why.")
    def decisions(self) -> Any:
        return self._life.decisions()

    @workflow.query(description="What may be spent, and what is.")
    def budget(self) -> Any:
        return self._life.budget()

    @workflow.query(description="Who is asked what.")
    def gates(self) -> Any:
        return self._life.gates()


def _plain(args: Sequence[RawValue]) -> list[Any]:
    """What somebody sent, as JSON; raises `Refused`, for any other error would have the task tried again for ever."""
    converter = workflow.payload_converter()
    try:
        values = [converter.from_payload(arg.payload, Any) for arg in args]
    except Exception as error:
        raise Refused(f"a payload cannot be read as JSON: {' '.join(str(error).split())[:200]}") from None
    for value in values:
        if not isinstance(value, dict | list | str | int | float | None):
            raise Refused(f"a payload is {type(value).__name__}, not JSON")
        if too_deep(value):
            raise Refused(f"a payload is nested deeper than {DEEPEST} levels")
    return values
