"""Worker processes for tests: started afresh or forked from a nest, signalled, and waited for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.conftest import PROJECT

COMMAND = [sys.executable, "-m", "tests.faults.worker"]


@dataclass(frozen=True)
class Setup:
    """What the workers of one test have in common: the server, and settings of ours."""

    address: str
    home: Path
    namespace: str = "default"
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def effects(self) -> Path:
        return self.home / "effects.jsonl"

    @property
    def output(self) -> Path:
        """What the workers say; it is read when one of them does what it should not."""
        return self.home / "workers.log"

    def environment(self) -> dict[str, str]:
        self.home.mkdir(parents=True, exist_ok=True)
        ours = {f"HAULAGE_{name.upper()}": value for name, value in self.settings.items()}
        return {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": self.namespace,
            "HAULAGE_HOME": str(self.home),
            "HAULAGE_EFFECTS": str(self.effects),
            **ours,
        }


def inherited() -> dict[str, str]:
    """Our environment, without what anybody has set for workers of theirs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAULAGE_", "TEMPORAL_"))}
    return {**kept, "PYTHONPATH": str(PROJECT)}


class Process:
    """A worker of its own, from its first import to the end of its interpreter."""

    def __init__(self, setup: Setup, *argv: str) -> None:
        environment = {**inherited(), **setup.environment()}
        with setup.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, *argv], cwd=PROJECT, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self.pid = self._process.pid

    def send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    async def ended(self, within: float = 60.0) -> int:
        """Its exit code; the number of the signal that ended it, below zero."""
        return await asyncio.wait_for(asyncio.to_thread(self._process.wait, within), within + 1)

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    async def __aenter__(self) -> Process:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.send(signal.SIGKILL)
        await self.ended()


class Hatchling:
    """A worker from a nest, known by a descriptor of the process, for its number may be given to another."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self.ended.set()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):  # it has died by itself, and the nest has buried it
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        await self.ended.wait()
        os.close(self._descriptor)


class Nest:
    """Forks workers from a process that has imported everything, because hundreds of them are wanted."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Nest:
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND, "--nest", cwd=PROJECT, env=inherited(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Its workers die with it."""
        assert self._process is not None
        self._process.kill()
        await self._process.communicate()

    @asynccontextmanager
    async def hatched(self, setup: Setup, *argv: str) -> AsyncIterator[Hatchling]:
        """A worker that is killed at the end, whatever comes between."""
        worker = await self._hatch(setup, *argv)
        try:
            yield worker
        finally:
            await worker.kill()

    async def _hatch(self, setup: Setup, *argv: str) -> Hatchling:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"argv": list(argv), "env": setup.environment(), "output": str(setup.output)}
        async with self._one_at_a_time:
            self._process.stdin.write((json.dumps(order) + "\n").encode())
            return Hatchling(int(await self._process.stdout.readline()))
