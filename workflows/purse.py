"""What one call of a model may use: never more than the run and the agent's answer have left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from functools import partial
from typing import TYPE_CHECKING

from activities.contracts import LEAST_OUTPUT, Cap
from manifests.plan import AgentSpec, Budget, ModelSpec
from workflows.budget import PENNY, Ledger, Spent
from workflows.failures import Failed

if TYPE_CHECKING:
    from workflows.calls import Calls

# Tokens for ten characters of a prompt, before a provider has counted any, and tokens of what stands around it.
DENSE = 4
AROUND = 24
# A prompt may turn out longer than thought, and an answer longer than was set aside for it.
MOST_REFUSED = 3


@dataclass(frozen=True)
class Prospect:
    """How much a call may use: the tokens that go in, and at least and at most those that come out."""

    tokens_in: int
    least: int
    most: int
    was_cut: bool = False

    @classmethod
    def of(cls, characters: int, most: int) -> Prospect:
        return cls(characters * DENSE // 10 + AROUND, min(LEAST_OUTPUT, most), most)

    def spent(self, model: ModelSpec, tokens_out: int) -> Spent:
        usd = (self.tokens_in * Decimal(model.input_price) + tokens_out * Decimal(model.output_price)) / model.per
        return Spent(1, self.tokens_in + tokens_out, usd.quantize(PENNY, ROUND_UP))


class Takes:
    """How often one call is made: again where too little was set aside, or where it was lost or handed back."""

    def __init__(self, id: str, calls: Calls) -> None:
        self._id = id
        self._calls = calls
        self._unfinished = self._refused = 0

    @property
    def id(self) -> str:
        again = self._unfinished + self._refused
        return f"{self._id}+{again}" if again else self._id

    async def again(self, failure: Failed) -> int | None:
        """Once it may be made again, the tokens that go in, if its worker has counted them; raises the failure."""
        if failure.unfinished:
            self._unfinished += 1
            if self._unfinished == self._calls.lost_attempts:
                raise failure
            await self._calls.pause(self._unfinished, f"{self.id} after {failure.category}")
            return None
        self._refused += 1
        if "tokens_in" not in failure.call or self._refused == MOST_REFUSED:
            raise failure
        return int(failure.call["tokens_in"])


class Purse:
    """The budget of one answer of an agent, inside that of the run."""

    def __init__(self, agent: str, spec: AgentSpec, run: Ledger) -> None:
        self._agent = agent
        self._run = run
        self.own = Ledger(spec.budget or Budget())
        self._last = Spent()

    async def opened(self, model: ModelSpec, prospect: Prospect) -> tuple[Spent, Cap | None]:
        """What is set aside for a call, and the most that it may use; raises `Failed`."""
        least, most = (prospect.spent(model, tokens) for tokens in (prospect.least, prospect.most))
        self.own.check(least)
        most = _within(most, self.own.left())
        needs = partial(self._more, most) if prospect.was_cut else lambda: least
        aside = await self._run.set_aside(self._agent, needs, most)
        self.own.reserve(aside)
        return aside, self._cap(aside)

    async def opened_as_seen(self, model: ModelSpec) -> Spent:
        """What calls of this agent have been seen to use, and at least something where something is paid for."""
        seen = self._run.seen(self._agent)
        priced = Decimal(model.input_price) or Decimal(model.output_price)
        usd = max(seen.usd, Decimal("0.000001")) if priced else Decimal(0)
        wanted = Spent(1, max(seen.tokens, 1), usd)
        own = self.own.reserve(wanted)
        try:
            return await self._run.reserved_for(wanted)
        except Failed:
            self.own.settle(own, Spent())
            raise

    def _more(self, most: Spent) -> Spent:
        """All there is now, for an answer that was cut off; raises `Failed` where that is no more than it had."""
        whole, last = _within(most, self._run.left(settled=True)), self._last
        tokens, usd = (self._counts(name) for name in ("tokens", "usd"))
        grown = (tokens and whole.tokens > last.tokens) or (usd and whole.usd > last.usd)
        if not grown or (tokens and whole.tokens < last.tokens) or (usd and whole.usd < last.usd):
            raise Failed("budget", "the answer was cut off, and there is no more room for it in the budget")
        return whole

    def _counts(self, name: str) -> bool:
        return getattr(self._run, name) is not None or getattr(self.own, name) is not None

    def _cap(self, aside: Spent) -> Cap | None:
        counts_tokens, counts_usd = self._counts("tokens"), self._counts("usd") and aside.usd
        if self._run.open_handed or not (counts_tokens or counts_usd):
            return None
        return Cap(tokens=aside.tokens if counts_tokens else None, usd=format(aside.usd, "f") if counts_usd else None)

    def settle(self, aside: Spent, used: Spent, unheard: Spent) -> None:
        if used.calls:
            self._last = aside
        self._run.settle(aside, used, unheard)
        self.own.settle(aside, used, unheard)
        self._run.saw(self._agent, used)


def _within(most: Spent, left: Budget) -> Spent:
    tokens = most.tokens if left.tokens is None else min(most.tokens, left.tokens)
    usd = most.usd if left.usd is None else min(most.usd, Decimal(left.usd))
    return Spent(1, tokens, usd)
