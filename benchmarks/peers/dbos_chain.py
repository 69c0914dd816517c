"""A chain of steps that do nothing much, in DBOS with SQLite.

Runs in an environment of its own: `python dbos_chain.py SIZE…` prints seconds and bytes a step as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from typing import Any

from dbos import DBOS

logging.disable(logging.CRITICAL)


@DBOS.step()
def step() -> str:
    return "a".upper()


@DBOS.workflow()
def chain(size: int) -> str:
    text = ""
    for _ in range(size):
        text = step()
    return text


def measured(size: int, folder: str) -> dict[str, Any]:
    before = _held(folder)
    started = time.perf_counter()
    chain(size)
    seconds = time.perf_counter() - started
    return {"size": size, "seconds": seconds, "bytes_per_step": (_held(folder) - before) / size}


def _held(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        DBOS(
            config={"name": "bench", "system_database_url": f"sqlite:///{where}/dbos.sqlite", "run_admin_server": False}
        )
        DBOS.launch()
        chain(10)
        print(json.dumps([measured(int(size), where) for size in sys.argv[1:]]))
        DBOS.destroy()
