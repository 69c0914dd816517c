"""A call tells of itself where somebody has time to read it, or where it would be lost otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts import Sign
from activities.models import telling
from activities.models.protocol import Ask, Message
from activities.models.telling import Telling
from activities.watching import Watching
from tests.activities.models.stub import PATIENCE

ASK = Ask("m-1", (Message("user", "What of boats?"),), max_output=50, context=1_000)
# Between two signs of life that a call gives anyway; what is told in time was not told by these.
NEVER = timedelta(hours=1)


class Call:
    """An activity under our interceptors that hears pieces, waits until so much is told, and keeps what it told."""

    def __init__(self) -> None:
        self.told = list[Sign]()

    async def runs(self, work: Callable[[Telling], Awaitable[None]], heartbeat: timedelta = 3 * NEVER) -> None:
        """To its end, after which nothing more is told."""

        async def execute(_: Any) -> None:
            await work(Telling(ASK, Sign(), 0.5))

        next: Any = type("Next", (), {"execute_activity": staticmethod(execute)})
        environment, given = ActivityEnvironment(), cast(Any, None)
        info = replace(environment.info, activity_type="models.call", start_to_close_timeout=NEVER)
        environment.info = replace(info, heartbeat_timeout=heartbeat)
        environment.on_heartbeat = lambda *signs: self.told.extend(signs)
        await environment.run(Watching().intercept_activity(next).execute_activity, given)
        told = len(self.told)
        await asyncio.sleep(2 * telling.TOLD_EVERY)
        assert len(self.told) == told

    async def until(self, heard: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(sign.heard >= heard for sign in self.told):
                await asyncio.sleep(0.01)


async def test_a_call_that_is_over_at_once_tells_nothing() -> None:
    async def at_once(telling: Telling) -> None:
        telling.on_text("Ahoy")

    call = Call()
    await call.runs(at_once)
    assert call.told == []


async def test_a_call_of_which_nothing_comes_says_that_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "QUIET", 0.05)
    call = Call()
    await call.runs(lambda _: call.until(0))
    assert (call.told[0].tokens_in > 0, call.told[0].tokens_out, call.told[0].text) == (True, 0, "")


async def test_a_call_says_as_often_as_the_server_wants_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "QUIET", NEVER.total_seconds())
    call = Call()
    await call.runs(lambda _: call.until(0), heartbeat=timedelta(seconds=0.6))
    assert call.told[0].tokens_in > 0


@pytest.mark.parametrize("pieces", [("Ahoy",), ("Ahoy", ", märi", "!"), tuple("Ahoy, märi!" * 40)])
async def test_what_came_last_before_a_stall_is_told(pieces: tuple[str, ...]) -> None:
    async def stalling(telling: Telling) -> None:
        for piece in pieces:
            telling.on_text(piece)
        await call.until(len("".join(pieces)))

    call = Call()
    await call.runs(stalling)
    assert call.told[-1].text == "".join(pieces)


async def test_a_burst_after_a_sign_is_told_to_its_end() -> None:
    async def in_bursts(telling: Telling) -> None:
        telling.on_text("Ahoy")
        await call.until(4)
        telling.on_text(", ")
        telling.on_text("märi!")
        await call.until(11)

    call = Call()
    await call.runs(in_bursts)
    assert call.told[-1].text == "Ahoy, märi!"


async def test_what_comes_between_two_signs_is_told_once() -> None:
    async def in_pieces(telling: Telling) -> None:
        for piece in "Ahoy, märi!":
            telling.on_text(piece)
            await asyncio.sleep(0.02)
        await call.until(11)

    call = Call()
    await call.runs(in_pieces)
    heard = [sign.heard for sign in call.told]
    assert heard == sorted(set(heard))


async def test_half_a_character_waits_for_the_other_half() -> None:
    async def in_halves(telling: Telling) -> None:
        telling.on_text("Ahoy\ud83d")
        await call.until(4)
        telling.on_text("\ude00!\udc00\ud83d")
        await call.until(7)

    call = Call()
    await call.runs(in_halves)
    assert [(sign.heard, sign.text) for sign in call.told] == [(4, "Ahoy"), (7, "Ahoy\U0001f600!\ufffd")]
    for sign in call.told:
        sign.model_dump_json()
