"""What models say is heard while they say it, piece by piece, and what one attempt said is not taken for another's."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client

from gateway.cli.contexts import histories
from gateway.cli.live import Tree, screen
from gateway.cli.misuse import Trouble
from gateway.cli.runs import Handle
from gateway.cli.tables import size
from gateway.cli.terminal import Painter
from gateway.cli.voices import Listener, Voice, voices
from tests.activities.models.billing import Billing
from tests.gateway.cli.test_live import BRIEF
from tests.support import Hauling
from tests.workflows.test_spending import written


async def heard(client: Client, handle: Handle, least: int) -> Voice:
    """The one voice, once it has said so much."""
    async with asyncio.timeout(60):
        while True:
            for voice in await voices(client, handle):
                if voice.heard >= least:
                    return voice
            await asyncio.sleep(0.05)


async def test_a_watcher_reads_along(temporal: Client, tmp_path: Path) -> None:
    listener = Listener()
    async with Billing() as billing:
        billing.go.clear()
        bundles = written(tmp_path / "bundles", billing, "{tokens: 100000}", 4_096)
        async with Hauling(temporal, tmp_path / "home", bundles=[bundles], told_ms=50) as haul:
            run = await haul.start("talk", {"wanted": [200]})
            first = await heard(temporal, run, 1)
            pieces = [text for _, text in listener.new([first])]
            half = await heard(temporal, run, 500)
            pieces += [text for _, text in listener.new([half])]
            billing.go.set()
            assert await run.result() == [{"text": "word " * 200}]
            assert await voices(temporal, run) == []
    assert (half.call, half.attempt, half.node) == ("all/say#0", 1, "all")
    assert "".join(pieces) == "word " * 100


def test_what_went_by_too_fast_is_marked_as_left_out() -> None:
    listener = Listener()
    assert [text for _, text in listener.new([Voice("a", "a", 1, 3, "abc")])] == ["abc"]
    assert [text for _, text in listener.new([Voice("a", "a", 1, 3, "abc")])] == []
    assert [text for _, text in listener.new([Voice("a", "a", 1, 10, "hij")])] == ["… hij"]


def test_an_attempt_after_a_lost_one_begins_anew_and_says_so() -> None:
    stream = io.StringIO()
    lines = screen("a-1", "http://ui", BRIEF, "auto", stream, json=False)
    for voice in (
        Voice("write", "write", 1, 4, "Once"),
        Voice("write", "write", 2, 3, "Onc"),
        Voice("write", "write", 2, 9, "Once upon"),
    ):
        lines.show({}, [], [voice])
    said = [line for line in stream.getvalue().splitlines() if "┆" in line]
    assert said == ["  ┆ write: Once", "  ┆ write (attempt 2): Onc", "  ┆ write (attempt 2): e upon"]


def test_the_end_of_what_is_said_stands_below_its_node() -> None:
    voice = Voice("write", "write.1", 2, 500, "a\nb \x1b[2J " * 50)
    lines = Tree(BRIEF, Painter(width=50)).lines({"nodes": {"write": "running"}}, [], 100, [voice])
    assert lines[1].startswith("      ┆ attempt 2: …")
    assert "\x1b" not in lines[1]
    assert max(map(len, lines)) <= 50


def test_what_is_said_in_wide_characters_keeps_to_its_line() -> None:
    voice = Voice("write", "write", 2, 500, "山の上の雲は白い" * 50)
    *_, said = Tree(BRIEF, Painter(width=50)).lines({"nodes": {"write": "running"}}, [], 100, [voice])
    assert size(said) <= 50
    assert said.endswith("山の上の雲は白い")


async def test_a_run_whose_history_is_gone_is_told_in_one_line(temporal: Client) -> None:
    with pytest.raises(Trouble, match=r"^the history of 'gone', run [-0-9a-f]+, cannot be read"):
        _ = [each async for each in histories(temporal, "gone", str(uuid4()))]
