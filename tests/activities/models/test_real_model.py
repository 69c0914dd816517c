"""A real model on a real server: what the stub is told to say is what servers say indeed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from activities.contracts import ToolCalled
from activities.failing import Failing
from activities.models.protocol import Message
from tests.activities.models.stub import Asking, ask, nobody
from tests.support import Hauling

ENGINE = Path(".haulage") / "engine" / "bin" / "python"
# A base model on cores that others use, too, writes ten tokens a second.
PATIENCE = 100
PROTOCOLS = ("openai_compatible", "anthropic")
COUNT = {"type": "integer", "minimum": 1, "maximum": 3}
BOAT: dict[str, Any] = {
    "type": "object",
    "properties": {"boat": {"type": "string", "maxLength": 8}, "masts": COUNT},
    "required": ["boat", "masts"],
    "additionalProperties": False,
}
# Where a model writes what the schema wants by itself, the server need not look through all of its vocabulary.
WHICH = Message("user", 'Name a boat, and count its masts. JSON as in {"boat": "Anna", "masts": 2} is the answer.')


class Server:
    """What the server tells of itself."""

    def __init__(self, url: str, model: str, slots: int, context: int) -> None:
        self.url, self.model, self.slots, self.context = url.removesuffix("/v1"), model, slots, context

    async def at_work(self) -> int:
        async with httpx2.AsyncClient() as client:
            slots = (await client.get(f"{self.url}/slots")).json()
        return sum(slot["is_processing"] for slot in slots)

    async def come_to(self, number: int) -> None:
        """Waits until so many calls are under way."""
        async with asyncio.timeout(PATIENCE):
            while await self.at_work() != number:
                await asyncio.sleep(0.02)

    async def counted(self) -> tuple[int, int, int]:
        """Tokens read, of the cache, and written, since it started."""
        async with httpx2.AsyncClient() as client:
            said = (await client.get(f"{self.url}/metrics")).text
        names = ("prompt_tokens_total", "prompt_tokens_cached_total", "tokens_predicted_total")
        counts = [re.search(rf"^llamacpp:{name} (\d+)", said, re.MULTILINE) for name in names]
        new, cached, out = (int(found[1]) if found else -1 for found in counts)
        return new + cached, cached, out


def _only(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: COUNT}, "required": [name], "additionalProperties": False}


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    python = project / ENGINE
    if not python.exists():
        pytest.skip("NOT CHECKED, for want of a model server (`make engine`): providers against a real model")
    command = [str(python), str(project / "deploy" / "model_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(**json.loads(process.stdout.readline()))
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.fixture(params=PROTOCOLS)
async def asked(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Any]:
    """Asks over one of the protocols; the greatest likelihood makes the answer the same every time."""
    async with Asking(request.param, server.url, read_s=PATIENCE) as provider:

        async def answer(*messages: Message, heard: Any = nobody, **more: Any) -> Any:
            given = {"max_output": 60, "context": server.context, "temperature": 0, **more}
            return await provider.answer(ask(*messages, **given), heard)

        yield answer


async def test_text_comes_piece_by_piece_and_is_counted_as_the_server_does(asked: Any, server: Server) -> None:
    pieces: list[str] = []
    before = await server.counted()
    heard = await asked(WHICH, heard=pieces.append, max_output=8)
    after = await server.counted()
    assert (heard.text, heard.finish, heard.model) == ("".join(pieces), "length", server.model)
    assert len(pieces) > 1
    usage = (heard.usage.tokens_in, heard.usage.cached, heard.usage.tokens_out)
    assert usage == tuple(now - then for now, then in zip(after, before, strict=True))


async def test_an_answer_is_held_to_its_schema(asked: Any) -> None:
    answer = json.loads((await asked(WHICH, schema=BOAT)).text)
    assert set(answer) == {"boat", "masts"}
    assert len(answer["boat"]) <= 8
    assert answer["masts"] in (1, 2, 3)


async def test_what_tools_said_is_taken_along(asked: Any) -> None:
    looked = ToolCalled(id="call-1", tool="look", arguments={"where": "harbour"})
    talk = (
        Message("system", "You know boats."),
        WHICH,
        Message("assistant", calls=(looked,)),
        Message("tool", "The Marie has two masts.", id="call-1", tool="look"),
    )
    heard = await asked(*talk, schema=BOAT)
    assert set(json.loads(heard.text)) == {"boat", "masts"}
    assert heard.usage.tokens_in > (await asked(WHICH, max_output=1)).usage.tokens_in


async def test_a_prompt_that_is_too_long_is_refused_as_such(asked: Any, server: Server) -> None:
    with pytest.raises(Failing, match="exceeds the available context size") as failed:
        await asked(Message("user", "boat " * 2 * server.context))
    assert failed.value.type == "context"


async def test_a_cancelled_call_stops_the_model(asked: Any, server: Server) -> None:
    begun = asyncio.Event()
    call = asyncio.create_task(asked(WHICH, heard=lambda _: begun.set(), max_output=1500))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    assert await server.at_work() == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.come_to(0)
    assert (await server.counted())[2] < 1500


async def test_calls_share_the_server_and_each_has_its_own_answer(server: Server) -> None:
    async with Asking(PROTOCOLS[0], server.url, read_s=PATIENCE) as one, Asking(PROTOCOLS[1], server.url) as other:
        names = [chr(ord("a") + place) for place in range(server.slots)]
        said = [Message("user", f'How many masts? JSON as in {{"{name}": 2}} is the answer.') for name in names]
        pairs = zip(said, names, strict=True)
        questions = [ask(each, schema=_only(name), max_output=40, temperature=0) for each, name in pairs]
        calls = [(one, other)[place % 2].answer(each, nobody) for place, each in enumerate(questions)]
        answers = await asyncio.gather(*calls)
    assert [list(json.loads(each.text)) for each in answers] == [[name] for name in names]


async def test_a_bundle_runs_on_it_and_changes_the_protocol_by_models_yaml_alone(
    server: Server, temporal: Client, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAULAGE_LOCAL_URL", f"{server.url}/v1")
    shipped = project / "manifests" / "catalog" / "tagline"
    swapped = shutil.copytree(shipped, tmp_path / "bundles" / "tagline")
    swap = {"[chat]": "[messages]", "[messages]": "[chat]"}
    models = re.sub(r"\[(chat|messages)\]", lambda found: swap[found[0]], (shipped / "models.yaml").read_text())
    (swapped / "models.yaml").write_text(models)
    for number, bundle in enumerate((shipped, swapped)):
        async with Hauling(temporal, tmp_path / f"home{number}", bundles=[bundle], pool=["gpu-small"]) as haul:
            end = await haul.run("tagline", {"thing": "a bakery"})
        assert end.failure == {}
        assert set(end.output) == {"tagline", "reason"}
        assert end.state["spent"]["tokens"] > 0


async def test_it_ends_when_whoever_started_it_is_gone(project: Path, server: Server) -> None:
    """The pipe to its standard input is all that tells it."""
    python, script = str(project / ENGINE), str(project / "deploy" / "model_server.py")
    parent = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); print(p.pid); p.wait()"
    command = [python, "-c", parent, python, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = [process.stdout.readline() for _ in range(2)]
        process.kill()
    child = int(started[0])
    async with asyncio.timeout(PATIENCE):
        while _is_there(child):
            await asyncio.sleep(0.02)


async def test_it_ends_also_when_it_has_just_begun(project: Path, server: Server) -> None:
    """The library may wait for itself then, though not each time."""
    python, script = str(project / ENGINE), str(project / "deploy" / "model_server.py")
    for _ in range(4):
        process = await asyncio.create_subprocess_exec(python, script, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        try:
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
        finally:
            if process.returncode is None:
                process.kill()


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
