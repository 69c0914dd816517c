"""What a run may spend: never more is set aside than there is, and what is settled adds up to the last digit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import TypeAdapter

from manifests.plan import Budget
from workflows.budget import PENNY, Ledger, Spent
from workflows.calls import pause_after
from workflows.clock import Clock
from workflows.failures import Failed
from workflows.options import Allowance
from workflows.purse import Prospect, Purse

ZERO = Decimal(0)
COUNTS = st.integers(0, 20)
DOLLARS = st.decimals(0, 3, places=7)
CAPS = st.builds(
    Budget,
    calls=st.none() | COUNTS,
    tokens=st.none() | COUNTS,
    usd=st.none() | DOLLARS.map(lambda amount: format(amount, "f")),
)
AMOUNTS = st.builds(Spent, COUNTS, COUNTS, DOLLARS)


async def at_once(coroutine: Coroutine[Any, Any, Spent]) -> Spent | None:
    """What it gives without waiting for anything."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    return None


class Accounts(RuleBasedStateMachine):
    """A ledger beside a plain list of what was set aside and a plain sum of what was spent."""

    @initialize(budget=CAPS)
    def opened(self, budget: Budget) -> None:
        self.ledger = Ledger(budget)
        self.aside: list[Spent] = []
        self.spent = self.unheard = Spent()

    @rule(wanted=AMOUNTS)
    def reserve(self, wanted: Spent) -> None:
        before = self.ledger.as_json()
        try:
            self.aside.append(self.ledger.reserve(wanted))
        except Failed:
            assert self.ledger.as_json() == before
            assert not self._fits(wanted)

    @rule(least=AMOUNTS, more=AMOUNTS, seen=AMOUNTS)
    def set_aside(self, least: Spent, more: Spent, seen: Spent) -> None:
        least, most = replace(least, calls=1), replace(least + more, calls=1)
        try:
            self.ledger.saw("agent", seen)
            given = asyncio.run(at_once(self.ledger.set_aside("agent", lambda: least, most)))
        except Failed:
            assert not self._fits(least)
            return
        if given is not None:
            assert least.tokens <= given.tokens <= most.tokens
            assert least.usd <= given.usd <= most.usd
            self.aside.append(given)

    @rule(shares=st.integers(1, 7))
    def lease(self, shares: int) -> None:
        try:
            lease, budget = self.ledger.lease(shares)
        except Failed:
            return
        self.aside.append(lease)
        given = TypeAdapter(Allowance).validate_python(json.loads(budget.model_dump_json(exclude_none=True)))
        caps = (self.ledger.calls, self.ledger.tokens, self.ledger.usd)
        assert [part is None for part in (given.calls, given.tokens, given.usd)] == [cap is None for cap in caps]
        assert Spent(given.calls or 0, given.tokens or 0, Decimal(given.usd or 0)) == lease

    @precondition(lambda self: self.aside)
    @rule(place=st.integers(0, 100), part=st.integers(0, 4), was_lost=st.booleans())
    def settle(self, place: int, part: int, was_lost: bool) -> None:
        reserved = self.aside.pop(place % len(self.aside))
        dollars = (reserved.usd * part / 4).quantize(PENNY, ROUND_DOWN)
        used = Spent(reserved.calls * part // 4, reserved.tokens * part // 4, dollars)
        unheard = reserved.beyond(used) if was_lost else Spent()
        self.ledger.settle(reserved, used, unheard)
        self.spent += used
        self.unheard += unheard

    @rule(more=AMOUNTS)
    def extend(self, more: Spent) -> None:
        self.ledger.extend(more)

    @precondition(lambda self: not self.aside)
    @rule()
    def hand_on(self) -> None:
        saved = json.loads(json.dumps(self.ledger.as_json()))
        self.ledger = Ledger(Budget())
        self.ledger.load(saved)

    @invariant()
    def adds_up(self) -> None:
        assert self.ledger.spent == self.spent
        assert self.ledger.unheard == self.unheard
        assert self.ledger.reserved == sum(self.aside, Spent())

    @invariant()
    def keeps_within_its_caps(self) -> None:
        ledger, all_of_it = self.ledger, self.ledger.spent + self.ledger.unheard + self.ledger.reserved
        assert ledger.calls is None or all_of_it.calls <= ledger.calls
        assert ledger.tokens is None or all_of_it.tokens <= ledger.tokens
        assert ledger.usd is None or all_of_it.usd <= ledger.usd

    def _fits(self, wanted: Spent) -> bool:
        ledger, after = self.ledger, self.ledger.spent + self.ledger.unheard + self.ledger.reserved + wanted
        caps = ((ledger.calls, after.calls), (ledger.tokens, after.tokens), (ledger.usd, after.usd))
        return all(cap is None or amount <= cap for cap, amount in caps)


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=25)


def test_what_was_spent_beyond_the_budget_leaves_nothing_and_stops_only_what_costs() -> None:
    ledger = Ledger(Budget(tokens=10, usd="0.01"))
    ledger.settle(ledger.reserve(Spent(1, 5, Decimal("0.01"))), Spent(1, 50, Decimal("0.02")))
    assert ledger.left() == Budget(tokens=0, usd="0")
    assert ledger.reserve(Spent(calls=1)) == Spent(calls=1)
    with pytest.raises(Failed, match="50 of 10 tokens are spent"):
        ledger.reserve(Spent(1, 1))
    with pytest.raises(Failed, match="nothing is left"):
        ledger.lease(1)


def test_what_lost_calls_may_have_used_is_said_with_what_is_spent() -> None:
    ledger = Ledger(Budget(tokens=10, usd="0.01"))
    aside = ledger.reserve(Spent(1, 9, Decimal("0.001")))
    ledger.settle(aside, Spent(1, 2), aside.beyond(Spent(1, 2)))
    assert ledger.bill() == Spent(1, 2).as_json() | {"unheard": Spent(0, 7, Decimal("0.001")).as_json()}
    with pytest.raises(Failed, match="2 of 10 tokens are spent, and lost calls may have used 7 more"):
        ledger.reserve(Spent(1, 2))
    with pytest.raises(Failed, match=r"\$0 of \$0.01 are spent, and lost calls may have used \$0.001 more"):
        ledger.reserve(Spent(1, 0, Decimal("0.01")))


async def test_a_call_that_is_made_again_after_it_was_cut_and_handed_back_gets_what_there_is() -> None:
    ledger = Ledger(Budget(tokens=10_000))
    agent: Any = SimpleNamespace(budget=None)
    model: Any = SimpleNamespace(input_price="0", output_price="0", per=1)
    purse = Purse("agent", agent, ledger)
    prospect = Prospect(64, 256, 8_000)
    other = ledger.reserve(Spent(1, 8_000))
    cut, _ = await purse.opened(model, replace(prospect, most=500))
    purse.settle(cut, cut, Spent())
    ledger.settle(other, Spent(1, 100))
    for _ in range(2):
        aside, _ = await purse.opened(model, replace(prospect, was_cut=True))
        assert aside.tokens == 8_064
        purse.settle(aside, Spent(), Spent())


def test_a_pause_has_an_end() -> None:
    assert [pause_after(number).total_seconds() for number in (1, 2, 3, 60, 10_000)] == [0.1, 0.2, 0.4, 10, 10]


def test_what_cleans_up_is_never_short_of_budget() -> None:
    ledger = Ledger(Budget(calls=0))
    ledger.open_handed = True
    assert ledger.reserve(Spent(calls=1)) == Spent(calls=1)


STEPS = st.lists(st.tuples(st.sampled_from(["wait", "work", "waited", "worked", "load"]), st.integers(0, 5_000)))


@given(STEPS)
def test_time_goes_by_unless_a_run_only_waits_for_people(steps: list[tuple[str, int]]) -> None:
    now = [datetime(2027, 1, 1, tzinfo=UTC)]
    clock = Clock(lambda: now[0], 100_000)
    waits = works = worked = 0
    for what, ms in steps:
        match what:
            case "wait":
                clock.waits(1)
                waits += 1
            case "work":
                clock.works(1)
                works += 1
            case "waited" if waits:
                clock.waits(-1)
                waits -= 1
            case "worked" if works:
                clock.works(-1)
                works -= 1
            case "load" if not waits and not works:
                saved = (clock.limit_ms, clock.worked_ms())
                clock = Clock(lambda: now[0], None)
                clock.load(*saved)
        now[0] += timedelta(milliseconds=ms)
        worked += 0 if waits and not works else ms
    assert clock.worked_ms() == worked
    assert clock.left_ms() == 100_000 - worked
    clock.extend(50)
    assert clock.left_ms() == 100_050 - worked


def test_a_run_without_a_limit_has_no_end_to_its_time() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    clock = Clock(lambda: now, None)
    clock.extend(50)
    assert clock.left_ms() is None
