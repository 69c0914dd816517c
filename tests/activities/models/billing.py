"""A model server that bills: it keeps to the limit of an answer, and writes a receipt for what it said and to whom."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.activities.models.stub import request_of


@dataclass
class Receipt:
    """`heard` is whether the client stayed to the end."""

    tokens_in: int
    tokens_out: int = 0
    most: int = 0
    heard: bool = False

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


class Billing:
    """Says as many words as the prompt wants (`say 30`), a token each, with a `pause` after each; half without `go`."""

    def __init__(self, pause: float = 0.0) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.receipts: list[Receipt] = []
        self.at_once = self.most_at_once = 0
        self._pause = pause
        self._working: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Billing:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
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
                asked = (await request_of(reader)).body
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await self._answer(asked, writer)
                finally:
                    self.at_once -= 1
        finally:
            self._working.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        said = " ".join(each["content"] for each in asked["messages"])
        receipt = Receipt(len(said) // 4, most=asked["max_tokens"])
        self.receipts.append(receipt)
        wanted = int((re.findall(r"say (\d+)", said) or ["5"])[-1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for place in range(min(wanted, receipt.most)):
            if 2 * place >= wanted:
                await self.go.wait()
            await _send(writer, {"choices": [{"index": 0, "delta": {"content": "word "}}]})
            receipt.tokens_out += 1
            await asyncio.sleep(self._pause)
        finish = "length" if wanted > receipt.most else "stop"
        await _send(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        usage = {"prompt_tokens": receipt.tokens_in, "completion_tokens": receipt.tokens_out}
        await _send(writer, {"choices": [], "usage": usage})
        receipt.heard = True


async def _send(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    writer.write(b"data: %s\n\n" % json.dumps(event).encode())
    await writer.drain()
    if writer.transport.is_closing():
        raise ConnectionError
