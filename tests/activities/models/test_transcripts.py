"""Conversations grow by what is said, not by what was said before."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.blobs import FileBlobs
from activities.failing import Failing
from activities.models.protocol import Message
from activities.models.transcripts import Context, Transcripts

TURNS = 700
WORDS = "w" * 1_000


def test_a_long_conversation_takes_the_room_of_what_was_said(tmp_path: Path) -> None:
    transcripts, last = Transcripts(FileBlobs(tmp_path)), None
    said = [(Message("user", f"{number}{WORDS}"), Message("assistant", f"{number}")) for number in range(TURNS)]
    for turn in said:
        last = transcripts.put(last, turn)
    assert Transcripts(FileBlobs(tmp_path)).up_to(last) == [message for turn in said for message in turn]
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert kept < TURNS * (len(WORDS) + 250)


def test_nothing_was_said_before_the_first_turn(tmp_path: Path) -> None:
    assert Transcripts(FileBlobs(tmp_path)).up_to(None) == []


def test_a_turn_that_is_not_there_is_missed_by_its_name(tmp_path: Path) -> None:
    here, elsewhere = (Transcripts(FileBlobs(tmp_path / place)) for place in ("here", "elsewhere"))
    last = here.put(elsewhere.put(None, [Message("user", "a")]), [Message("user", "b")])
    with pytest.raises(Failing, match="do all workers share one") as missed:
        here.up_to(last)
    assert missed.value.type == "engine"


def test_a_conversation_has_what_was_said_and_nothing_of_what_was_told_around_it(tmp_path: Path) -> None:
    transcripts, last = Transcripts(FileBlobs(tmp_path)), None
    for number in range(4):
        told = [Message("system", "You are."), Message("user", f"{WORDS}\n\nTurn {number}?")]
        first = transcripts.put(None, [*told, Message("assistant", "hm")], Context(last, len("Turn 0?")))
        last = transcripts.put(first, [Message("tool", "look"), Message("assistant", f"{number}.")])
    said, more = transcripts.conversation(last, 6)
    assert [each.text for each in said] == ["look", "2.", "Turn 3?", "hm", "look", "3."]
    assert more
    said, more = transcripts.conversation(last, 16)
    assert ([each.role for each in said], more) == (["user", "assistant", "tool", "assistant"] * 4, False)
    assert [each.text for each in transcripts.up_to(last)][:2] == ["You are.", f"{WORDS}\n\nTurn 3?"]
    assert transcripts.conversation(None, 5) == ([], False)
