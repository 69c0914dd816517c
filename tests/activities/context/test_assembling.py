"""What a context is put together from: within its budget, its ends word for word, and nothing made up."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.context.assembling import LEAST, MARK, assemble, shortened
from activities.context.pieces import Fate, Layer, Piece
from activities.models.counting import tokens

TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(["the harbour ", "keeps ", "a ledger\n", "`x` ", "船", "0.25 "]), max_size=400).map(
        "".join
    ),
)
PIECES = st.lists(
    st.builds(
        Piece,
        layer=st.sampled_from(get_args(Layer)),
        source=st.sampled_from(["user", "tool look", "input", "a_node"]),
        text=TEXTS,
        importance=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    ),
    max_size=12,
)
ROOM = st.integers(-10, 1_500)


@given(PIECES, ROOM, ROOM, ROOM, st.integers(0, 20))
def test_a_context_never_has_more_tokens_than_it_has_room(
    pieces: list[Piece], room: int, head: int, tail: int, frame: int
) -> None:
    fates = assemble(pieces, room, head=head, tail=tail, frame=frame)
    assert [each.piece for each in fates] == pieces
    assert sum(each.sent for each in fates) <= max(room, 0)
    for each in fates:
        if each.what != "dropped":
            assert frame + tokens(each.piece.source) + tokens(each.text) == each.sent


@given(PIECES, ROOM, ROOM, ROOM)
def test_the_first_and_the_last_pieces_stay_word_for_word(pieces: list[Piece], room: int, head: int, tail: int) -> None:
    fates = assemble(pieces, room, head=head, tail=tail)
    whole = [tokens(each.source) + tokens(each.text) for each in pieces]
    head, room = min(max(head, 0), max(room, 0)), max(room, 0)
    tail = min(max(tail, 0), room - head)
    kept = [place for place in range(len(pieces)) if sum(whole[: place + 1]) <= head or sum(whole[place:]) <= tail]
    assert all((fates[place].what, fates[place].text) == ("included", pieces[place].text) for place in kept)


@given(PIECES, ROOM)
def test_nothing_is_made_up(pieces: list[Piece], room: int) -> None:
    for each in assemble(pieces, room, head=0, tail=0):
        match each:
            case Fate(what="included"):
                assert each.text == each.piece.text
            case Fate(what="dropped"):
                assert each.text == ""
            case _:
                assert any(
                    each.piece.text.startswith(each.text[:at]) and each.piece.text.endswith(each.text[at + len(MARK) :])
                    for at in range(len(each.text))
                    if each.text.startswith(MARK, at)
                )


@given(PIECES, ROOM)
def test_the_report_adds_up(pieces: list[Piece], room: int) -> None:
    fates = assemble(pieces, room, head=room // 3, tail=room // 3)
    for each in fates:
        assert each.why
        assert each.tokens == tokens(each.piece.source) + tokens(each.piece.text)
        match each.what:
            case "included":
                assert each.sent == each.tokens
            case "compressed":
                assert 0 < each.sent < each.tokens
            case "dropped":
                assert each.sent == 0


def test_what_is_least_important_for_its_tokens_goes_first_and_of_equals_the_earlier_one() -> None:
    words = "the harbour keeps a ledger of it all " * 3
    pieces = [Piece("state", f"n{place}", words, importance) for place, importance in enumerate([1, 0.5, 0.5, 1])]
    each = tokens(words) + tokens("n0")
    fates = assemble(pieces, 3 * each, head=0, tail=0)
    assert [fate.what for fate in fates] == ["included", "dropped", "included", "included"]
    assert {fates[place].why for place in (1, 2)} == {f"importance 0.5 for {each} tokens"}


def test_a_large_piece_is_shortened_before_a_small_one_is_lost() -> None:
    pieces = [Piece("state", "large", "the harbour keeps a ledger\n" * 400), Piece("state", "small", "six o'clock")]
    fates = assemble(pieces, 200, head=0, tail=0)
    assert [fate.what for fate in fates] == ["compressed", "included"]
    assert LEAST < fates[0].sent <= 200


def test_a_shortened_text_keeps_its_beginning_and_its_end() -> None:
    text = " ".join(map(str, range(1_000)))
    short = shortened(text, 100)
    front, _, back = short.partition(MARK)
    assert tokens(short) <= 100
    assert text.startswith(front)
    assert text.endswith(back)
    assert len(front) > len(back) > 20


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_the_same_pieces_give_the_same_bytes_in_every_process(seed: str) -> None:
    code = (
        "from activities.context.assembling import assemble; from activities.context.pieces import Piece\n"
        "pieces = [Piece('state', f'n{n}', f'word {n} ' * (n * 37 % 91), n % 5 / 4) for n in range(60)]\n"
        "print(assemble(pieces, 2_000, head=300, tail=500, frame=7))"
    )
    own: dict[str, object] = {}
    exec(code.replace("print(", "found = ("), own)
    env = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert told.stdout == f"{own['found']}\n"


def test_ten_thousand_pieces_are_looked_at_a_few_times_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def counting(text: str) -> int:
        nonlocal looked
        looked += 1
        return tokens(text)

    monkeypatch.setattr("activities.context.assembling.tokens", counting)
    pieces = [
        Piece("conversation", "user", f"{place}: " + "ahoy " * (place % 40), place % 7) for place in range(10_000)
    ]
    assemble(pieces, 50_000, head=5_000, tail=20_000, frame=6)
    assert looked < 5 * len(pieces)
