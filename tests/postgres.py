"""A PostgreSQL server of our own, for as long as the tests take."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_MISSING = "tests of the store want PostgreSQL: `apt-get install postgresql`, or put its `initdb` on the path"
LONGEST = 60.0


class Postgres:
    """`with Postgres(folder) as server`; as root does not get to run it, root starts it as another user.

    For that one the folder around `folder`, which is the caller's own, is opened.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._bin = _programs()
        self._user = _unprivileged()
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://haulage@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Postgres:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            self._folder.parent.chmod(0o711)
        options = ["-U", "haulage", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", str(self._data), *options)
        self.start()
        return self

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Again, after it was stopped."""
        quick = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), *quick]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self._demoted(), cwd="/"
            )
        ends = time.monotonic() + LONGEST
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            is_late = self._process.poll() is not None or time.monotonic() > ends
            assert not is_late, (self._folder / "server.log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """At once, with all connections; what was committed is there when it is started again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(LONGEST)

    def execute(self, statement: str, database: str = "postgres") -> str:
        command = [str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, name: str, *words: str) -> None:
        command = [str(self._bin / name), *words]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=self._demoted(), cwd="/", check=False)
        assert done.returncode == 0, done.stderr

    def _demoted(self) -> Callable[[], None]:
        """Also gone when the tests are killed. Changing the user forgets that, so it comes after."""
        user, libc = self._user, ctypes.CDLL(None)

        def demote() -> None:
            if user is not None:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            if sys.platform == "linux":
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

        return demote


def _programs() -> Path:
    """Debian keeps them off the path, in a folder for each version."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise AssertionError(_MISSING)
    return found[-1]


def _unprivileged() -> pwd.struct_passwd | None:
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
