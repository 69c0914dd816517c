"""Answers of models, to be used again for an identical request of the same tenant."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from activities.contracts import ToolCalled, Usage
from activities.models.protocol import Ask, Heard
from activities.store.place import Store, Unusable

if TYPE_CHECKING:
    from activities.store.database import Database

T = TypeVar("T")
# Seconds that a call of a model waits for the store.
LONGEST_WAIT = 1.0
_log = logging.getLogger(__name__)


def key_of(ask: Ask, provider: str, address: str, tenant: str) -> str:
    """All that an answer depends on, and whose it is."""
    messages = [each.as_json() for each in ask.messages]
    request = [tenant, provider, address, asdict(ask) | {"messages": messages}]
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class Cache:
    """Without the store there is no answer to be used again, and none is kept; nothing fails for want of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> Heard | None:
        """It costs nothing."""

        async def found(database: Database) -> Heard | None:
            from activities.store.responses import found

            value = await found(database, key, datetime.now(UTC))
            return None if value is None else _heard(json.loads(value))

        return await self._soon(found)

    async def put(self, key: str, heard: Heard, ttl_ms: int) -> None:
        facts = {"text": heard.text, "model": heard.model, "calls": [each.model_dump() for each in heard.calls]}
        now = datetime.now(UTC)

        async def kept(database: Database) -> None:
            from activities.store.responses import keep

            await keep(database, key, json.dumps(facts), now, now + timedelta(milliseconds=ttl_ms))

        await self._soon(kept)

    async def _soon(self, work: Callable[[Database], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await work(await self._store.database())
        except TimeoutError:
            self._store.failed(Unusable("the store does not answer in time"))
        except Unusable as error:
            self._store.failed(error)
        except Exception:
            _log.exception("the cache fails in a way that it does not know")
        return None


def _heard(facts: dict[str, Any]) -> Heard:
    calls = tuple(ToolCalled.model_validate(each) for each in facts["calls"])
    return Heard(facts["text"], calls, Usage(), facts["model"], "stop")
