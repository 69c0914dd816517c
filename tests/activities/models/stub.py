"""A model server on a free port that speaks the protocols of all providers, and goes wrong as it is told."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from activities.models.endpoints import Endpoint, opened
from activities.models.protocol import Ask, Message, Provider
from manifests.plan import ModelSpec

KINDS = ("openai", "openai_compatible", "anthropic", "ollama")
KEY = "sk-test-4f9a8b7c6d5e"
PATIENCE = 10


@dataclass(frozen=True)
class Said:
    """An answer, in the words of no protocol."""

    pieces: tuple[str, ...] = ("Ahoy, ", "märi!")
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    finish: str = "stop"
    tokens_in: int = 11
    tokens_out: int = 7
    cached: int = 4
    reasoning: int = 2

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True)
class Reply:
    """What comes back for a request: as a stream that is cut off after so many bytes, without end, or not at all."""

    status: int = 200
    body: bytes | None = None
    said: Said = Said()
    headers: dict[str, str] = field(default_factory=dict)
    media: str | None = None
    cut: int | None = None
    chunked: bool = False
    endless: bytes = b""
    silent: bool = False


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    is_get: bool = False


NONE = Reply(status=404, body=b"{}")


def page(value: Any, status: int = 200) -> Reply:
    """What a server says of itself."""
    return Reply(status=status, body=_dumped(value), media="application/json")


class Serving(ABC):
    """A server on a free port for the length of an `async with`; nothing of it is left after that."""

    def __init__(self) -> None:
        self._working: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._working.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._serve(reader, writer):
                    pass
        finally:
            self._working.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether there may be another on this connection."""


class Stub(Serving):
    """`async with Stub() as stub`; replies come in order, and the last one again and again.

    `pages` are what it says of itself, whatever its replies are.
    """

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies) or [Reply()]
        self.pages: dict[str, Reply] = {}
        self.asked: list[Asked] = []
        self.looked: list[Asked] = []
        self.refuses: str | None = None
        self.refusal = page({"error": {"message": "a text is no text", "type": "invalid_request_error"}}, 400)
        self.at_once = self._now = 0
        self.left = asyncio.Event()
        self.sent = 0
        # Cleared, it holds up every answer.
        self.go = asyncio.Event()
        self.go.set()
        self._reached = asyncio.Event()

    async def was_asked(self) -> None:
        await asyncio.wait_for(self._reached.wait(), PATIENCE)

    async def was_left(self) -> None:
        """Waits for a client that goes before it has its answer."""
        await asyncio.wait_for(self.left.wait(), PATIENCE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether there may be another on this connection."""
        asked = await request_of(reader)
        if asked.path in self.pages or asked.is_get:
            self.looked.append(asked)
            reply = self.pages.get(asked.path, NONE)
        else:
            self.asked.append(asked)
            self._reached.set()
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            await self._held_up()
            if self.refuses is not None and self.refuses in asked.body.get("input", ()):
                reply = self.refusal
        if reply.silent:
            await self._until_left(reader)
            return False
        body = stream(asked.path, asked.body, reply.said) if reply.body is None else reply.body
        media = reply.media or (_media(asked.path) if reply.status == 200 else "application/json")
        framing = {"transfer-encoding": "chunked"} if reply.chunked else {"connection": "close"}
        head = {"content-type": media, **framing, **reply.headers}
        writer.write(f"HTTP/1.1 {reply.status} Said\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n")
        try:
            await self._send(writer, body[: reply.cut], reply)
        except ConnectionError:
            self.left.set()
            raise
        return reply.chunked and reply.cut is None

    async def _held_up(self) -> None:
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await self.go.wait()
        finally:
            self._now -= 1

    async def _send(self, writer: asyncio.StreamWriter, body: bytes, reply: Reply) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(body), body) if reply.chunked and body else body)
        await writer.drain()
        while reply.endless:
            writer.write(reply.endless)
            self.sent += len(reply.endless)
            await writer.drain()
            await asyncio.sleep(0)
        if reply.chunked and reply.cut is None:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def _until_left(self, reader: asyncio.StreamReader) -> None:
        await reader.read()
        self.left.set()


async def request_of(reader: asyncio.StreamReader) -> Asked:
    line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(line.split()[1], headers, json.loads(body or b"{}"), line.startswith("GET"))


def _media(path: str) -> str:
    if path in ("/v1/embeddings", "/api/embed"):
        return "application/json"
    return "application/x-ndjson" if path == "/api/chat" else "text/event-stream; charset=utf-8"


# --- what the protocols look like on the wire


def stream(path: str, asked: dict[str, Any], said: Said) -> bytes:
    match path:
        case "/api/chat":
            return b"".join(_dumped(each) + b"\n" for each in _ollama(said))
        case "/v1/messages":
            forced = asked.get("tool_choice", {}).get("type") == "tool"
            return b"".join(
                b"event: %s\ndata: %s\n\n" % (each["type"].encode(), _dumped(each)) for each in _anthropic(said, forced)
            )
        case "/v1/embeddings":
            rows = [{"index": place, "embedding": vector(text)} for place, text in enumerate(asked["input"])]
            return _dumped({"data": rows[::-1], "usage": {"prompt_tokens": said.tokens_in}})
        case "/api/embed":
            found = [vector(text) for text in asked["input"]]
            return _dumped({"embeddings": found, "prompt_eval_count": said.tokens_in})
        case "/v1/chat/completions":
            return b"".join(b"data: %s\n\n" % _dumped(each) for each in _openai(said)) + b"data: [DONE]\n\n"
    raise AssertionError(path)


def vector(text: str) -> list[float]:
    return [float(len(text)), 0.5]


def _dumped(value: Any) -> bytes:
    """In UTF-8; halves of characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def _openai(said: Said) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in said.pieces]
    for place, (tool, arguments) in enumerate(said.calls):
        text = json.dumps(arguments)
        first = {"name": tool, "arguments": text[:3]}
        deltas.append({"tool_calls": [{"index": place, "id": f"c{place}", "type": "function", "function": first}]})
        deltas.append({"tool_calls": [{"index": place, "function": {"arguments": text[3:]}}]})
    chunks = [{"model": "m-1", "choices": [{"index": 0, "delta": each}]} for each in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": said.finish}]})
    usage = {
        "prompt_tokens": said.tokens_in,
        "completion_tokens": said.tokens_out,
        "prompt_tokens_details": {"cached_tokens": said.cached},
        "completion_tokens_details": {"reasoning_tokens": said.reasoning},
    }
    return [*chunks, {"choices": [], "usage": usage}]


def _anthropic(said: Said, forced: bool) -> list[dict[str, Any]]:
    usage = {"input_tokens": said.tokens_in - said.cached, "cache_read_input_tokens": said.cached, "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"model": "m-1", "usage": usage}}]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if forced:
        pieces = [{"type": "input_json_delta", "partial_json": each} for each in said.pieces]
        blocks.append(({"type": "tool_use", "id": "c0", "name": "answer", "input": {}}, pieces))
    elif said.pieces:
        deltas = [{"type": "text_delta", "text": each} for each in said.pieces]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for place, (tool, arguments) in enumerate(said.calls):
        text = json.dumps(arguments)
        pieces = [{"type": "input_json_delta", "partial_json": each} for each in (text[:3], text[3:])]
        blocks.append(({"type": "tool_use", "id": f"c{place}", "name": tool, "input": {}}, pieces))
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": each} for each in deltas]
        events.append({"type": "content_block_stop", "index": index})
    reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[said.finish]
    thought = {"output_tokens": said.tokens_out, "output_tokens_details": {"thinking_tokens": said.reasoning}}
    events.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": thought})
    return [*events, {"type": "message_stop"}]


def _ollama(said: Said) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [{"message": {"content": each}} for each in said.pieces]
    lines += [{"message": {"tool_calls": [{"function": {"name": t, "arguments": w}}]}} for t, w in said.calls]
    counts = {"prompt_eval_count": said.tokens_in, "eval_count": said.tokens_out}
    return [*lines, {"model": "m-1", "message": {"content": ""}, "done": True, "done_reason": said.finish, **counts}]


def complaint(kind: str, word: str, message: str) -> bytes:
    """An error in the words of a provider."""
    if kind == "ollama":
        return _dumped({"error": message})
    if kind == "anthropic":
        return _dumped({"type": "error", "error": {"type": word, "message": message}})
    return _dumped({"error": {"message": message, "type": word, "param": None, "code": word}})


# --- who asks


def spec(kind: str, url: str, **more: Any) -> ModelSpec:
    """A model at this address; those of OpenAI and its kin have theirs one folder down."""
    address = f"{url}/v1" if kind.startswith("openai") else url
    facts = {"base_url": address, "api_key": {"secret": "KEY"}, "pool": "default", "context": 8192, **more}
    return ModelSpec(provider=kind, model="m-1", **facts)


class Asking:
    """`async with Asking(kind, stub.url) as provider`, one without a breaker, closed at the end."""

    def __init__(self, kind: str, url: str, *, read_s: float = PATIENCE) -> None:
        self._provider = opened(Endpoint(kind, str(spec(kind, url).base_url), KEY), read_s)

    async def __aenter__(self) -> Provider:
        return self._provider

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._provider.close()


def ask(*messages: Message, **more: Any) -> Ask:
    given = messages or (Message("user", "Who is there?"),)
    return Ask(model="m-1", messages=given, **{"max_output": 100, "context": 8192, **more})


def nobody(piece: str) -> None:
    """Does not listen."""
