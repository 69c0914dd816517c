"""HTTP to model servers: one client for an endpoint, and what is no answer is not read on."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import httpx2

from activities.models.protocol import READ_S, Spoiled

# Bytes of one answer, with all that is around its text.
MOST_BYTES = 16 * 1024 * 1024
# Seconds to be let in.
CONNECT_S = 10.0
# Seconds for a connection to come to the end of an answer that is whole: it can be used again then.
LINGER_S = 0.1
# Seconds that a connection is kept which nobody uses: uvicorn (vLLM, SGLang) and llama.cpp close it after five, and
# what is sent at that very moment is lost.
IDLE_S = 4.0


def client(*media: str, read_s: float = READ_S, headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    """`media` are the types that an answer may have. Compression could hide how large an answer is."""

    async def judge(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Spoiled("its answer is compressed, although it was asked not to")
        said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.is_success and said and said not in media:
            raise Spoiled(f"its answer is {said} and not {media[0]}")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)

    return httpx2.AsyncClient(
        verify=_trust(),
        timeout=httpx2.Timeout(read_s, connect=CONNECT_S, pool=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_S),
        headers={"accept-encoding": "identity", **(headers or {})},
        event_hooks={"response": [judge]},
    )


@cache
def _trust() -> ssl.SSLContext:
    """Reading the certificates of a machine takes a while: once is enough."""
    return httpx2.create_ssl_context()


@contextmanager
def reading() -> Iterator[None]:
    """What is not as its protocol has it comes to light as it is read."""
    try:
        yield
    except UnicodeDecodeError:
        raise Spoiled("its answer is not UTF-8") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Spoiled(f"its answer is not as its protocol has it ({type(error).__name__})") from None


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise Spoiled(f"its answer has more than {MOST_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Line by line, in strict UTF-8."""
    waiting: list[bytes] = []
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*waiting, line]).decode()
            waiting.clear()
        waiting.append(rest)
    if last := b"".join(waiting):
        yield last.decode()


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """What a server sends as events with JSON in them, until it says that it is done."""
    said, data = lines(chunks), list[str]()
    async for line in said:
        name, _, part = line.partition(":")
        if name == "data" and part.strip() == "[DONE]":
            break
        if name == "data":
            data.append(part)
        elif data and not line.strip():
            yield json.loads("".join(data))
            data.clear()
    if data:
        yield json.loads("".join(data))
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            async for _ in said:
                pass
