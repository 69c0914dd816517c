"""Gates: what was asked of people, who answered what, and which answers came too early, too late or twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from manifests.values import misfit
from workflows.orders import Answer, Approve, Refused, Reject


@dataclass
class Gate:
    """One question to people; `shown` is the hash of all that they were asked and shown."""

    node: str
    path: str
    iteration: str
    ask: str
    show: Any
    choices: list[str] | None
    form: dict[str, Any] | None
    to: str | None
    opened_at: str
    until: str
    shown: str = ""
    answer: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        seen = {"ask": self.ask, "show": self.show, "choices": self.choices, "form": self.form}
        text = json.dumps(seen, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self.shown = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def place(self) -> tuple[str, str]:
        return self.path, self.iteration

    def misfit(self, order: Answer) -> str:
        """Why an answer is none to this gate; empty when it is one."""
        if order.shown is not None and order.shown != self.shown:
            return f"the answer is to {order.shown}, and what {self.node!r} shows now is {self.shown}"
        if isinstance(order, Reject):
            return "" if self.form or "reject" in (self.choices or ()) else self._choices()
        assert isinstance(order, Approve)
        if self.form is None:
            return "" if (order.choice or "approve") in (self.choices or ()) else self._choices()
        if order.form is None:
            return f"{self.node!r} wants a form"
        wrong = misfit(self.form, order.form)
        return f"the form does not fit: {wrong}" if wrong else ""

    def _choices(self) -> str:
        return f"{self.node!r} takes one of: {', '.join(self.choices or ())}"


@dataclass
class Gates:
    """All gates of a run, by the path of the node and its iteration."""

    paths: dict[str, list[str]]
    open: dict[tuple[str, str], Gate] = field(default_factory=dict)
    early: dict[tuple[str, str], Answer] = field(default_factory=dict)
    closed: dict[tuple[str, str], str] = field(default_factory=dict)

    def opened(self, gate: Gate) -> Answer | None:
        """Opens a gate; the answer that came before it did, if it fits what is shown."""
        self.open[gate.place] = gate
        # The body of a loop that is tried again asks again.
        self.closed.pop(gate.place, None)
        order = self.early.get(gate.place)
        if order is None or not gate.misfit(order):
            return order
        del self.early[gate.place]
        return None

    def close(self, gate: Gate, how: str) -> None:
        del self.open[gate.place]
        self.early.pop(gate.place, None)
        self.closed[gate.place] = how

    def place(self, order: Answer) -> tuple[str, str]:
        """Which gate an answer is for; raises `Refused` unless there is exactly one."""
        paths = self.paths.get(order.node)
        if not paths:
            known = ", ".join(sorted(self.paths)) or "this run has none"
            raise Refused(f"no gate {order.node!r}; gates: {known}")
        if len(paths) > 1:
            raise Refused(f"several gates are called {order.node!r}: say which one: {', '.join(paths)}")
        path = paths[0]
        if order.iteration:
            return path, order.iteration
        waiting = [gate for gate in self.open.values() if gate.path == path]
        if len(waiting) > 1:
            raise Refused(f"{order.node!r} waits in several iterations: {', '.join(g.iteration for g in waiting)}")
        return waiting[0].place if waiting else (path, "")

    def check(self, order: Answer) -> None:
        """Raises `Refused` for an answer that is too late, given twice, or to something else."""
        place = self.place(order)
        if place in self.closed:
            raise Refused(f"{order.node!r} is closed already: {self.closed[place]}")
        gate = self.open.get(place)
        if gate is None:
            self._check_early(place, order)
        elif gate.answer is not None:
            raise Refused(f"{order.node!r} is answered already")
        elif wrong := gate.misfit(order):
            raise Refused(wrong)

    def _check_early(self, place: tuple[str, str], order: Answer) -> None:
        if "/" in place[0] and not place[1]:
            raise Refused(f"{order.node!r} is not open; to answer in advance, say which iteration")
        if place in self.early:
            raise Refused(f"{order.node!r} is answered in advance already")

    def take(self, order: Answer) -> str:
        """Puts an answer where it belongs, and says where that is."""
        self.check(order)
        place = self.place(order)
        gate = self.open.get(place)
        # Kept until the gate has closed: the run may be handed on before its node looks at the answer.
        self.early[place] = order
        if gate is None:
            return "kept until the gate opens"
        gate.answer = answer_of(order)
        return "answered"

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(gate) for gate in self.open.values()]

    # --- across continue-as-new

    def dump(self) -> dict[str, Any]:
        # An answer may come at the very moment at which the run is handed on, before its gate has seen it.
        orders = self.early
        early = [[*place, type(order).__name__, order.model_dump()] for place, order in orders.items()]
        return {"early": early, "closed": [[*place, how] for place, how in self.closed.items()]}

    def load(self, data: dict[str, Any]) -> None:
        models: dict[str, type[Answer]] = {"Approve": Approve, "Reject": Reject}
        for path, iteration, kind, order in data["early"]:
            self.early[path, iteration] = models[kind].model_validate(order)
        self.closed.update({(path, iteration): how for path, iteration, how in data["closed"]})


def answer_of(order: Answer) -> dict[str, Any]:
    said = {"by": order.actor, "reason": order.reason}
    if isinstance(order, Reject):
        return {"choice": "reject", **said}
    assert isinstance(order, Approve)
    return {"form": order.form, **said} if order.form is not None else {"choice": order.choice or "approve", **said}
