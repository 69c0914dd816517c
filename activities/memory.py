"""Memory nodes, answered by contract."""

from __future__ import annotations

from typing import Any

from temporalio import activity

from activities.context.pieces import Memo
from activities.contracts import Recall, Remember, Result
from activities.failing import Failing
from activities.script import Script


class Scripted:
    """The memories of a scenario, in the order that it has them; nothing is searched."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def recall(self, source: str, query: str, k: int, policy: str, tenant: str) -> list[Memo]:
        found = [
            Memo(f"{source}-{place}", str(each.get("text", "")), each.get("importance", 1.0))
            for place, each in enumerate(self._script.memories(source))
        ]
        return found[:k]


class MemoryActivities:
    def __init__(self, script: Script | None) -> None:
        self._script = script

    @activity.defn(name="memory.recall")
    async def recall(self, request: Recall) -> Result:
        if self._script is None:
            raise Failing("engine", f"this worker has no memory yet: {request.name!r} cannot be read")
        items: list[dict[str, Any]] = [
            {"id": f"{request.name}-{place}", "text": str(each.get("text", "")), "score": 1.0}
            for place, each in enumerate(self._script.memories(request.name))
        ][: request.arguments.get("k", 8)]
        return Result(output={"items": items, "text": "\n".join(str(item["text"]) for item in items)})

    @activity.defn(name="memory.remember")
    async def remember(self, request: Remember) -> Result:
        if self._script is None:
            raise Failing("engine", f"this worker has no memory yet: {request.store!r} cannot be written")
        return Result(output=self._script.did(request, f"remember {request.store}", {"id": request.key}))
