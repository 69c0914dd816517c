"""A worker process for tests that can be told to kill itself, to be slow, and to write down where it could have died.

`python -m tests.faults.worker [options]`, with its settings from the environment, as a worker of ours has them.
`--nest` starts none: it waits with everything imported, and forks a worker for each line of options that it reads.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import dataclasses
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Plugin as ClientPlugin
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from activities.contracts import Call
from activities.script import Script
from workers.building import ROLES, Role, World, world
from workers.connection import connect
from workers.serving import serve
from workers.settings import Settings

_PR_SET_PDEATHSIG = 1
# What a step came to has been reported by then, and what follows from it has begun.
SOON = 0.02


class Fate:
    """Counts the steps of this process, writes each down, and ends the process at the one that is named."""

    def __init__(self, end: str | None, log: Path | None) -> None:
        self._end = end
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else None
        self._counts: Counter[str] = Counter()

    def count(self, what: str) -> str:
        self._counts[what] += 1
        return f"{what}:{self._counts[what]}"

    def step(self, name: str, side: str, about: str) -> None:
        point = f"{name}:{side}"
        if self._log is not None:
            os.write(self._log, (json.dumps({"point": point, "about": about}) + "\n").encode())
        if point == self._end:
            _die()
        if f"{name}:soon" == self._end and side == "after":
            threading.Timer(SOON, _die).start()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class FatalActivities(Interceptor):
    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _FatalActivity(next, self._fate)


class _FatalActivity(ActivityInboundInterceptor):
    """Before it does anything, and when it has done all but report."""

    def __init__(self, next: ActivityInboundInterceptor, fate: Fate) -> None:
        super().__init__(next)
        self._fate = fate

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        kind = "local" if info.is_local else "activity"
        name, about = self._fate.count(kind), f"{info.activity_type} {info.activity_id} of {info.workflow_run_id}"
        self._fate.step(name, "before", about)
        try:
            return await super().execute_activity(input)
        finally:
            self._fate.step(name, "after", about)


class FatalRunner(UnsandboxedWorkflowRunner):
    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def watched(act: Any) -> Any:
            """Before a run hears what is new, and when it has decided but not said what to do."""
            name = self._fate.count("task")
            self._fate.step(name, "before", str(act.history_length))
            completion = activate(act)
            self._fate.step(name, "after", str(act.history_length))
            return completion

        instance.activate = watched  # type: ignore[method-assign]
        return instance


class SlowScript(Script):
    """Tools take so many seconds, before their effect and again after it."""

    seconds = 0.0

    def tool(self, call: Call, tool: str) -> Any:
        time.sleep(self.seconds)
        answer = super().tool(call, tool)
        time.sleep(self.seconds)
        return answer


def options(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nest", action="store_true")
    parser.add_argument("--roles", default=",".join(ROLES))
    parser.add_argument("--end", help="task, activity or local : number : before, after or soon (after)")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--slow", type=float, default=0.0)
    return parser.parse_args(argv)


async def work(chosen: argparse.Namespace) -> None:
    fate = Fate(chosen.end, chosen.log)
    plugin: ClientPlugin = SimplePlugin(
        "fate", interceptors=[FatalActivities(fate)], workflow_runner=lambda _: FatalRunner(fate)
    )
    client = await connect(plugins=[plugin])
    roles: tuple[Role, ...] = tuple(role for role in ROLES if role in chosen.roles.split(","))
    await serve(client, roles, _slowed(world(Settings()), chosen.slow))


def _slowed(shared: World, seconds: float) -> World:
    if shared.script is None or not seconds:
        return shared
    slow = SlowScript(shared.script._scenario, shared.script._effects)
    slow.seconds = seconds
    return dataclasses.replace(shared, script=slow)


def nest() -> None:
    """Forks a worker for each line `{"argv": […], "env": {…}, "output": …}` and answers with its number.

    The dead are buried at the next line and no sooner, so that a number stays that of its process for that long.
    """
    for line in sys.stdin:
        order = json.loads(line)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pid = os.fork()
        if pid == 0:
            _hatch(order)
        print(pid, flush=True)


def _hatch(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in (1, 2):
        os.dup2(log, number)
    os.environ.update(order["env"])
    main(order["argv"])
    sys.exit(0)


def main(argv: list[str] | None = None) -> None:
    chosen = options(argv)
    if chosen.nest:
        nest()
        return
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(work(chosen))


if __name__ == "__main__":
    main()
