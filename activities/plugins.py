"""Messages out: through the plugins of a manifest."""

from __future__ import annotations

import asyncio
import fcntl
import json
from pathlib import Path

from temporalio import activity

from activities.contracts import Emit, Result
from activities.failing import Failing
from activities.plans import Plans
from activities.script import Script


class PluginActivities:
    def __init__(self, plans: Plans, script: Script | None) -> None:
        self._plans = plans
        self._script = script

    @activity.defn(name="plugins.emit")
    async def emit(self, request: Emit) -> Result:
        if self._script is not None:
            return Result(output=self._script.did(request, f"emit {request.plugin}", {"id": request.key}))
        spec = self._plans.by_hash(request.plan).plugins[request.plugin]
        if spec.uses != "haulage.jsonl":
            raise Failing(
                "engine", f"the plugin {request.plugin!r} uses {spec.uses!r}, which is not on this worker yet"
            )
        await asyncio.to_thread(_append, Path(spec.settings["path"]), request)
        return Result(output={"id": request.key})


def _append(path: Path, request: Emit) -> None:
    """One line for each key: a message that is sent again after a crash stands there once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if any(json.loads(line).get("id") == request.key for line in file):
            return
        line = {"id": request.key, "node": request.node, "tenant": request.tenant, "message": request.message}
        file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")
