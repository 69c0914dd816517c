"""What a call tells while it goes on: watchers read along, and a try after a lost one knows what that has used."""

from __future__ import annotations

import time

from temporalio import activity

from activities.contracts import Sign, Usage
from activities.models.clipping import prompt_tokens
from activities.models.hearing import about
from activities.models.prices import together
from activities.models.protocol import Ask
from activities.watching import tell

# Seconds from one word about an answer that comes in to the next; the worker may pass them on less often.
TOLD_EVERY = 0.05
# How much of the end of a text is told.
TAIL = 4_000


class Telling:
    """A call as it goes on; `before` is where the tries before it have left off."""

    def __init__(self, ask: Ask, before: Sign) -> None:
        said = sum(len(each.text) for each in ask.messages)
        most = prompt_tokens(ask) + ask.max_output
        self._sign = before.model_copy(update={"tokens_in": about(said), "most": most})
        self._tail = ""
        self._heard = 0
        self._pieces = 0
        self._told = time.monotonic()
        tell(self._now)

    def on_text(self, piece: str) -> None:
        self._heard += len(piece)
        self._pieces += 1
        self._tail = (self._tail + piece)[-TAIL:]
        if time.monotonic() - self._told >= TOLD_EVERY:
            self._told = time.monotonic()
            tell(self._now)

    def _now(self) -> Sign:
        more = {"tokens_out": self._pieces, "heard": self._heard, "text": self._tail}
        return self._sign.model_copy(update=more)


def last_sign() -> Sign:
    """Where a try after lost ones begins: with nothing of its own, and what they have used."""
    attempt, told = activity.info().attempt, activity.info().heartbeat_details
    if not told:
        return Sign(attempt=attempt)
    sign = Sign.model_validate(told[0])
    used = Usage(tokens_in=sign.tokens_in, tokens_out=sign.tokens_out)
    return Sign(attempt=attempt, lost=together(sign.lost, used), most_lost=sign.most_lost + sign.most)
