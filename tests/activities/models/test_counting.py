"""Estimates of tokens, against what eight tokenizers count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.models.counting import MARGIN, beginning, bound, end, tokens

COUNTED = json.loads((Path(__file__).parent / "token_counts.json").read_text(encoding="utf-8"))
LINES = st.lists(st.text(max_size=60), max_size=8).map(lambda lines: "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("sample", COUNTED["samples"], ids=lambda sample: sample["kind"])
def test_an_estimate_is_not_below_what_any_tokenizer_counts_by_more_than_the_margin(sample: dict[str, object]) -> None:
    text, counts = str(sample["text"]), sample["counts"]
    assert isinstance(counts, dict)
    most = max(counts.values())
    assert (1 - MARGIN) * most <= tokens(text) <= 4 * most
    assert bound(text) >= most


def test_an_estimate_of_prose_is_near_what_is_counted() -> None:
    prose = [each for each in COUNTED["samples"] if each["kind"] in ("English", "German", "Python", "Markdown", "YAML")]
    for each in prose:
        assert tokens(each["text"]) <= 1.5 * sum(each["counts"].values()) / len(each["counts"])


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("Hello, world!", 4), ("你好", 4), ("\ud83d", 2)])
def test_an_estimate_is_the_same_everywhere(text: str, count: int) -> None:
    assert tokens(text) == count


@given(LINES, LINES)
def test_a_whole_has_no_more_tokens_than_its_parts_at_line_ends(one: str, other: str) -> None:
    assert tokens(one + other) <= tokens(one) + tokens(other)


@given(st.text(max_size=400), st.integers(-1, 200))
def test_a_beginning_and_an_end_have_the_room_that_they_are_given(text: str, room: int) -> None:
    front, back = beginning(text, room), end(text, room)
    assert text.startswith(front)
    assert text.endswith(back)
    assert max(tokens(front), tokens(back)) <= max(room, 0)
    if tokens(text) <= room:
        assert (front, back) == (text, text)


@given(st.text(max_size=200))
def test_no_text_is_estimated_or_bounded_below_nothing(text: str) -> None:
    assert tokens(text) >= 0
    assert bound(text) >= len(text.encode("utf-8"))
