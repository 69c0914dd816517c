"""`haul` as processes, and a server of our own for them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from gateway.cli.main import main
from tests.conftest import PROJECT
from workers.embedded import die_with_parent

# What a colleague of ours runs on the usual port is not ours to use.
CODE = (
    "import sys, gateway.cli.servers as servers\n"
    "servers.USUAL = ('127.0.0.1', 1)\n"
    "from gateway.cli.main import main\nsys.exit(main())"
)
COMMAND = [sys.executable, "-c", CODE]
LONGEST = 60.0

GATED = """\
apiVersion: haulage/v1
name: gated
output: {said: "${gate.choice}", note: "${note}"}
nodes:
  first: {transform: 1}
  gate: {human: {ask: Shall we?, choices: [approve, reject], within: 1h}}
  note: {transform: fine}
  after: {wait: {for: 100ms}}
edges: [first -> gate -> note -> after]
"""
FAILING = """\
apiVersion: haulage/v1
name: failing
nodes:
  look: {tool: parse, with: {text: no JSON}}
"""
LARGE = """\
apiVersion: haulage/v1
name: large
input: {type: object, required: [text], properties: {text: {type: string}}}
nodes:
  parts: {tool: split, with: {text: "${input.text}"}}
"""
TOOLS = """\
apiVersion: haulage/v1
tools:
  parse: {uses: json.parse, description: Reads JSON., effect: pure, risk: low}
  split: {uses: text.split, description: Splits., effect: pure, risk: low}
"""


def bundles(folder: Path) -> Path:
    """A folder of small bundles: one that asks, one that fails, one whose output is large."""
    for name, text in (("gated", GATED), ("failing", FAILING), ("large", LARGE)):
        (folder / name).mkdir(parents=True)
        (folder / name / "workflow.yaml").write_text(text)
        if name != "gated":
            (folder / name / "tools.yaml").write_text(TOOLS)
    return folder


def environment(**more: str) -> dict[str, str]:
    """The one of the tests, without anything that would lead to a server or a bundle elsewhere, or tune it."""
    ours = ("TEMPORAL_", "HAULAGE_", "GOGC")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", **more}


def haul(*words: object, cwd: Path = PROJECT, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], cwd=cwd, env=environment(**more), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip


def told(*words: object) -> tuple[int, str, str]:
    """Status, output and errors of a command in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(map(str, words)))
    return status, out.getvalue(), err.getvalue()


def answer(*words: object) -> Any:
    """The JSON that a command prints; it ends with status 0."""
    status, out, err = told(*words, "--json")
    assert status == 0, err
    return json.loads(out)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Dev:
    process: subprocess.Popen[str]
    home: Path
    said: str

    @property
    def address(self) -> str:
        found = re.search(r"server +(\S+)", self.said)
        assert found is not None, self.said
        return found[1]

    @property
    def server_pid(self) -> int:
        pid: int = json.loads((self.home / "server.json").read_text())["pid"]
        return pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LONGEST)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONGEST)


@contextmanager
def developing(home: Path, *words: object, cwd: Path = PROJECT, **more: str) -> Iterator[Dev]:
    """A `haul dev` that has said that it is ready."""
    command = [*COMMAND, "dev", "--home", str(home), "--port", str(free_port()), *map(str, words)]
    with subprocess.Popen(
        command, cwd=cwd, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=die_with_parent,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            yield Dev(process, home, "".join(lines))
        finally:
            process.terminate()
            process.wait(LONGEST)


def lives(pid: int) -> bool:
    """Whether there is such a process; one that is dead and not yet buried is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Any, seconds: float = 30.0) -> Any:
    """What a question comes to once that is something."""
    ends = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)
    return found
