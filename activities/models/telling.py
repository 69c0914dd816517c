"""What a call tells while it goes on: watchers read along, and a try after a lost one knows what that has used."""

from __future__ import annotations

import time
from functools import cached_property

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts import Cap, Sign, Usage
from activities.models.hearing import about, halved
from activities.models.prices import together, used
from activities.models.protocol import Ask, Unspoken
from activities.watching import tell_soon

# Seconds from one word about an answer that comes in to the next; the worker may pass them on less often.
TOLD_EVERY = 0.1
# Seconds until a call of which nothing has come says that it was made, and hears whether it is to end.
QUIET = 2.0
# Characters of a piece that is more than a token.
LONG = 8
# How much of the end of a text is told.
TAIL = 4_000


class Telling:
    """A call as it goes on; `before` is where the tries before it have left off. A sign goes out `every_s` at most."""

    def __init__(self, ask: Ask, before: Sign, every_s: float) -> None:
        self._ask = ask
        self._before = before
        self._tail = self._half = ""
        self._heard = 0
        self._pieces = 0
        self._size = 0
        self._every_s = every_s
        self._began = time.monotonic()
        self._is_due = False
        tell_soon(self._sign, QUIET)

    def on_text(self, piece: str) -> None:
        if not self._pieces:
            self._began = time.monotonic()
        self._pieces += 1
        self._size += len(piece)
        if not isinstance(piece, Unspoken):
            # Half a character waits for the other one.
            spoken, self._half = halved(self._half + piece)
            self._heard += len(spoken)
            self._tail = (self._tail + spoken)[-TAIL:]
        if not self._is_due:
            self._is_due = True
            tell_soon(self._sign, TOLD_EVERY)

    def _sign(self) -> Sign:
        self._is_due = False
        return self._now()

    @cached_property
    def _start(self) -> Sign:
        return self._before.model_copy(update={"tokens_in": _said(self._ask)})

    def _now(self) -> Sign:
        """Most servers say a token with each piece; where pieces are longer, tokens are about as many as came."""
        is_long = self._size > LONG * self._pieces
        tokens_out = about(self._size) if is_long else self._pieces
        lasted = max(time.monotonic() - self._began, self._every_s)
        soon = round(tokens_out * self._every_s / lasted)
        more = {"tokens_out": tokens_out, "soon": soon, "heard": self._heard, "text": self._tail}
        return self._start.model_copy(update=more)

    def used(self) -> Usage:
        """What it has used until now, with the attempts before it."""
        return used(self._now().model_copy(update={"soon": 0}))


def lost_before(ask: Ask) -> Sign:
    """Where a try after lost ones begins: with nothing of its own, and what they have used.

    One that was lost before it told anything counts as its prompt; nobody knows what came back.
    """
    before = left_behind()
    silent = Usage(tokens_in=before.silent * _said(ask))
    return Sign(attempt=before.attempt, lost=together(before.lost, silent))


def check_first(cap: Cap | None, lost: Usage) -> None:
    """Raises for a counted call that the server gives out again, as it does after a pause: a run must know of each try.

    It is the run's to make the call again, once it has counted what the tries before this one have `lost`.
    """
    if cap is not None and activity.info().attempt > 1:
        facts = {"usage": lost.model_dump(), "lost": True}
        said = "it was given out again, and may have used all that was set aside for it"
        raise ApplicationError(said, facts, type="unavailable", category=ApplicationErrorCategory.BENIGN)


def left_behind() -> Sign:
    """What the tries before this one have used, and how many of them were lost before they told anything."""
    attempt, told = activity.info().attempt, activity.info().heartbeat_details
    last = Sign.model_validate(told[0]) if told else Sign(attempt=0)
    silent = last.silent + max(0, attempt - 1 - last.attempt)
    return Sign(attempt=attempt, lost=used(last), silent=silent)


def _said(ask: Ask) -> int:
    return about(sum(len(each.text) for each in ask.messages))
