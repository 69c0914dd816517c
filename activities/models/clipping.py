"""Budgets, where the call is made: its answer gets the room that its prompt leaves, and there is no call without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from activities.contracts import LEAST_OUTPUT, Cap
from activities.failing import Failing
from activities.models.counting import tokens
from activities.models.protocol import Ask
from manifests.plan import ModelSpec

# What stands around a message, and around the whole.
AROUND = 8


def prompt_tokens(ask: Ask) -> int:
    """About how many tokens go in, rather too many than too few."""
    said = sum(tokens(each.spoken) + tokens(_text(each.calls)) + AROUND for each in ask.messages)
    offered = sum(tokens(each.description) + tokens(_text(dict(each.input))) + AROUND for each in ask.tools)
    return said + offered + (tokens(_text(dict(ask.schema))) if ask.schema else 0) + AROUND


def clipped(ask: Ask, model: ModelSpec, cap: Cap | None) -> int:
    """How long the answer may be; raises `Failing` where that is too little."""
    if cap is None:
        return ask.max_output
    tokens_in = prompt_tokens(ask)
    most = ask.max_output
    if cap.tokens is not None:
        most = min(most, cap.tokens - tokens_in)
    if cap.usd is not None and Decimal(model.output_price):
        left = Decimal(cap.usd) * model.per - tokens_in * Decimal(model.input_price)
        most = min(most, int((left / Decimal(model.output_price)).to_integral_value(ROUND_DOWN)))
    elif cap.usd is not None and tokens_in * Decimal(model.input_price) > Decimal(cap.usd) * model.per:
        most = 0
    if most < min(LEAST_OUTPUT, ask.max_output):
        said = f"the prompt has about {tokens_in:,} tokens, which leaves too little of the budget for an answer"
        raise Failing("budget", said, tokens_in=tokens_in)
    return most


def check_texts(texts: Sequence[str], model: ModelSpec, cap: Cap | None) -> None:
    """Raises `Failing` for texts to embed that have more than was set aside for them."""
    if cap is None:
        return
    tokens_in = sum(map(tokens, texts))
    is_dear = cap.usd is not None and tokens_in * Decimal(model.input_price) > Decimal(cap.usd) * model.per
    if is_dear or (cap.tokens is not None and tokens_in > cap.tokens):
        raise Failing("budget", f"the texts have about {tokens_in:,} tokens, and the budget less", tokens_in=tokens_in)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda each: each.model_dump()) if value else ""
