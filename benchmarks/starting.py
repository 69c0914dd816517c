"""How long `haul check hello` takes as a process, and what its imports take of that."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
HELLO = PROJECT / "manifests" / "catalog" / "hello"
HAUL = ["-c", "import sys; from gateway.cli.main import main; sys.exit(main())", "check", str(HELLO)]
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_OURS = ("manifests", "gateway")
_LIBRARIES = (
    "annotated_types",
    "cel_expr_python",
    "jinja2",
    "jsonschema_rs",
    "markupsafe",
    "pydantic",
    "pydantic_core",
)
_MORE_LIBRARIES = ("typing_extensions", "typing_inspection", "yaml")


def processes(number: int) -> list[float]:
    """Seconds of wall time of so many runs, one after the other."""
    return [_run() for _ in range(number)]


def _run() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *HAUL], cwd=PROJECT, check=True, capture_output=True)
    return time.perf_counter() - start


def imports() -> dict[str, float]:
    """Seconds that importing each package took by itself, the largest first; measuring makes them longer."""
    command = [sys.executable, "-X", "importtime", *HAUL]
    said = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stderr
    spent: dict[str, float] = defaultdict(float)
    for microseconds, module in _IMPORT.findall(said):
        package = module.partition(".")[0]
        known = package in (*_OURS, *_LIBRARIES, *_MORE_LIBRARIES)
        spent[package if known else "standard library"] += int(microseconds) / 1e6
    return dict(sorted(spent.items(), key=lambda entry: -entry[1]))
