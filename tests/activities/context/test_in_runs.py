"""Agents with a context profile in whole runs: what arrives at their models, and what the run knows of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from activities.models.counting import tokens
from gateway.cli.going_on import fork
from gateway.cli.main import main
from tests.activities.models.stub import KEY, Reply, Said, Stub
from tests.support import Haul, Hauling
from tests.workflows.record import SHORT
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workers.replaying import blobs_in, judged, stored

WORKFLOW = """
name: harbour
description: Looks after boats.
input: {type: object, required: [topic], properties: {topic: {type: string}}}
output: ${weigh.to}
nodes:
  look: {tool: shout, with: {text: "${input.topic}", to: upper}}
  weigh: {decision: {}}
  talk: {loop: {max: 3, until: "index == 2", do: {nodes: {ask: {agent: thinker, with: {turn: "${index}"}}}}}}
  never: {transform: 1}
edges:
  - look -> weigh
  - {from: weigh, to: talk, when: "size(input.topic) > 0"}
  - {from: weigh, to: never, else: true}
"""
AGENTS = """
agents:
  thinker:
    role: lookout
    description: Thinks of boats.
    model: main
    prompt: {text: "Turn {{ turn }}?"}
    context: all
    tools: [shout]
"""
PROFILE: dict[str, Any] = {
    "max_tokens": 1_000,
    "sources": [
        {"layer": "environment"},
        {"layer": "state"},
        {"layer": "retrieval", "store": "logs", "k": 2},
        {"layer": "conversation"},
    ],
}
TOOLS = "tools: {shout: {uses: text.case, description: Shouts., effect: pure, risk: low}}\n"
MODEL = "{provider: openai_compatible, model: m, base_url: '%s/v1', api_key: {secret: KEY}, context: %d}"


def bundle(folder: Path, url: str, *, workflow: str = WORKFLOW, context: int = 8_192, **profile: Any) -> None:
    memory = yaml.safe_dump({"stores": {"logs": {"scope": "project"}}, "profiles": {"all": {**PROFILE, **profile}}})
    models = f"models: {{main: {MODEL % (url, context)}}}\n"
    files = {"workflow": workflow, "agents": AGENTS, "tools": TOOLS, "memory": memory, "models": models}
    (folder / "harbour").mkdir(parents=True)
    for name, text in files.items():
        (folder / "harbour" / f"{name}.yaml").write_text(f"apiVersion: haulage/v1\n{text}")


@asynccontextmanager
async def harbour(client: Client, home: Path, url: str, **more: Any) -> AsyncIterator[Haul]:
    settings = {name: more.pop(name) for name in ("script",) if name in more}
    bundle(home / "bundles", url, **more)
    async with Hauling(client, home / "home", bundles=[home / "bundles"], **settings) as haul:
        yield haul


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)


def said(*words: str) -> list[Reply]:
    return [Reply(said=Said(pieces=(each,))) for each in words]


def arrived(stub: Stub, place: int) -> list[str]:
    """The texts of the messages of one request."""
    return [each["content"] for each in stub.asked[place].body["messages"]]


async def test_a_model_is_told_who_it_is_what_happened_and_what_was_said(temporal: Client, tmp_path: Path) -> None:
    async with Stub(*said("Alpha.", "Beta.", "Gamma.")) as stub, harbour(temporal, tmp_path, stub.url) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
    assert (end.status, end.failure) == ("completed", {})
    system, first = arrived(stub, 0)
    assert system.startswith("You are 'thinker', the lookout of this workflow.\n\nThinks of boats.\n\nThe workflow is")
    assert {system} == {arrived(stub, place)[0] for place in range(3)}
    sections = [line for line in first.splitlines() if line.startswith("# ")]
    assert sections == ["# Where you work", "# What has happened in this run", "# Your task"]
    assert 'look:\n```\n{"text":"BOATS"}\n```\n' in first
    assert 'weigh:\n```\n{"to":["talk"]}\n```\n' in first
    assert first.endswith("# Your task\n\nTurn 0?")
    _, third = arrived(stub, 2)
    talk = [("user", "Turn 0?"), ("assistant", "Alpha."), ("user", "Turn 1?"), ("assistant", "Beta.")]
    told = "".join(f"{who}:\n```\n{what}\n```\n\n" for who, what in talk)
    assert third.endswith(f"# What was said before\n\n{told}# Your task\n\nTurn 2?")
    assert third.count("Turn 0?") == 1


async def test_a_context_stays_within_its_budget_and_the_newest_words_stay(temporal: Client, tmp_path: Path) -> None:
    long = "So much to say of boats and harbours. " * 80
    profile: Any = {"max_tokens": 900, "sources": [{"layer": "conversation"}], "keep": {"head": 0, "tail": 0.3}}
    replies = said(f"Alpha. {long}", "Beta.", "Gamma.")
    async with Stub(*replies) as stub, harbour(temporal, tmp_path, stub.url, **profile) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
        contexts = [each["context"] async for each in answers(end.handle)]
    assert [each["tokens"] <= 900 for each in contexts] == [True] * 3
    assert sum(map(tokens, arrived(stub, 2))) <= contexts[2]["tokens"]
    assert (contexts[2]["compressed"], contexts[2]["dropped"]) == (1, 0)
    assert "Alpha. So much to say" in arrived(stub, 2)[1]
    assert "[… left out …]" in arrived(stub, 2)[1]
    assert "Beta." in arrived(stub, 2)[1]


async def answers(handle: Any) -> AsyncIterator[dict[str, Any]]:
    async for event in handle.fetch_history_events():
        for payload in event.activity_task_completed_event_attributes.result.payloads:
            if "context" in (found := json.loads(payload.data)):
                yield found


async def test_the_items_of_a_map_do_not_hear_each_other(temporal: Client, tmp_path: Path) -> None:
    asks = {"nodes": {"ask": {"agent": "thinker", "with": {"turn": "${at}"}}}}
    many = {"map": {"over": "[1, 2]", "as": "at", "max": 2, "concurrency": 1, "do": asks}}
    flow = yaml.safe_dump({"name": "harbour", "nodes": {"many": many}})
    async with Stub(*said("Alpha.", "Beta.")) as stub, harbour(temporal, tmp_path, stub.url, workflow=flow) as haul:
        assert (await haul.run("harbour")).status == "completed"
    assert "at:\n```\n2\n```" in arrived(stub, 1)[1]
    assert "Alpha" not in arrived(stub, 1)[1]


async def test_what_a_run_knows_goes_with_a_call_up_to_a_bound_and_the_rest_is_named(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.knowing.TOLD_BYTES", 60)
    async with Stub(*said("Alpha.", "Beta.", "Gamma.")) as stub, harbour(temporal, tmp_path, stub.url) as haul:
        end = await haul.run("harbour", {"topic": "boats " * 20})
        assert end.handle is not None
        reports = [each["context"]["report"] async for each in answers(end.handle)]
        report = json.loads(haul.world.blobs.get(reports[0]))
    dropped = [(each["source"], each["why"]) for each in report["pieces"] if each["what"] == "dropped"]
    why = "older than the newest that a run tells of itself"
    assert dropped == [("look", f"{why}: 131 bytes"), ("input", f"{why}: 132 bytes")]
    assert "weigh:" in arrived(stub, 0)[1]


async def test_a_prompt_that_has_no_room_fails_before_it_is_sent(temporal: Client, tmp_path: Path) -> None:
    async with Stub() as stub, harbour(temporal, tmp_path, stub.url, context=4_200) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
    assert (end.failure["category"], stub.asked) == ("context", [])
    assert "the prompt of 'thinker' has about " in end.failure["message"]
    assert "the context of the model 'main' has 4,200, of which 4,1" in end.failure["message"]


async def test_what_is_remembered_stands_in_the_context(temporal: Client, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    memories = [{"text": "North 3 is shallow."}, {"text": "Oats come on Friday."}, {"text": "too many"}]
    models = {"thinker": [{"text": each} for each in ("Alpha.", "Beta.", "Gamma.")]}
    script.write_text(yaml.safe_dump({"scenario": "s", "models": models, "memory": {"logs": memories}, "expect": {}}))
    async with harbour(temporal, tmp_path, "http://127.0.0.1:1", script=script) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
        reports = [each["context"]["report"] async for each in answers(end.handle)]
        report = json.loads(haul.world.blobs.get(reports[0]))
    rows = [(each["source"], each["what"]) for each in report["pieces"] if each["layer"] == "retrieval"]
    assert rows == [("logs-0", "included"), ("logs-1", "included")]
    assert report["tokens"] == sum(each["sent"] for each in report["pieces"]) <= report["max_tokens"] == 1_000


# --- over the ends of runs


@pytest.fixture(scope="module")
async def short(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that finds histories long after thirty events."""
    async with EmbeddedServer(tmp_path_factory.mktemp("short"), extra=SHORT) as facts:
        yield await connect(facts.address)


async def test_a_conversation_goes_on_in_the_run_that_continues_it(short: Client, tmp_path: Path) -> None:
    turns = [f"Answer {place}." for place in range(12)]
    flow = WORKFLOW.replace("max: 3", "max: 12").replace("index == 2", "index == 11")
    async with Stub(*said(*turns)) as stub, harbour(short, tmp_path, stub.url, workflow=flow) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
        last = await short.get_workflow_handle(end.handle.id).fetch_history()
        verdict = await judged(last, stored(haul.world.blobs))
    assert last.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    told = [each for each in turns if f"\n{each}\n" in arrived(stub, 11)[1]]
    assert told == turns[1:11], "the last twenty messages"
    assert verdict.trouble == ""
    assert all(haul.world.blobs.get(each) for each in blobs_in(last))


async def test_a_fork_knows_what_was_said_before_it_and_nothing_that_came_after(
    temporal: Client, tmp_path: Path
) -> None:
    before = "  greet: {agent: thinker, with: {turn: hello}}\n  look:"
    flow = WORKFLOW.replace("  look:", before).replace("- look -> weigh", "- greet -> look -> weigh")
    replies = said("Ahoy.", "Alpha.", "Beta.", "Gamma.", "Delta.")
    async with Stub(*replies) as stub, harbour(temporal, tmp_path, stub.url, workflow=flow) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
        run = await fork(temporal, end.handle, "talk", [], haul.world.blobs)
        assert (await haul.ended(run)).status == "completed"
    assert "Ahoy." in arrived(stub, 4)[1]
    assert "Alpha." not in arrived(stub, 4)[1]


# --- shown


async def shows(client: Client, monkeypatch: pytest.MonkeyPatch, home: Path, *words: str) -> int:
    monkeypatch.setenv("TEMPORAL_ADDRESS", client.service_client.config.target_host)
    return await asyncio.to_thread(main, ["show", *words, "--home", str(home)])


async def test_show_tells_how_a_context_was_put_together(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Stub(*said("Alpha.", "Beta.", "Gamma.")) as stub, harbour(temporal, tmp_path, stub.url) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
    id, home = end.handle.id, tmp_path / "home"
    assert await shows(temporal, monkeypatch, home, id, "--context", "talk/ask", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["node"], report["profile"]) == ("talk/ask#2", "all")
    assert await shows(temporal, monkeypatch, home, id, "--context", "talk/ask#1") == 0
    out = capsys.readouterr().out
    assert out.startswith("talk/ask#1  talk/ask#1\n  agent  thinker\n  model  main\n  sent ")
    assert "retrieval     logs" in out
    assert "nothing there: no memory is attached" in out
    assert await shows(temporal, monkeypatch, home, id, "--context", "look") == 1
    assert "has no context of 'look'; those of talk/ask#0, talk/ask#1, talk/ask#2 are known" in capsys.readouterr().err


async def test_a_failure_tells_of_its_context_too(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Stub(Reply(status=403)) as stub, harbour(temporal, tmp_path, stub.url) as haul:
        end = await haul.run("harbour", {"topic": "boats"})
        assert end.handle is not None
    assert end.failure["category"] == "denied"
    assert await shows(temporal, monkeypatch, tmp_path / "home", end.handle.id, "--context", "talk/ask") == 0
    assert "talk/ask#0" in capsys.readouterr().out
