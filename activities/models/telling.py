"""What a call tells while it goes on: watchers read along, and a try after a lost one knows what that has used."""

from __future__ import annotations

import time

from temporalio import activity

from activities.contracts import Sign, Usage
from activities.models.prices import together
from activities.watching import tell

# Seconds from one word about an answer that comes in to the next.
TOLD_EVERY = 0.25
# How much of the end of a text is told.
TAIL = 4_000


class Telling:
    """A call as it goes on; `lost` is what tries before this one have used and died with."""

    def __init__(self, tokens_in: int, max_output: int, lost: Usage) -> None:
        self._sign = Sign(tokens_in=tokens_in, max_output=max_output, lost=lost)
        self._tail = ""
        self._heard = 0
        self._pieces = 0
        self._told = time.monotonic()
        tell(self._sign)

    def on_text(self, piece: str) -> None:
        self._heard += len(piece)
        self._pieces += 1
        self._tail = (self._tail + piece)[-TAIL:]
        if time.monotonic() - self._told >= TOLD_EVERY:
            self._told = time.monotonic()
            more = {"tokens_out": self._pieces, "heard": self._heard, "text": self._tail}
            tell(self._sign.model_copy(update=more))


def lost_tries() -> tuple[Usage, int]:
    """What lost tries of this call have used as far as they told, and how many tokens that were at most."""
    told = activity.info().heartbeat_details
    if not told:
        return Usage(), 0
    sign = Sign.model_validate(told[0])
    usage = together(sign.lost, Usage(tokens_in=sign.tokens_in, tokens_out=sign.tokens_out))
    return usage, sign.lost.tokens_in + sign.lost.tokens_out + sign.tokens_in + sign.max_output
