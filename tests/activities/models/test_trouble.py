"""Servers that go wrong, and the categories that it comes to."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, DefaultPayloadConverter

from activities.contracts import Usage
from activities.failing import Failing
from activities.models.trouble import LONGEST_WAIT_MS, wait_ms
from activities.models.wire import MOST_BYTES
from manifests.failures import CATEGORIES
from tests.activities.models.stub import KEY, KINDS, Asking, Reply, Said, Stub, ask, complaint, nobody, stream

OPEN = {"anthropic": "/v1/messages", "ollama": "/api/chat"}


async def failure(kind: str, reply: Reply, *, read_s: float = 10) -> Failing:
    async with Stub(reply) as stub, Asking(kind, stub.url, read_s=read_s) as provider:
        with pytest.raises(Failing) as failed:
            await provider.answer(ask(), nobody)
    assert len(stub.asked) == 1, "nobody but the plan tries again"
    assert failed.value.type in CATEGORIES
    assert kind in failed.value.message
    return failed.value


def opening(kind: str, text: str) -> bytes:
    """The beginning of an answer: all up to and with its first piece."""
    whole = stream(OPEN.get(kind, "/v1/chat/completions"), {}, Said(pieces=(text,)))
    end = whole.index(text.encode()) + len(text.encode())
    return whole[: whole.index(b"\n", end) + (1 if kind == "ollama" else 2)]


# --- statuses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "category"),
    [
        *((status, "unavailable") for status in (409, 500, 502, 503, 504, 529)),
        *((401, "denied"), (403, "denied"), (402, "denied"), (404, "engine"), (408, "timeout"), (413, "context")),
        *((429, "rate_limited"), (400, "input"), (422, "input"), (418, "input"), (307, "engine")),
    ],
)
async def test_every_status_has_its_category(kind: str, status: int, category: str) -> None:
    found = await failure(kind, Reply(status=status, body=complaint(kind, "some_error", "It went wrong.")))
    assert (found.type, found.retry_after_ms) == (category, None)
    assert str(status) in found.message
    assert "It went wrong." in found.message


@pytest.mark.parametrize(
    ("kind", "status", "word", "said", "category"),
    [
        ("openai", 400, "context_length_exceeded", "This model's maximum context length is 10 tokens.", "context"),
        ("openai_compatible", 400, "exceed_context_size_error", "request (9 tokens) exceeds it", "context"),
        ("openai_compatible", 422, "validation", "`inputs` tokens + `max_new_tokens` must be <= 10", "context"),
        ("anthropic", 400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "context"),
        ("anthropic", 429, "rate_limit_error", "more than 40,000 input tokens per minute", "rate_limited"),
        ("ollama", 400, "", "the input length exceeds the context length", "context"),
        ("openai", 429, "insufficient_quota", "You exceeded your current quota.", "denied"),
        ("openai", 400, "content_filter", "It was filtered.", "refusal"),
        ("openai", 404, "model_not_found", "There is no model m-1.", "engine"),
    ],
)
async def test_some_words_say_more_than_the_status(kind: str, status: int, word: str, said: str, category: str) -> None:
    found = await failure(kind, Reply(status=status, body=complaint(kind, word, said)))
    assert found.type == category


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
async def test_how_long_to_wait_is_told(kind: str, status: int, form: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    headers = {
        "seconds": {"retry-after": "7"},
        "date": {"retry-after": format_datetime(now + timedelta(seconds=7), True), "date": format_datetime(now, True)},
        "milliseconds": {"retry-after-ms": "7000", "retry-after": "8"},
    }[form]
    found = await failure(kind, Reply(status=status, body=complaint(kind, "busy", "Later."), headers=headers))
    assert found.retry_after_ms == 7000


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        *(("-5", None), ("nan", None), ("inf", None), ("soon", None), ("", None), ("0", 0), ("1.5", 1500)),
        *(("9" * 18, LONGEST_WAIT_MS), ("9" * 400, None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)),
        ("Thu, 99 Jan 9999999 00:00:00 GMT", None),
    ],
)
def test_a_strange_wait_is_none_or_a_bounded_one(said: str, wait: int | None) -> None:
    assert wait_ms({"retry-after": said}) == wait


# --- servers that do not answer


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_port_is_unavailable(kind: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with Asking(kind, f"http://127.0.0.1:{bound.getsockname()[1]}") as provider:
            with pytest.raises(Failing) as failed:
                await provider.answer(ask(), nobody)
    assert (failed.value.type, failed.value.usage) == ("unavailable", Usage())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_never_answers_is_a_timeout(kind: str) -> None:
    found = await failure(kind, Reply(silent=True), read_s=0.1)
    assert (found.type, found.usage) == ("timeout", Usage())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_dribbles_lasts_until_it_is_left(kind: str) -> None:
    dribble = b"\n" if kind == "ollama" else b": and on\n\n"
    async with Stub(Reply(body=b"", endless=dribble)) as stub, Asking(kind, stub.url) as provider:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await provider.answer(ask(), nobody)
        await stub.was_left()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("begun", [False, True], ids=["silent", "begun"])
async def test_a_call_that_is_cancelled_leaves_the_server(kind: str, begun: bool) -> None:
    heard = asyncio.Event()
    again = b"\n" if kind == "ollama" else b": and on\n\n"
    reply = Reply(body=opening(kind, "So"), endless=again) if begun else Reply(silent=True)
    async with Stub(reply) as stub, Asking(kind, stub.url) as provider:
        call = asyncio.create_task(provider.answer(ask(), lambda piece: heard.set()))
        await (heard.wait() if begun else stub.was_asked())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await stub.was_left()


# --- what is no answer


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_body_is_unavailable_and_says_so(kind: str) -> None:
    found = await failure(kind, Reply(body=b""))
    assert found.type == "unavailable"
    assert "empty body" in found.message


@pytest.mark.parametrize("kind", KINDS)
async def test_another_media_type_is_unavailable_and_says_so(kind: str) -> None:
    found = await failure(kind, Reply(body=b"<html>Log in first</html>", media="text/html"))
    assert found.type == "unavailable"
    assert "text/html" in found.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_compressed_answer_is_unavailable(kind: str) -> None:
    found = await failure(kind, Reply(headers={"content-encoding": "gzip"}))
    assert (found.type, "compressed" in found.message) == ("unavailable", True)


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_that_are_no_utf_8_are_unavailable_and_say_so(kind: str) -> None:
    found = await failure(kind, Reply(body=opening(kind, "Ahoy").replace(b"ho", b"\xff\xfe")))
    assert found.type == "unavailable"
    assert "not UTF-8" in found.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("event", ["{", "5", "null", "[]", "{}", '"no"', "[" * 200_000, '{"type":"message_delta"}'])
async def test_events_of_another_form_are_unavailable(kind: str, event: str) -> None:
    body = event if kind == "ollama" else f"event: message_delta\ndata: {event}\n\n"
    found = await failure(kind, Reply(body=body.encode()))
    assert found.type == "unavailable"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lines", [False, True], ids=["one-line", "many-pieces"])
async def test_fifty_megabytes_are_not_read_to_their_end(kind: str, lines: bool) -> None:
    piece = opening(kind, "x" * 65_536)
    reply = Reply(body=piece, endless=piece[-60_000:-100] if not lines else opening(kind, "x" * 65_536))
    async with Stub(reply) as stub, Asking(kind, stub.url) as provider:
        with pytest.raises(Failing, match="more than") as failed:
            await provider.answer(ask(), nobody)
        await stub.was_left()
    assert failed.value.type == "unavailable"
    assert stub.sent < MOST_BYTES * 2


@pytest.mark.parametrize("kind", KINDS)
async def test_a_large_refusal_is_not_read_to_its_end(kind: str) -> None:
    reply = Reply(status=400, body=b"", endless=b"x" * 65_536)
    found = await failure(kind, reply)
    assert (found.type, "more than" in found.message) == ("unavailable", True)


@pytest.mark.parametrize(
    ("kind", "word", "category"),
    [
        *(("anthropic", "overloaded_error", "unavailable"), ("anthropic", "rate_limit_error", "rate_limited")),
        *(("openai", "server_error", "unavailable"), ("openai_compatible", "rate_limit_exceeded", "rate_limited")),
        *(("openai_compatible", "400", "input"), ("ollama", "", "unavailable")),
    ],
)
async def test_an_error_in_the_middle_comes_with_what_was_used(kind: str, word: str, category: str) -> None:
    said = complaint(kind, word, "Too much.")
    framed = {"anthropic": b"event: error\ndata: %s\n\n", "ollama": b"%s\n"}.get(kind, b"data: %s\n\n")
    found = await failure(kind, Reply(body=opening(kind, "Ahoy, Captain!") + framed % said))
    assert found.type == category
    assert "Too much." in found.message
    assert found.usage is not None
    assert found.usage.tokens_in == (11 if kind == "anthropic" else 4)
    assert found.usage.tokens_out == 4


# --- keys


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_no_failure_holds_the_key(kind: str, status: int) -> None:
    said = complaint(kind, f"bad {KEY}", f"{'x' * 900} Bearer {KEY} and {KEY}" + KEY * 100)
    framed = {"anthropic": b"event: error\ndata: %s\n\n", "ollama": b"%s\n"}.get(kind, b"data: %s\n\n")
    found = await failure(kind, Reply(status=status, body=framed % said if status == 200 else said))
    told = Failure()
    DefaultFailureConverter().to_failure(found, DefaultPayloadConverter(), told)
    assert "bad" in str(told) or kind == "ollama"
    assert KEY[:8] not in str(told)
    assert not told.HasField("cause")


@pytest.mark.parametrize("kind", KINDS)
async def test_no_failure_holds_the_key_that_came_back_as_a_page(kind: str) -> None:
    found = await failure(kind, Reply(status=403, body=f"<p>{KEY}</p>".encode(), media=f"text/{KEY}"))
    again = await failure(kind, Reply(media=f"text/{KEY}"))
    assert KEY not in f"{found} {found.details} {again} {again.details}"
