"""Health checks answer whatever they are asked, or hang up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from tests.workers.test_worker_command import free_port
from workers.health import Health


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"\r\n", b"HTTP/1.1 404 Not Found"),
        (b"G" * 70_000 + b"\n", b""),
    ],
    ids=["healthz", "no UTF-8", "nothing", "too long"],
)
async def test_what_is_no_question_does_no_harm(asked: bytes, said: bytes, temporal: Client) -> None:
    wrong: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: wrong.append(context))
    port = free_port()
    async with Health(temporal, f"127.0.0.1:{port}", None, Endpoints(Secrets({}))):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        try:
            found = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            found = b""
        writer.close()
    assert (found.partition(b"\r\n")[0], wrong) == (said, [])
