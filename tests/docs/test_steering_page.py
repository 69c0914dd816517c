"""Every command of docs/steering.md, carried out on a real server, answers what the page says."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.conftest import PROJECT
from tests.support import Hauling
from workers.embedded import binary

PAGE = PROJECT / "docs" / "steering.md"
SCENARIO = PROJECT / "manifests/catalog/support-triage/tests/refund_approved.yaml"
BLOCK = re.compile(r"^```(sh|sh fails|text answers)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# These change nothing, and are asked again until they say what they should.
LOOKS = ("query", "list", "count")
PATIENCE = 20


def commands(page: str) -> Iterator[tuple[list[str], bool, str]]:
    """Each command, whether it fails, and the pattern of what it answers; `…` stands for anything."""
    waiting: list[tuple[list[str], bool]] = []
    for kind, body in BLOCK.findall(page):
        if kind != "text answers":
            yield from ((words, fails, "…") for words, fails in waiting)
            lines = body.replace("\\\n", "").splitlines()
            waiting = [(shlex.split(line), kind == "sh fails") for line in lines]
        else:
            answers = body.splitlines()
            assert len(answers) == len(waiting), body
            yield from ((words, fails, said) for (words, fails), said in zip(waiting, answers, strict=True))
            waiting = []
    yield from ((words, fails, "…") for words, fails in waiting)


async def carried_out(words: list[str], address: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        binary("temporal"), *words[1:], "--address", address,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(said.decode().split())


async def test_every_command_of_the_page_answers_as_it_says(temporal: Client, tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "bundles": [PROJECT / "manifests/catalog"],
        "script": SCENARIO,
        "pool": ["api", "gpu-small"],
    }
    wrong = []
    async with Hauling(temporal, tmp_path, queue="haulage", **more):
        for words, fails, said in commands(PAGE.read_text(encoding="utf-8")):
            pattern = re.compile(".*".join(map(re.escape, said.split("…"))), re.DOTALL)
            code, told = await carried_out(words, temporal.service_client.config.target_host)
            ends = asyncio.get_running_loop().time() + PATIENCE
            while words[2] in LOOKS and not pattern.search(told) and asyncio.get_running_loop().time() < ends:
                code, told = await carried_out(words, temporal.service_client.config.target_host)
            if (code != 0) != fails or not pattern.search(told):
                wrong.append(f"{shlex.join(words)}\n  exit {code}: {told}\n  wanted: {said}")
    assert not wrong, "\n".join(wrong)
