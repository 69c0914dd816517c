"""What calls of models cost, by the prices that are frozen into the plan."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, localcontext

from activities.contracts import Sign, Usage
from manifests.lowering.specs import money
from manifests.plan import ModelSpec


def priced(model: ModelSpec, usage: Usage) -> Usage:
    """The usage with its cost in dollars, exact but for what no decimal can say: that is rounded up."""
    cached = min(usage.cached, usage.tokens_in)
    known = model.input_price if model.cached_price is None else model.cached_price
    with localcontext(prec=28, rounding=ROUND_UP):
        total = (usage.tokens_in - cached) * Decimal(model.input_price) + cached * Decimal(known)
        total += usage.tokens_out * Decimal(model.output_price)
        usd = total / model.per
    return usage.model_copy(update={"usd": money(usd)})


def used(sign: Sign) -> Usage:
    """What a call has used that was lost after this sign, and those before it; not priced.

    It died somewhere between this sign and the next, in the middle if there are many.
    """
    return together(sign.lost, Usage(tokens_in=sign.tokens_in, tokens_out=sign.tokens_out + sign.soon // 2))


def together(one: Usage, other: Usage) -> Usage:
    """Both, before they are priced."""
    return Usage(
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        cached=one.cached + other.cached,
        reasoning=one.reasoning + other.reasoning,
    )
