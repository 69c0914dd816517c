"""Answers to gates: early, late, twice, to something else, with several iterations open; never to the wrong gate."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from manifests.plan import Human
from workflows.gates import Gate, Gates, answer_of
from workflows.orders import Answer, Approve, Refused, Reject

PATHS = {"sign": ["sign"], "each/ok": ["each/ok"], "ok": ["each/ok", "again/ok"], "again/ok": ["again/ok"]}
PLACES = [("sign", ""), *[(path, key) for path in ("each/ok", "again/ok") for key in ("0", "1", "2")]]
SHOWS = st.sampled_from(["draft", "final"])
FORM = {"type": "object", "required": ["agreed"], "properties": {"agreed": {"type": "boolean"}}}


def nodes() -> dict[str, list[Human]]:
    said: dict[str, Any] = {"placement": "wait", "ask": "?", "within_ms": 1, "on_timeout": "expire"}
    choices = ["approve", "reject"]
    made = {
        path: Human(id=path.rsplit("/", 1)[-1], path=path, choices=choices, **said)
        for paths in PATHS.values()
        for path in paths
    }
    return {name: [made[path] for path in paths] for name, paths in PATHS.items()}


def gate_at(place: tuple[str, str], show: Any = "draft", **more: Any) -> Gate:
    path, iteration = place
    facts: dict[str, Any] = {"ask": "Go on?", "choices": ["approve", "reject"], "form": None, "to": None, **more}
    node = path.rsplit("/", 1)[-1]
    return Gate(node, path, iteration, show=show, opened_at="", until="", **facts)


class Desk(RuleBasedStateMachine):
    """Gates beside a list of who was told what: each answer names its reason, which is found at one gate at most."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = Gates(nodes())
        self.open: dict[tuple[str, str], Gate] = {}
        self.early: dict[tuple[str, str], Answer] = {}
        self.closed: set[tuple[str, str]] = set()
        self.vague: set[tuple[str, str]] = set()
        self.guessed: dict[str, str] = {}
        self.number = 0

    @rule(place=st.sampled_from(PLACES), show=SHOWS)
    def opens(self, place: tuple[str, str], show: str) -> None:
        if place in self.open:
            return
        gate = gate_at(place, show)
        early = self.gates.opened(gate)
        assert early == self.early.pop(place, None)
        if early is not None and gate.misfit(early):
            # As its node does.
            assert early.shown not in (None, gate.shown)
            del self.gates.early[place]
            early = None
        gate.answer = answer_of(early) if early else None
        self.open[place] = gate
        self.closed.discard(place)

    @rule(place=st.sampled_from(PLACES))
    def closes(self, place: tuple[str, str]) -> None:
        if place in self.open:
            self.gates.close(self.open.pop(place), "approve")
            self.closed.add(place)
            if place in self.vague:
                self.vague.remove(place)
                self.guessed[place[0]] = place[1]

    @rule(
        name=st.sampled_from([*PATHS, "sgin"]), iteration=st.sampled_from(["", "0", "1", "2"]),
        shown=st.none() | SHOWS, yes=st.booleans(),
    )  # fmt: skip
    def answers(self, name: str, iteration: str, shown: str | None, yes: bool) -> None:
        self.number += 1
        hash = None if shown is None else gate_at(("sign", ""), shown).shown
        model = Approve if yes else Reject
        order = model(node=name, iteration=iteration, shown=hash, reason=str(self.number))
        before = {place: gate.answer for place, gate in self.open.items()}
        place, how = self._expected(order)
        try:
            said = self.gates.take(order)
        except Refused:
            assert how == "refused"
            assert {place: gate.answer for place, gate in self.open.items()} == before
            return
        assert said == how
        changed = [place for place, gate in self.open.items() if gate.answer != before[place]]
        assert changed == ([place] if how == "answered" else [])
        if how != "answered":
            self.early[place] = order
        elif place[1] and not iteration and hash is None:
            self.vague.add(place)

    def _expected(self, order: Answer) -> tuple[tuple[str, str], str]:
        """By the rules: exactly one gate is meant, it has no answer yet, and it shows what was answered."""
        nowhere = (("", ""), "refused")
        paths = PATHS.get(order.node, [])
        if len(paths) != 1:
            return nowhere
        waiting = [place for place in self.open if place[0] == paths[0]]
        if not order.iteration and len(waiting) > 1:
            return nowhere
        now = waiting[0][1] if waiting and not order.iteration and order.shown is None else ""
        if now and self.guessed.get(paths[0], now) != now:
            # It may be meant for the one that was answered before.
            return nowhere
        place = waiting[0] if waiting and not order.iteration else (paths[0], order.iteration)
        if place in self.open:
            gate = self.open[place]
            fits = order.shown in (None, gate.shown) and gate.answer is None
            return (place, "answered") if fits else nowhere
        if place in self.closed or place in self.early or ("/" in place[0]) != bool(place[1]):
            return nowhere
        return place, "kept until the gate opens"

    @rule()
    def hand_on(self) -> None:
        """Open gates are opened again by the run that goes on."""
        saved = json.loads(json.dumps(self.gates.dump()))
        self.gates = Gates(nodes())
        self.gates.load(saved)
        for gate in self.open.values():
            early = self.gates.opened(gate)
            assert (answer_of(early) if early else None) == gate.answer


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=80, stateful_step_count=30)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (Approve(node="sgin"), "no gate 'sgin'; gates: "),
        (Approve(node="ok"), "say which one: each/ok, again/ok"),
        (Approve(node="each/ok"), "waits in several iterations: 0, 1"),
        (Approve(node="each/ok", iteration="0", shown="beef"), "the answer is to beef, and what 'ok' shows now is"),
        (Approve(node="each/ok", iteration="0", choice="maybe"), "'ok' takes one of: approve, reject"),
        (Approve(node="again/ok"), "to say it in advance, say for which iteration"),
        (Approve(node="sign"), "'sign' wants a form"),
        (Approve(node="sign", form={"agreed": "yes"}), "the form does not fit: "),
    ],
)
def test_an_answer_that_fits_no_gate_is_refused_with_what_would_be_right(order: Answer, says: str) -> None:
    gates = Gates(nodes())
    gates.opened(gate_at(("each/ok", "0")))
    gates.opened(gate_at(("each/ok", "1")))
    gates.opened(gate_at(("sign", ""), form=FORM, choices=None))
    with pytest.raises(Refused) as refused:
        gates.take(order)
    assert says in refused.value.message


def test_a_gate_that_opens_again_takes_an_answer_again() -> None:
    """As in the body of a loop that is tried again."""
    gates = Gates({"ok": nodes()["again/ok"]})
    gate = gate_at(("again/ok", "0"))
    gates.opened(gate)
    gates.take(Approve(node="ok"))
    gates.close(gate, "approve")
    with pytest.raises(Refused, match="closed already"):
        gates.check(Approve(node="ok", iteration="0"))
    second = gate_at(("again/ok", "0"))
    gates.opened(second)
    assert gates.take(Approve(node="ok", reason="still")) == "answered"
    assert second.answer == {"choice": "approve", "by": "", "reason": "still"}


def test_an_answer_to_no_iteration_in_particular_goes_to_none_once_another_was_answered() -> None:
    gates = Gates({"ok": nodes()["again/ok"]})
    for iteration in ("0", "1"):
        gate = gate_at(("again/ok", iteration), show=iteration)
        gates.opened(gate)
        if iteration == "0":
            gates.take(Approve(node="ok"))
            gates.close(gate, "approve")
    with pytest.raises(Refused, match="'ok' was answered in another iteration: say that it is for 1"):
        gates.take(Approve(node="ok"))
    assert gate.answer is None
    assert gates.take(Approve(node="ok", shown=gate.shown)) == "answered"


def test_what_is_shown_and_asked_is_in_the_hash_and_who_is_asked_is_not() -> None:
    one = gate_at(("sign", ""), to="ann")
    assert one.shown == gate_at(("sign", ""), to="bob").shown
    assert one.shown != gate_at(("sign", ""), "another").shown
    assert one.shown != gate_at(("sign", ""), ask="Sure?").shown
