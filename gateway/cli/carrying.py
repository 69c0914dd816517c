"""One run from its start to its end, with the server and the workers that it takes."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.blobs import Keeper
from gateway.cli.asking import Answers
from gateway.cli.crew import Crew, pollers
from gateway.cli.following import Follower
from gateway.cli.live import Screen, screen
from gateway.cli.misuse import Trouble
from gateway.cli.runs import Handle, Outcome, looked, outcome
from gateway.cli.servers import Server, found_or_started, others_have_left
from gateway.cli.telling import end_told
from gateway.cli.terminal import Painter
from gateway.cli.wanted import Wanted
from workers.building import world
from workers.settings import Settings

LONGEST_CANCEL = 30.0


async def started(server: Server, order: Wanted, queue: str) -> Handle:
    """Raises `Trouble` when there is such a run already."""
    try:
        handle: Handle = await server.client.start_workflow(
            order.plan.name, args=[order.input, order.options], id=order.id, task_queue=queue
        )
    except WorkflowAlreadyStartedError:
        raise Trouble(f"a run {order.id!r} is open already; `haul watch {order.id}` follows it") from None
    return handle


class Haul:
    def __init__(self, order: Wanted, settings: Settings, arguments: Namespace) -> None:
        self._order, self._settings = order, settings
        self._color, self._json, self._alone = arguments.color, arguments.json, arguments.alone
        self._interrupted = False
        self._paint = Painter.chosen(arguments.color, sys.stderr)

    async def carry_out(self, script: Path | None, timeout: float | None) -> Outcome:
        """What became of it, or how far it is when somebody would not wait for that; raises `Trouble`."""
        if script is None:
            return await self._in(self._settings, timeout, alone=self._alone)
        with tempfile.TemporaryDirectory(prefix="haul-") as home:
            more = {"script": script, "effects": self._settings.effects, "home": Path(home)}
            return await self._in(self._settings.model_copy(update=more), timeout, alone=True)

    async def _in(self, settings: Settings, timeout: float | None, *, alone: bool) -> Outcome:
        shared = world(settings)
        shared.plans.add(self._order.compiled)
        with _interrupts() as interrupts:
            async with (
                found_or_started(settings, alone=alone) as server,
                Crew(server.client, self._order.plan, settings) as crew,
            ):
                handle = await started(server, self._order, settings.queue)
                ended = await self._followed(server, crew, handle, shared.keeper, timeout, interrupts)
                if server.own is not None:
                    await others_have_left(settings.home)
        if self._interrupted or ended.status == "running":
            self._say_goodbye(ended, server, settings.home)
        return ended

    async def _followed(
        self, server: Server, crew: Crew, handle: Handle, keeper: Keeper, timeout: float | None,
        interrupts: asyncio.Queue[int],
    ) -> Outcome:  # fmt: skip
        began = time.monotonic()
        link = server.link(handle.id, handle.first_execution_run_id or "") or server.address
        view = screen(handle.id, link, self._order.plan, self._color, sys.stderr, json=self._json)
        ask = not self._json and sys.stdin.isatty() and sys.stderr.isatty()
        answers = Answers(handle, self._order.answers, view, ask=ask)
        follower = Follower(server.client, handle, view, answers, _watched(server, crew))
        follower.unanswered = lambda: _called_in(server, crew, follower, self._settings.queue)
        for name, brought in self._order.signals.items():
            for each in brought:
                await handle.signal(name, each)
        end = asyncio.create_task(outcome(handle, keeper))
        told = asyncio.create_task(interrupts.get())
        limit = asyncio.create_task(asyncio.sleep(timeout if timeout is not None else 10**8))
        try:
            await follower.until([end, told, limit])
            self._interrupted = told.done()
            if told.done() and not end.done():
                await self._cancelled(handle, view, end, interrupts)
            if end.done():
                return self._shown(end.result(), view, time.monotonic() - began)
            ended = Outcome(handle.first_execution_run_id or "", handle.id)
            await looked(ended, handle, 2)
            return ended
        finally:
            for task in (end, told, limit):
                task.cancel()
            await asyncio.gather(end, told, limit, return_exceptions=True)

    def _shown(self, ended: Outcome, view: Screen, seconds: float) -> Outcome:
        if ended.state is not None:
            view.show({**ended.state, "status": ended.status}, [])
        if not self._json:
            view.say(end_told(ended, seconds, self._paint))
        return ended

    async def _cancelled(
        self, handle: Handle, view: Screen, end: asyncio.Task[Outcome], interrupts: asyncio.Queue[int]
    ) -> None:
        """Asks the run to end, and leaves it to itself when it takes too long or when asked a second time."""
        if not self._json:
            view.say("asking the run to cancel; again to leave it to itself")
        await handle.cancel(reason="interrupted at the terminal")
        again = asyncio.create_task(interrupts.get())
        await asyncio.wait([end, again], timeout=LONGEST_CANCEL, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()

    def _say_goodbye(self, ended: Outcome, server: Server, home: Path) -> None:
        """How to look at a run later that somebody has turned away from."""
        id, open_ = ended.workflow_id, ended.status == "running"
        said = f"{id} {'has not ended' if open_ else f'is {ended.status}'}"
        if server.own is None:
            said += f"; `haul {'watch' if open_ else 'show'} {id}` looks at it"
        elif home != self._settings.home:
            said += "; its server was only for this run, and is gone with all that it knew"
        else:
            again = ", and the run goes on" if open_ else ""
            said += f"; its server was only for this run and is gone. `haul dev --home {home}` starts it again{again}"
        print(said, file=sys.stderr)


def _watched(server: Server, crew: Crew) -> dict[asyncio.Task[Any], str]:
    watched: dict[asyncio.Task[Any], str] = {}
    if server.own is not None:
        watched[asyncio.create_task(server.own.wait())] = "the Temporal server of this run ended"
    if crew.work is not None:
        watched[crew.work] = "the workers of this run ended"
    return watched


async def _called_in(server: Server, crew: Crew, follower: Follower, queue: str) -> None:
    """Those who were seen on the queue do not answer: on our own machine, or once they are gone, we do the work."""
    if crew.work is None and (server.facts is not None or not await pollers(server.client, queue, runs=True)):
        crew.call_in()
        assert crew.work is not None
        follower.watch(crew.work, "the workers of this run ended")


@contextmanager
def _interrupts() -> Iterator[asyncio.Queue[int]]:
    """Ctrl-C and SIGTERM, one by one."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int] = asyncio.Queue()
    handled = (signal.SIGINT, signal.SIGTERM)
    for each in handled:
        loop.add_signal_handler(each, queue.put_nowait, int(each))
    try:
        yield queue
    finally:
        for each in handled:
            loop.remove_signal_handler(each)
