"""Health checks over HTTP: `/healthz` says that the process lives, `/readyz` that it works and reaches Temporal.

Next to a model server it works while that is well, and `/readyz` says what is not.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import closing, suppress
from types import TracebackType

from temporalio.client import Client
from temporalio.service import RPCError

from activities.models.endpoints import Endpoints
from workers.pools import Pool


class Health:
    def __init__(self, client: Client, address: str | None, pool: Pool | None, endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints
        self._pool = pool
        self._address = address
        self._server: asyncio.Server | None = None
        self.ready = False

    async def __aenter__(self) -> Health:
        if self._address is not None:
            host, _, port = self._address.rpartition(":")
            self._server = await asyncio.start_server(self._answer, host or "127.0.0.1", int(port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A line that is too long is a ValueError.
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            request = await asyncio.wait_for(reader.readline(), 5)
            path = request.split()[1].decode("latin-1") if len(request.split()) > 1 else ""
            status, body = await self._status(path)
            data = json.dumps(body).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + data)
            await writer.drain()

    async def _status(self, path: str) -> tuple[str, dict[str, object]]:
        match path:
            case "/healthz":
                return "200 OK", {"alive": True}
            case "/readyz":
                pool = {} if self._pool is None else self._pool.as_json()
                ready = self.ready and await self._reaches_temporal() and pool.get("healthy", True)
                facts = {"ready": ready, "resting": self._endpoints.resting, **pool}
                return ("200 OK" if ready else "503 Service Unavailable"), facts
        return "404 Not Found", {"paths": ["/healthz", "/readyz"]}

    async def _reaches_temporal(self) -> bool:
        try:
            return await asyncio.wait_for(self._client.service_client.check_health(), 3)
        except (RPCError, TimeoutError):
            return False
