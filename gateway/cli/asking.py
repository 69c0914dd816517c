"""Gates that this command answers: with what the command line says, or with what a person types."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import FailureError

from gateway.cli.live import Screen
from gateway.cli.runs import Handle
from gateway.cli.terminal import visible
from gateway.cli.wanted import loose, me


class Answers:
    """`given` are answers by the gate's name or path, for one iteration behind a `#`."""

    def __init__(self, handle: Handle, given: dict[str, Any], screen: Screen, *, ask: bool) -> None:
        self._handle, self._given, self._screen = handle, given, screen
        self._keyboard = Keyboard() if ask else None
        self._tried: set[tuple[str, str, str]] = set()
        self._asking: tuple[str, str, str] | None = None
        self._typed: list[str] = []

    @property
    def asks(self) -> bool:
        """Whether a person is being asked, and the screen had better hold still."""
        return self._asking is not None

    async def see(self, gates: list[dict[str, Any]]) -> None:
        """Answers what can be answered of the gates that are open now."""
        open_ = {(gate["path"], gate["iteration"], gate["shown"]): gate for gate in gates if not gate["answer"]}
        for place, gate in open_.items():
            answer = self._answer(gate)
            if answer is not None and place not in self._tried:
                self._tried.add(place)
                await self._send(gate, answer, "")
                return
        if self._keyboard is not None:
            await self._converse(open_, self._keyboard)

    def close(self) -> None:
        if self._keyboard is not None:
            self._keyboard.close()

    def _answer(self, gate: dict[str, Any]) -> Any:
        names = [gate["path"], gate["node"]]
        if gate["iteration"]:
            names = [f"{name}#{gate['iteration']}" for name in names] + names
        return next((self._given[name] for name in names if name in self._given), None)

    async def _converse(self, open_: dict[tuple[str, str, str], dict[str, Any]], keyboard: Keyboard) -> None:
        if self._asking is not None and self._asking not in open_:
            self._asking = None
            self._screen.say("\nanswered elsewhere")
        if self._asking is None and open_:
            keyboard.listen()
            self._asking, gate = next(iter(open_.items()))
            self._typed = []
            self._screen.say(_question(gate))
            self._prompt(gate)
        while self._asking is not None and (line := keyboard.line()) is not None:
            await self._typed_in(open_[self._asking], line)

    def _prompt(self, gate: dict[str, Any]) -> None:
        fields = list((gate["form"] or {}).get("properties", {}))
        asked = fields[len(self._typed)] if gate["form"] else "/".join(gate["choices"] or ())
        print(f"  {visible(asked)}> ", end="", file=sys.stderr, flush=True)

    async def _typed_in(self, gate: dict[str, Any], line: str) -> None:
        fields = list((gate["form"] or {}).get("properties", {}))
        if not gate["form"]:
            choice, _, reason = line.partition(" ")
            if choice:
                await self._send(gate, choice, reason)
                return
        else:
            self._typed.append(line)
            if len(self._typed) == len(fields):
                pairs = zip(fields, self._typed, strict=True)
                await self._send(gate, {name: loose(text) for name, text in pairs if text}, "")
                return
        self._prompt(gate)

    async def _send(self, gate: dict[str, Any], answer: Any, reason: str) -> None:
        order = {name: gate[name] for name in ("iteration", "shown")} | {"node": gate["path"], "actor": me()}
        order |= {"reason": reason}
        name = "reject" if answer == "reject" else "approve"
        if name == "approve":
            order |= {"choice": answer} if isinstance(answer, str) else {"form": answer}
        try:
            await self._handle.execute_update(name, order)
            self._asking = None
        except WorkflowUpdateFailedError as error:
            said = error.cause.message if isinstance(error.cause, FailureError) else str(error.cause)
            self._screen.say(f"  {visible(said)}")
            self._typed = []
            if self._asking is not None:
                self._prompt(gate)


def _question(gate: dict[str, Any]) -> str:
    lines = ["", visible(f"{gate['path']} asks {gate['to'] or 'you'}: {gate['ask']}")]
    if gate["show"] is not None:
        shown = (
            gate["show"] if isinstance(gate["show"], str) else json.dumps(gate["show"], indent=2, ensure_ascii=False)
        )
        lines += [f"    {visible(line)}" for line in shown.splitlines()]
    return "\n".join(lines)


class Keyboard:
    """Lines that a person types, without waiting for them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._rest = b""
        self._listens = False

    def listen(self) -> None:
        if not self._listens:
            self._listens = True
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def line(self) -> str | None:
        return self._lines.pop(0).strip() if self._lines else None

    def close(self) -> None:
        if self._listens:
            self._listens = False
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    def _read(self) -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            self.close()
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += [line.decode(errors="replace") for line in lines]
