"""The Temporal dev server as a child process: tuned, with its UI, its data in our home, and gone when we are."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

PREFERRED = {"grpc": 7233, "ui": 8233}
# Measured: the stock server polls its task queues twenty times a second, fires timers up to a second late, ends a
# workflow task for which a hundred events wait, so that the next one reads the whole history again, and waits for the
# disk at every commit, and at every thousandth page. All this survives a kill -9 of the server; a power cut may lose
# what the operating system had not put on the disk yet.
TUNING = (
    *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=200"),
    *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"'),
    *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=200"),
    # A reader that looks for timers three times in one second it takes for stuck, and cuts the queue into ever more
    # pieces. Where timers are fired on time that is no trouble, and the cutting had halved the speed after six minutes.
    *("--dynamic-config-value", "history.queueReaderStuckCriticalAttempts=1000000"),
    *("--dynamic-config-value", "history.maximumBufferedEventsBatch=10000"),
    # What its queues are done with it would delete every half minute, and step over at each look until then.
    *("--dynamic-config-value", 'history.timerProcessorUpdateAckInterval="1s"'),
    *("--dynamic-config-value", 'history.transferProcessorUpdateAckInterval="1s"'),
    # Tenants get even shares and priorities are kept within one partition of a queue, and one is enough here.
    *("--dynamic-config-value", "matching.enableFairness=true"),
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
    *("--sqlite-pragma", "journal_mode=WAL"),
    *("--sqlite-pragma", "synchronous=NORMAL"),
    *("--sqlite-pragma", "wal_autocheckpoint=10000"),
)
# It collects its garbage when the heap has grown fivefold, not twofold: an eighth less CPU, for 2.5 times the memory.
COLLECTS = {"GOGC": "400"}
LONGEST_START = 30.0
TRIES = 5
TAKEN = "address already in use"
# Of its log, in bytes.
MOST_SAID = 4_000
LONGEST_STOP = 10.0
_PR_SET_PDEATHSIG = 1
LAST_PORT = 65_535


class ServerTrouble(Exception):
    """The server did not start, or another one holds the same data; the message says what to do."""


@dataclass(frozen=True)
class Facts:
    """Where a running server is; written down beside its data, so that other commands find it."""

    pid: int
    address: str
    ui: str
    metrics: str
    stock: bool


class EmbeddedServer:
    def __init__(
        self, home: Path, *, stock: bool = False, port: int | None = None, extra: tuple[str, ...] = ()
    ) -> None:
        self._home = home
        self._stock = stock
        self._port = port
        self._extra = extra
        self._process: asyncio.subprocess.Process | None = None
        self._lock: IO[str] | None = None
        self._log_from = 0
        self.facts: Facts | None = None

    async def start(self) -> Facts:
        """Raises `ServerTrouble`."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._claim()
        _end_leftover(self._home)
        for left in reversed(range(TRIES)):
            ports = self._ports()
            await self._spawn(ports)
            if await self._is_healthy(ports):
                break
            said = self._said()
            # Who starts at the same moment finds the same ports free; this one takes others.
            if not left or TAKEN not in said:
                await self.stop()
                raise ServerTrouble(f"the Temporal server did not start; its log: {self._home / 'server.log'}\n{said}")
        assert self._process is not None
        self.facts = Facts(
            self._process.pid, f"127.0.0.1:{ports['grpc']}", f"http://127.0.0.1:{ports['ui']}",
            f"http://127.0.0.1:{ports['metrics']}/metrics", self._stock,
        )  # fmt: skip
        _record(self._home).write_text(json.dumps(asdict(self.facts)), encoding="utf-8")
        return self.facts

    async def _spawn(self, ports: dict[str, int]) -> None:
        log = (self._home / "server.log").open("ab")
        self._log_from = log.tell()
        env = dict(os.environ) if self._stock else COLLECTS | os.environ
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(ports), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                preexec_fn=die_with_parent, start_new_session=True,
            )  # fmt: skip
        finally:
            log.close()

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), LONGEST_STOP)
            except TimeoutError:
                process.kill()
                await process.wait()
        _record(self._home).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()

    async def wait(self) -> int:
        """Until the server ends."""
        assert self._process is not None
        return await self._process.wait()

    async def __aenter__(self) -> Facts:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _claim(self) -> None:
        """One server for one folder of data: two would destroy it."""
        lock = (self._home / "server.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            facts = running(self._home)
            where = f" at {facts.address}, its UI at {facts.ui}" if facts else ""
            raise ServerTrouble(f"a server runs on {self._home} already{where}") from None
        self._lock = lock

    def _ports(self) -> dict[str, int]:
        ui = {"ui": self._port + 1000} if self._port and self._port + 1000 <= LAST_PORT else {}
        wanted = {**PREFERRED, **({"grpc": self._port, **ui} if self._port else {})}
        ports = {name: port if _is_free(port) else _free_port() for name, port in wanted.items()}
        return {**ports, "http": _free_port(), "metrics": _free_port()}

    def _command(self, ports: dict[str, int]) -> list[str]:
        command = [binary("temporal"), "server", "start-dev", "--log-level", "error"]
        command += ["--ip", "127.0.0.1", "--ui-ip", "127.0.0.1", "--db-filename", _database(self._home)]
        command += ["--port", str(ports["grpc"]), "--ui-port", str(ports["ui"])]
        command += ["--http-port", str(ports["http"]), "--metrics-port", str(ports["metrics"])]
        return [*command, *(() if self._stock else TUNING), *self._extra]

    async def _is_healthy(self, ports: dict[str, int]) -> bool:
        """Whether it answers, and not one that was quicker to take the port: HTTP is served once gRPC is its own."""
        assert self._process is not None
        from temporalio.client import Client

        ends = asyncio.get_running_loop().time() + LONGEST_START
        while asyncio.get_running_loop().time() < ends:
            if self._process.returncode is not None:
                return False
            with contextlib.suppress(RuntimeError, OSError):
                if not _is_free(ports["http"]):
                    await Client.connect(f"127.0.0.1:{ports['grpc']}")
                    return self._process.returncode is None
            await asyncio.sleep(0.05)
        return False

    def _said(self) -> str:
        """What the server wrote since it was started; what it ends of comes first, and what it broke then after it."""
        with contextlib.suppress(OSError), (self._home / "server.log").open("rb") as log:
            log.seek(self._log_from)
            return "\n".join(log.read(MOST_SAID).decode(errors="replace").splitlines()[:5])
        return ""


def running(home: Path) -> Facts | None:
    """The server that runs on this folder, if one does."""
    try:
        facts = Facts(**json.loads(_record(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return facts if _is_ours(facts.pid, home) else None


def binary(name: str) -> str:
    """A program from our virtual environment, or else from the path."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerTrouble(f"the program {name!r} is not installed; `make setup` installs it")
    return found


def _record(home: Path) -> Path:
    return home / "server.json"


def _end_leftover(home: Path) -> None:
    """A server whose parent was killed where processes do not die with their parents."""
    facts = running(home)
    if facts is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(facts.pid, signal.SIGKILL)
    _record(home).unlink(missing_ok=True)


def _is_ours(pid: int, home: Path) -> bool:
    """Whether this process is still the one that was written down, and not another that got its number."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return _database(home) in command.split("\0")


def _database(home: Path) -> str:
    """However its folder is spelt: by it we know our server again."""
    return str(home.resolve() / "temporal.db")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def die_with_parent() -> Any:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
