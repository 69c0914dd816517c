"""A model server that takes so many milliseconds for an answer and gives so many at once, in a process of its own.

    python benchmarks/model_stub.py MILLISECONDS SLOTS

Prints its port, and serves OpenAI's protocol until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

ANSWER = '{"word": "A"}'


def _stream() -> bytes:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    chunks: list[dict[str, Any]] = [
        {"model": "stub", "choices": [{"index": 0, "delta": {"content": ANSWER}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks) + b"data: [DONE]\n\n"


BODY = _stream()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(BODY)


async def serve(seconds: float, slots: asyncio.Semaphore) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                async with slots:
                    await asyncio.sleep(seconds)
                writer.write(HEAD + BODY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000, asyncio.Semaphore(int(sys.argv[2]))))
