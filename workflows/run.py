"""The one workflow: dynamic, so that every manifest keeps its own workflow type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from workflows.life import Life


@workflow.defn(dynamic=True)
class ManifestRun:
    def __init__(self) -> None:
        self._life = Life()

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        return await self._life.run(_plain(args))

    # --- steering, each also as a signal

    @workflow.update
    async def approve(self, order: Any = None) -> Any:
        return await self._life.ordered("approve", order)

    @approve.validator
    def _check_approve(self, order: Any = None) -> None:
        self._life.check("approve", order)

    @workflow.update
    async def reject(self, order: Any = None) -> Any:
        return await self._life.ordered("reject", order)

    @reject.validator
    def _check_reject(self, order: Any = None) -> None:
        self._life.check("reject", order)

    @workflow.update
    async def override(self, order: Any = None) -> Any:
        return await self._life.ordered("override", order)

    @override.validator
    def _check_override(self, order: Any = None) -> None:
        self._life.check("override", order)

    @workflow.update
    async def pause(self, order: Any = None) -> Any:
        return await self._life.ordered("pause", order)

    @pause.validator
    def _check_pause(self, order: Any = None) -> None:
        self._life.check("pause", order)

    @workflow.update
    async def resume(self, order: Any = None) -> Any:
        return await self._life.ordered("resume", order)

    @resume.validator
    def _check_resume(self, order: Any = None) -> None:
        self._life.check("resume", order)

    @workflow.update
    async def set_mode(self, order: Any = None) -> Any:
        return await self._life.ordered("set_mode", order)

    @set_mode.validator
    def _check_set_mode(self, order: Any = None) -> None:
        self._life.check("set_mode", order)

    @workflow.update
    async def extend_budget(self, order: Any = None) -> Any:
        return await self._life.ordered("extend_budget", order)

    @extend_budget.validator
    def _check_extend_budget(self, order: Any = None) -> None:
        self._life.check("extend_budget", order)

    @workflow.update
    async def message(self, order: Any = None) -> Any:
        return await self._life.ordered("message", order)

    @message.validator
    def _check_message(self, order: Any = None) -> None:
        self._life.check("message", order)

    @workflow.signal(dynamic=True)
    def signalled(self, name: str, args: Sequence[RawValue]) -> None:
        self._life.signalled(name, _plain(args))

    # --- looking

    @workflow.query
    def state(self) -> Any:
        return self._life.state()

    @workflow.query
    def checkpoint(self) -> Any:
        return self._life.checkpoint()

    @workflow.query
    def graph(self) -> str:
        return self._life.graph()

    @workflow.query
    def decisions(self) -> Any:
        return self._life.decisions()

    @workflow.query
    def budget(self) -> Any:
        return self._life.budget()

    @workflow.query
    def gates(self) -> Any:
        return self._life.gates()


def _plain(args: Sequence[RawValue]) -> list[Any]:
    converter = workflow.payload_converter()
    return [converter.from_payload(arg.payload, Any) for arg in args]
