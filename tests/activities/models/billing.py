"""A model server that bills: it keeps to the limit of an answer, and writes a receipt for what it said and to whom."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from tests.activities.models.stub import Serving, request_of


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


class Billing(Serving):
    """Says as many words as the prompt wants (`say 30`), a token each, with a `pause` after each; half without `go`."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()
        self.receipts: list[Receipt] = []
        self.at_once = self.most_at_once = 0
        self._pause = pause

    async def said(self, words: int) -> None:
        """Waits until the first answer has so many words."""
        async with asyncio.timeout(60):
            while not self.receipts or self.receipts[0].tokens_out < words:
                await asyncio.sleep(0.02)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = (await request_of(reader)).body
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._answer(asked, writer)
        finally:
            self.at_once -= 1
        return False

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
