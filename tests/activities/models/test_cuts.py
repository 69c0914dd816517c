"""Streams that end wherever they like."""

from __future__ import annotations

import asyncio

import pytest

from activities.contracts import Usage
from activities.failing import Failing
from activities.models.protocol import Provider
from tests.activities.models.stub import KINDS, Asking, Reply, Said, Stub, ask, nobody, stream

SHORT = Said(pieces=("Ahoi, ", "mär"), calls=(("look", {"a": 1}),))
PATHS = {"anthropic": "/v1/messages", "ollama": "/api/chat"}
AT_ONCE = 8


async def outcome(provider: Provider) -> tuple[str, Usage]:
    try:
        heard = await provider.answer(ask(), nobody)
    except Failing as failed:
        return str(failed.type), failed.usage or Usage(tokens_in=-1)
    assert (heard.text, [each.arguments for each in heard.calls]) == (SHORT.text, [{"a": 1}])
    return "whole", heard.usage


@pytest.mark.parametrize("chunked", [False, True], ids=["closed", "broken"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_is_cut_anywhere_is_a_whole_answer_or_none(kind: str, chunked: bool) -> None:
    size = len(stream(PATHS.get(kind, "/v1/chat/completions"), {}, SHORT))
    found: dict[int, tuple[str, Usage]] = {}

    async def cut_at(places: range) -> None:
        replies = [Reply(said=SHORT, cut=place, chunked=chunked) for place in places]
        async with Stub(*replies) as stub, Asking(kind, stub.url) as provider:
            for place in places:
                found[place] = await outcome(provider)

    await asyncio.gather(*(cut_at(range(first, size + 1, AT_ONCE)) for first in range(AT_ONCE)))
    outcomes = [found[place][0] for place in range(size + 1)]
    assert set(outcomes) == {"unavailable", "whole"}
    assert outcomes == sorted(outcomes), "what is whole stays whole with more of it"
    for _, usage in found.values():
        assert usage.tokens_in in (0, SHORT.tokens_in, len(ask().messages[0].text) // 4 + 1)
        assert usage.tokens_out <= SHORT.tokens_out


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_that_was_used_is_counted_where_nothing_came(kind: str) -> None:
    async with Stub(Reply(cut=0)) as stub, Asking(kind, stub.url) as provider:
        assert await outcome(provider) == ("unavailable", Usage())
