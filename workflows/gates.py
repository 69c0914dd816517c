"""Gates: what was asked of people, who answered what, and which answers came too early, too late or twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from manifests.plan import Human
from manifests.values import misfit
from workflows.orders import Answer, Approve, Refused, Reject, iteration_misfit


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
        return answer_misfit(self.node, self.choices, self.form, order)


@dataclass
class Gates:
    """All gates of a run, by the path of the node and its iteration."""

    nodes: dict[str, list[Human]]
    open: dict[tuple[str, str], Gate] = field(default_factory=dict)
    early: dict[tuple[str, str], Answer] = field(default_factory=dict)
    closed: dict[tuple[str, str], str] = field(default_factory=dict)
    # Of each node the iteration that an answer closed which named neither the iteration nor what was shown.
    guessed: dict[str, str] = field(default_factory=dict)

    def opened(self, gate: Gate) -> Answer | None:
        """Opens a gate, also one that was closed before; the answer that came before it did."""
        self.open[gate.place] = gate
        self.closed.pop(gate.place, None)
        return self.early.get(gate.place)

    def close(self, gate: Gate, how: str) -> None:
        del self.open[gate.place]
        answer = self.early.pop(gate.place, None)
        if answer is not None and gate.iteration and not answer.iteration and answer.shown is None:
            self.guessed[gate.path] = gate.iteration
        self.closed[gate.place] = how

    def node(self, order: Answer) -> Human:
        """Which gate an answer is for; raises `Refused` unless there is exactly one."""
        nodes = self.nodes.get(order.node)
        if not nodes:
            known = ", ".join(sorted({node.id for each in self.nodes.values() for node in each})) or "this run has none"
            raise Refused(f"no gate {order.node!r}; gates: {known}")
        if len(nodes) > 1:
            paths = ", ".join(node.path for node in nodes)
            raise Refused(f"several gates are called {order.node!r}: say which one: {paths}")
        return nodes[0]

    def place(self, order: Answer) -> tuple[str, str]:
        """The gate and its iteration; without one it is the iteration that waits, when only one does."""
        path = self.node(order).path
        if order.iteration:
            return path, order.iteration
        waiting = [gate for gate in self.open.values() if gate.path == path]
        if len(waiting) > 1:
            raise Refused(f"{order.node!r} waits in several iterations: {', '.join(g.iteration for g in waiting)}")
        now = waiting[0].iteration if waiting else ""
        if now and order.shown is None and self.guessed.get(path, now) != now:
            # It may be the same answer once more, and was meant for an iteration before.
            raise Refused(f"{order.node!r} was answered in another iteration: say that it is for {now}")
        return waiting[0].place if waiting else (path, "")

    def check(self, order: Answer) -> None:
        """Raises `Refused` for an answer that is too late, given twice, or to something else."""
        place = self.place(order)
        gate = self.open.get(place)
        if gate is None and place in self.closed:
            raise Refused(f"{order.node!r} is closed already: {self.closed[place]}")
        if gate is None:
            self._check_early(place, order)
        elif gate.answer is not None:
            raise Refused(f"{order.node!r} is answered already")
        elif wrong := gate.misfit(order):
            raise Refused(wrong)

    def _check_early(self, place: tuple[str, str], order: Answer) -> None:
        node = self.node(order)
        wrong = iteration_misfit(node, place[1]) or answer_misfit(order.node, node.choices, node.form, order)
        if wrong:
            raise Refused(wrong)
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
        closed = [[*place, how] for place, how in self.closed.items()]
        return {"early": early, "closed": closed, "guessed": self.guessed}

    def load(self, data: dict[str, Any]) -> None:
        models: dict[str, type[Answer]] = {"Approve": Approve, "Reject": Reject}
        for path, iteration, kind, order in data["early"]:
            self.early[path, iteration] = models[kind].model_validate(order)
        self.closed.update({(path, iteration): how for path, iteration, how in data["closed"]})
        self.guessed.update(data.get("guessed", {}))


def answer_misfit(node: str, choices: list[str] | None, form: dict[str, Any] | None, order: Answer) -> str:
    """Why an answer is none to a question with these choices or this form."""
    if isinstance(order, Reject):
        fits = form is not None or "reject" in (choices or ())
        return "" if fits else f"{node!r} takes one of: {', '.join(choices or ())}"
    assert isinstance(order, Approve)
    if form is None:
        fits = order.form is None and (order.choice or "approve") in (choices or ())
        return "" if fits else f"{node!r} takes one of: {', '.join(choices or ())}"
    if order.form is None:
        return f"{node!r} wants a form"
    wrong = misfit(form, order.form)
    return f"the form does not fit: {wrong}" if wrong else ""


def answer_of(order: Answer) -> dict[str, Any]:
    said = {"by": order.actor, "reason": order.reason}
    if isinstance(order, Reject):
        return {"choice": "reject", **said}
    assert isinstance(order, Approve)
    return {"form": order.form, **said} if order.form is not None else {"choice": order.choice or "approve", **said}
