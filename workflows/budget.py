"""What a run may spend and has spent, over its branches, children, tries and continuations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any, TypeVar

from manifests.lowering.specs import money
from manifests.plan import Budget
from workflows.failures import Failed

ZERO = Decimal(0)
# The smallest part of a dollar that is leased: more digits than a decimal holds would not add up.
PENNY = Decimal("1e-12")


@dataclass(frozen=True)
class Spent:
    """An amount of everything that is counted."""

    calls: int = 0
    tokens: int = 0
    usd: Decimal = ZERO

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.calls + other.calls, self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.calls - other.calls, self.tokens - other.tokens, self.usd - other.usd)

    def as_json(self) -> dict[str, Any]:
        return {"calls": self.calls, "tokens": self.tokens, "usd": str(self.usd)}

    def beyond(self, used: Spent) -> Spent:
        """What of this amount is more than was used; the call itself has been made."""
        return Spent(0, max(0, self.tokens - used.tokens), max(ZERO, self.usd - used.usd))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Spent:
        return cls(data.get("calls", 0), data.get("tokens", 0), Decimal(data.get("usd", "0")))


NOTHING = Spent()


class Ledger:
    """Reserves before a call and settles after it, so that branches that run side by side cannot overspend together."""

    def __init__(self, budget: Budget) -> None:
        self.calls = budget.calls
        self.tokens = budget.tokens
        self.usd = None if budget.usd is None else Decimal(budget.usd)
        self.spent = Spent()
        self.reserved = Spent()
        # What calls may have used besides that died with their workers: nobody heard, so nobody else may have it.
        self.unheard = Spent()
        self.open_handed = False
        self._seen: dict[str, Spent] = {}
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def _refuses(self) -> bool:
        return not self.open_handed and (self.calls, self.tokens, self.usd) != (None, None, None)

    def reserve(self, wanted: Spent) -> Spent:
        """Sets an amount aside; raises `Failed` when it is not there."""
        if self._refuses and (said := self._overrun(self.spent + self.unheard + self.reserved + wanted, wanted)):
            raise Failed("budget", said)
        self.reserved += wanted
        return wanted

    async def reserved_for(self, wanted: Spent) -> Spent:
        """The same, after a while where others have set aside what they may not use."""
        while True:
            try:
                return self.reserve(wanted)
            except Failed:
                self.check(wanted)
            await self._change()

    async def set_aside(self, name: str, needs: Callable[[], Spent], most: Spent) -> Spent:
        """What one call under this name may use, between what it needs and its most; raises `Failed` without even that.

        Alone it gets all that is free, up to its most. Beside others it gets twice what such calls have been seen to
        use, or a quarter of what is free if that is more, and waits while there is no room for one like those before:
        so all get their parts, and together they never have more than there is.
        """
        while True:
            least, seen = needs(), self.seen(name)
            usual = least if self.reserved == NOTHING else _usual(least, most, seen)
            free = self.left()
            dollars = None if free.usd is None else Decimal(free.usd)
            tokens = _part(usual.tokens, most.tokens, 2 * seen.tokens, free.tokens, self.reserved == NOTHING)
            usd = _part(usual.usd, most.usd, 2 * seen.usd, dollars, self.reserved == NOTHING)
            try:
                return self.reserve(Spent(1, tokens, usd))
            except Failed:
                self.check(least)
            await self._change()

    async def leased(self, shares: int) -> tuple[Spent, Budget]:
        """A lease, after a while where others have set aside all that is left."""
        while True:
            try:
                return self.lease(shares)
            except Failed:
                if self.reserved == NOTHING:
                    raise
            await self._change()

    async def _change(self) -> None:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change

    def settle(self, reserved: Spent, used: Spent, unheard: Spent = NOTHING) -> None:
        self.reserved -= reserved
        self.spent += used
        self.unheard += unheard
        self._changed()

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

    def saw(self, name: str, used: Spent) -> None:
        """Remembers the dearest call under a name, for the next reservation."""
        before = self.seen(name)
        self._seen[name] = Spent(1, max(before.tokens, used.tokens), max(before.usd, used.usd))

    def seen(self, name: str) -> Spent:
        return self._seen.get(name, Spent())

    def _overrun(self, after: Spent, wanted: Spent) -> str:
        """Why the budget does not allow this; what costs nothing is allowed also when all of it is spent."""
        if self.calls is not None and after.calls > self.calls:
            return f"the budget has {self.calls} calls, and this would be one more"
        if self.tokens is not None and wanted.tokens and after.tokens > self.tokens:
            lost = f", and lost calls may have used {self.unheard.tokens:,} more" if self.unheard.tokens else ""
            return f"{self.spent.tokens:,} of {self.tokens:,} tokens are spent{lost}"
        if self.usd is not None and wanted.usd and after.usd > self.usd:
            lost = f", and lost calls may have used ${money(self.unheard.usd)} more" if self.unheard.usd else ""
            return f"${self.spent.usd} of ${self.usd} are spent{lost}"
        return ""

    def check(self, wanted: Spent) -> None:
        """Raises `Failed` for what would not fit, though nothing were set aside."""
        if self._refuses and (said := self._overrun(self.spent + self.unheard + wanted, wanted)):
            raise Failed("budget", said)

    def lease(self, shares: int) -> tuple[Spent, Budget]:
        """A part of what is left, for a child run that counts for itself."""
        left = self.left()
        shares = max(1, shares)
        calls = None if left.calls is None else left.calls // shares
        tokens = None if left.tokens is None else left.tokens // shares
        usd = None if left.usd is None else (Decimal(left.usd) / shares).quantize(PENNY, ROUND_DOWN)
        if calls == 0 or tokens == 0 or usd == 0:
            raise Failed("budget", "nothing is left of the budget for another run")
        lease = Spent(calls or 0, tokens or 0, usd or ZERO)
        self.reserved += lease
        return lease, Budget(calls=calls, tokens=tokens, usd=None if usd is None else format(usd, "f"))

    def left(self, *, settled: bool = False) -> Budget:
        """What is free now, or what will be if nothing that is set aside gets used."""
        used = self.spent + self.unheard + (NOTHING if settled else self.reserved)
        return Budget(
            calls=None if self.calls is None else max(0, self.calls - used.calls),
            tokens=None if self.tokens is None else max(0, self.tokens - used.tokens),
            usd=None if self.usd is None else format(max(ZERO, self.usd - used.usd), "f"),
        )

    @property
    def is_untouched(self) -> bool:
        return self.spent == self.unheard == NOTHING

    def extend(self, more: Spent) -> None:
        self.calls = None if self.calls is None else self.calls + more.calls
        self.tokens = None if self.tokens is None else self.tokens + more.tokens
        self.usd = None if self.usd is None else self.usd + more.usd
        self._changed()

    def as_json(self) -> dict[str, Any]:
        usd = None if self.usd is None else str(self.usd)
        caps = {"calls": self.calls, "tokens": self.tokens, "usd": usd}
        parts = {"spent": self.spent, "reserved": self.reserved, "unheard": self.unheard}
        return {"caps": caps, **{name: part.as_json() for name, part in parts.items()}}

    def bill(self) -> dict[str, Any]:
        """What was spent, and what may have been besides, if there is such a thing."""
        unheard = replace(self.unheard, usd=Decimal(money(self.unheard.usd)))
        return self.spent.as_json() | ({"unheard": unheard.as_json()} if unheard != NOTHING else {})

    def load(self, data: dict[str, Any]) -> None:
        caps = data["caps"]
        self.calls, self.tokens = caps["calls"], caps["tokens"]
        self.usd = None if caps["usd"] is None else Decimal(caps["usd"])
        self.spent = Spent.of(data["spent"])
        self.unheard = Spent.of(data.get("unheard", {}))


Amount = TypeVar("Amount", int, Decimal)


def _usual(least: Spent, most: Spent, seen: Spent) -> Spent:
    """A call like those before, with a little to spare; before there were any, the longest that it can be."""
    like = Spent(1, seen.tokens * 5 // 4, (seen.usd * 5 / 4).quantize(PENNY, ROUND_DOWN)) if seen.tokens else most
    tokens, usd = min(most.tokens, like.tokens), min(most.usd, like.usd)
    return Spent(1, max(least.tokens, tokens), max(least.usd, usd))


def _part(usual: Amount, most: Amount, ample: Amount, free: Amount | None, is_alone: bool) -> Amount:
    """How much of what is free goes to one call; where nothing is counted, all that it could use."""
    if free is None:
        return most
    share = free // 4 if isinstance(free, int) else (free / 4).quantize(PENNY, ROUND_DOWN)
    return max(usual, min(most, free, free if is_alone else max(ample, share)))
