"""What `haul dev` does: a server, workers for all that the bundles need, and both gone at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shlex
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.bundles import examined
from gateway.cli.crew import pools_of, settled
from gateway.cli.servers import has_namespace
from gateway.cli.terminal import Painter, visible
from gateway.cli.wanted import bundles_in
from manifests.plan import Plan
from workers.building import ROLES, world
from workers.connection import connect
from workers.embedded import PREFERRED, EmbeddedServer, Facts
from workers.serving import serve
from workers.settings import Settings

# A worker whose server is gone waits for it in vain when it drains.
LONGEST_DRAIN_ALONE = 5.0


class Development:
    def __init__(self, settings: Settings, arguments: Namespace) -> None:
        self._stock, self._port = arguments.stock, arguments.port
        self._paint = Painter.chosen(arguments.color, sys.stdout)
        self._plans, self._broken = _served(settings.bundles)
        pools = sorted({pool for plan in self._plans for pool in pools_of(plan)} | set(settings.pool))
        self._settings = settings.model_copy(update={"pool": pools, "server": None})

    async def carry_out(self) -> bool:
        """Until it is told to stop; False when something ended by itself. Raises `ServerTrouble`."""
        stop = asyncio.Event()
        server = EmbeddedServer(self._settings.home, stock=self._stock, port=self._port)
        with _signals(stop):
            facts = await server.start()
            try:
                with _log(self._settings.home):
                    return await self._work(server, facts, stop)
            finally:
                await server.stop()

    async def _work(self, server: EmbeddedServer, facts: Facts, stop: asyncio.Event) -> bool:
        client = await connect(facts.address)
        await has_namespace(client)
        work = asyncio.create_task(serve(client, ROLES, world(self._settings), stop=stop))
        gone = asyncio.create_task(server.wait())
        told = asyncio.create_task(stop.wait())
        try:
            ready = asyncio.create_task(settled(client, [(self._settings.queue, True)]))
            await asyncio.wait([ready, work, gone, told], return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                self._tell(facts)
            ready.cancel()
            await asyncio.wait([work, gone, told], return_when=asyncio.FIRST_COMPLETED)
            return self._ended(work, gone, told)
        finally:
            stop.set()
            await asyncio.wait([work], timeout=LONGEST_DRAIN_ALONE if gone.done() else None)
            for task in (work, gone, told):
                task.cancel()
            await asyncio.gather(work, gone, told, return_exceptions=True)

    def _ended(self, work: asyncio.Task[None], gone: asyncio.Task[int], told: asyncio.Task[bool]) -> bool:
        if told.done():
            print("stopping: what is under way is finished first", flush=True)
            return True
        if gone.done():
            said = f"the Temporal server ended by itself (status {gone.result()}); its log: {self._home / 'server.log'}"
            print(self._paint.bad(said), file=sys.stderr)
            print("`haul dev` starts it again, and open runs go on where they stand", file=sys.stderr)
            return False
        print(self._paint.bad(f"the workers ended by themselves: {work.exception()}"), file=sys.stderr)
        return False

    @property
    def _home(self) -> Path:
        return self._settings.home

    def _tell(self, facts: Facts) -> None:
        names = [plan.name for plan in self._plans]
        label, settings = self._paint.label, self._settings
        kind = "with Temporal's own settings" if facts.stock else "tuned"
        rows = [
            ("server", f"{facts.address}  {self._paint.faint(kind)}"),
            ("UI", facts.ui),
            ("workers", f"run, tools, memory, models ({', '.join(settings.pool)})"),
            ("bundles", ", ".join(map(visible, names)) or "none"),
            *[("", self._paint.bad(f"{each} does not compile: haul check {each}")) for each in self._broken],
            ("data", f"{self._home}  {self._paint.faint('(logs: server.log, workers.log)')}"),
        ]
        if settings.script:
            rows.append(("script", str(settings.script)))
        print("\n".join(f"{label(f'{name:<9}')}{text}" for name, text in rows))
        if names:
            print(f"\n{self._paint.faint('Try in another terminal:')}\n{self._hints(facts, names)}")
        print(f"\n{self._paint.faint('Ctrl-C ends it; open runs go on with the next `haul dev`.')}", flush=True)

    def _hints(self, facts: Facts, names: list[str]) -> str:
        name = "hello" if "hello" in names else names[0]
        given = json.dumps({"name": "Ada"} if name == "hello" else {})
        usual = facts.address.endswith(f":{PREFERRED['grpc']}")
        home = "" if self._home == Path(".haulage") else f" --home {shlex.quote(str(self._home))}"
        start = f"temporal workflow start --type {name} --task-queue {self._settings.queue} --input '{given}'"
        more = " --input name=Ada" if name == "hello" else ""
        return f"  haul run {name}{more}{home}\n  {start}{'' if usual else f' --address {facts.address}'}"


def _served(folders: list[Path]) -> tuple[list[Plan], list[Path]]:
    """The plans of the bundles, and the bundles that do not compile."""
    plans, broken = [], []
    for folder in bundles_in(folders):
        verdict = examined(folder)
        if isinstance(verdict, list):
            broken.append(folder)
        else:
            plans.append(verdict)
    return plans, broken


@contextmanager
def _log(home: Path) -> Iterator[None]:
    """What the SDK has to say goes to a file; the terminal stays calm."""
    handler = logging.FileHandler(home / "workers.log", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    for each in handled:
        loop.add_signal_handler(each, stop.set)
    try:
        yield
    finally:
        for each in handled:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(each)
