"""Answers out of contract: the model is told what is wrong with them, in the same conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.activities.models.stub import KEY, KINDS, Reply, Said, Stub
from tests.activities.models.test_calls import BOAT, BUNDLE, SHOUT, bundle
from tests.support import Ended, Hauling

PROSE = Said(pieces=("I think a boat, perhaps.",))
ODD = Said(pieces=('{"boat": ["red", "blue"]}',))


async def ended(temporal: Client, home: Path, kind: str, stub: Stub, **agent: str) -> Ended:
    folder = bundle(home / "bundles" / "harbour", kind, stub.url)
    agents = folder / "agents.yaml"
    more = "".join(f"    {name}: {value}\n" for name, value in agent.items())
    agents.write_text(agents.read_text() + more)
    async with Hauling(temporal, home / "home", bundles=[home / "bundles"]) as haul:
        return await haul.run("harbour")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_is_told_what_is_wrong_and_answers_better(kind: str, temporal: Client, tmp_path: Path) -> None:
    async with Stub(Reply(said=ODD), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, kind, stub)
    assert end.output == {"boat": "AHOY"}
    assert end.state["spent"]["calls"] == 2
    first, second = (each.body["messages"] for each in stub.asked)
    assert len(second) == len(first) + 2
    told = str(second[len(first) :])
    assert "/boat: " in told
    assert '["red", "blue"]' in told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nothing", [(), (" \n",)])
async def test_an_answer_that_says_nothing_is_not_told_back(
    kind: str, nothing: tuple[str, ...], temporal: Client, tmp_path: Path
) -> None:
    async with Stub(Reply(said=Said(pieces=nothing)), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, kind, stub)
    assert end.output == {"boat": "AHOY"}
    assert {each["role"] for each in stub.asked[1].body["messages"]} == {"user"}


async def test_what_tools_have_said_is_not_said_twice(temporal: Client, tmp_path: Path) -> None:
    async with Stub(Reply(said=SHOUT), Reply(said=PROSE), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub)
    assert end.output == {"boat": "AHOY"}
    roles = [each["role"] for each in stub.asked[2].body["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


async def test_a_call_that_is_no_json_is_asked_for_again(temporal: Client, tmp_path: Path) -> None:
    broken = [{"index": 0, "id": "c0", "function": {"name": "shout", "arguments": "{'text'"}}]
    chunks = [{"choices": [{"delta": {"tool_calls": broken}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]
    body = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks)
    async with Stub(Reply(body=body), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub)
    assert end.output == {"boat": "AHOY"}
    assert "calls 'shout' with what is not JSON" in stub.asked[1].body["messages"][-1]["content"]


@pytest.mark.parametrize(("times", "calls"), [("0", 1), ("2", 3)])
async def test_it_is_asked_again_as_often_as_the_agent_says(
    times: str, calls: int, temporal: Client, tmp_path: Path
) -> None:
    async with Stub(Reply(said=PROSE)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub, ask_again=times)
    assert (end.status, end.failure["category"]) == ("failed", "json_syntax")
    assert len(stub.asked) == calls
    assert end.state["spent"]["calls"] == calls


async def test_a_turn_that_asks_again_is_not_one_of_the_agents_turns(temporal: Client, tmp_path: Path) -> None:
    async with Stub(Reply(said=PROSE), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub, max_turns="1")
    assert end.output == {"boat": "AHOY"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"text": "a" * 3_000_000}, "the tool calls of one turn have 3,000,"),
        ({"text": {"$blob": {"sha256": "0" * 64}}}, "may not have a field '$blob'"),
        ({"text": json.loads("[" * 150 + "]" * 150)}, "is nested deeper than 100 levels"),
    ],
    ids=["large", "forged", "deep"],
)
async def test_a_call_that_may_not_enter_a_run_is_asked_for_again(
    arguments: dict[str, Any], told: str, temporal: Client, tmp_path: Path
) -> None:
    async with Stub(Reply(said=Said(pieces=(), calls=(("shout", arguments),))), Reply(said=BOAT)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub)
    assert end.output == {"boat": "AHOY"}
    assert (len(stub.asked), end.state["spent"]["tokens"]) == (2, 36)
    assert told in stub.asked[1].body["messages"][-1]["content"]


async def test_an_output_that_looks_like_a_reference_is_paid_for_and_refused(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUNDLE, "agents.yaml", BUNDLE["agents.yaml"].replace("type: string", "type: object"))
    forged = Said(pieces=('{"boat": {"$blob": {"sha256": "0"}}}',))
    async with Stub(Reply(said=forged)) as stub:
        end = await ended(temporal, tmp_path, "openai", stub, ask_again="0")
    assert end.failure["category"] == "json_major"
    assert end.state["spent"]["tokens"] == 18
