"""What calls cost, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.contracts import Usage
from activities.models.prices import priced
from tests.activities.models.stub import spec

TOKENS = st.integers(0, 10**7)
PRICES = st.integers(0, 10**9).map(lambda millionths: format(Decimal(millionths).scaleb(-6), "f"))


def usd(usage: Usage, **prices: object) -> str:
    return priced(spec("openai", "http://127.0.0.1:9", **prices), usage).usd


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ({}, "0"),
        ({"input_price": "0.15", "output_price": "0.6"}, "0.00000585"),
        ({"input_price": "0.15", "output_price": "0.6", "cached_price": "0"}, "0.00000525"),
        ({"input_price": "0.15", "output_price": "0.6", "cached_price": "0.075"}, "0.00000555"),
        ({"output_price": "7", "per": 7}, "7"),
    ],
)
def test_what_a_call_costs(prices: dict[str, object], cost: str) -> None:
    assert usd(Usage(tokens_in=11, tokens_out=7, cached=4, reasoning=2), **prices) == cost


def test_what_no_decimal_can_say_is_rounded_up() -> None:
    assert usd(Usage(tokens_in=1), input_price="1", per=3) == "0." + "3" * 27 + "4"


@given(TOKENS, TOKENS, TOKENS, PRICES, PRICES, PRICES)
def test_the_parts_add_up(fresh: int, cached: int, out: int, input: str, known: str, output: str) -> None:
    prices = {"input_price": input, "output_price": output, "cached_price": known, "per": 1000}
    found = Decimal(usd(Usage(tokens_in=fresh + cached, tokens_out=out, cached=cached), **prices))
    assert found * 1000 == fresh * Decimal(input) + cached * Decimal(known) + out * Decimal(output)
