"""Agents that are answered by model servers, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.blobs import FileBlobs, Keeper
from activities.contracts import Cap, ModelCall, Sign, Usage
from activities.failing import Failing
from activities.models import calls, telling
from activities.models.calls import ModelActivities
from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from activities.plans import Plans
from manifests.compiler import compile_bundle
from tests.activities.models.stub import KEY, KINDS, Reply, Said, Stub, complaint
from tests.support import Hauling

BUNDLE = {
    "workflow.yaml": """
name: harbour
output: ${think}
nodes:
  think: {agent: thinker, with: {topic: boats}}
""",
    "agents.yaml": """
agents:
  thinker:
    model: main
    prompt: {text: "What of {{ topic }}?"}
    tools: [shout]
    output: {type: object, properties: {boat: {type: string}}, required: [boat], additionalProperties: false}
""",
    "tools.yaml": """
tools:
  shout: {uses: text.case, description: Shouts., effect: pure, risk: low}
""",
}
PRICE = "{input: 0.15, cached: 0.075, output: 0.6}"
SHOUT = Said(pieces=(), calls=(("shout", {"text": "ahoy", "to": "upper"}),))
BOAT = Said(pieces=('{"boat":', ' "AHOY"}'))


def bundle(folder: Path, kind: str, url: str) -> Path:
    address = f"{url}/v1" if kind.startswith("openai") else url
    model = f"{{provider: {kind}, model: m-1, base_url: '{address}', api_key: {{secret: KEY}}, price: {PRICE}}}"
    folder.mkdir(parents=True)
    for name, text in {**BUNDLE, "models.yaml": f"models:\n  main: {model}\n"}.items():
        (folder / name).write_text(f"apiVersion: haulage/v1\n{text}")
    return folder


class Calling:
    """The activity by itself, for one agent."""

    def __init__(self, home: Path, kind: str, url: str) -> None:
        blobs = FileBlobs(home / "blobs")
        plans = Plans(blobs, [])
        sha256 = plans.add(compile_bundle(bundle(home / "harbour", kind, url)))
        self.endpoints = Endpoints(Secrets({"KEY": KEY}))
        self.activities = ModelActivities(plans, Keeper(blobs), None, self.endpoints)
        facts = {"plan": sha256, "node": "think", "key": "k", "agent": "thinker", "model": "main"}
        self.request = ModelCall(**facts, variables={"topic": "boats"}, max_output=50)

    async def called(self, environment: ActivityEnvironment, **more: Any) -> Any:
        try:
            return await environment.run(self.activities.call, self.request.model_copy(update=more))
        finally:
            await self.endpoints.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bundle_goes_to_another_provider_by_models_yaml_alone(
    kind: str, temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    async with Stub(Reply(said=SHOUT), Reply(said=BOAT)) as stub:
        bundle(tmp_path / "bundles" / "harbour", kind, stub.url)
        async with Hauling(temporal, tmp_path / "home", bundles=[tmp_path / "bundles"]) as haul:
            end = await haul.run("harbour")
            assert end.handle is not None
            spent = (await end.handle.query("budget"))["spent"]
            history = [each.SerializeToString() for each in (await end.handle.fetch_history()).events]
    assert end.output == {"boat": "AHOY"}
    assert "AHOY" in json.dumps(stub.asked[1].body["messages"])
    cost = "0.00001170" if kind == "ollama" else "0.00001110"
    assert spent == {"calls": 3, "tokens": 36, "usd": cost}
    assert KEY.encode() not in b"".join(history)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failed_call_costs_what_it_used_and_says_when_to_try_again(kind: str, tmp_path: Path) -> None:
    refuses = Reply(status=429, headers={"retry-after": "3"}, body=complaint(kind, "busy", "Later."))
    async with Stub(refuses) as stub:
        with pytest.raises(Failing) as refused:
            await Calling(tmp_path / "1", kind, stub.url).called(ActivityEnvironment())
    async with Stub(Reply(said=Said(pieces=("No JSON",)))) as stub:
        with pytest.raises(Failing) as broken:
            await Calling(tmp_path / "2", kind, stub.url).called(ActivityEnvironment())
    assert (refused.value.type, refused.value.details[0]["retry_after_ms"]) == ("rate_limited", 3000)
    assert refused.value.details[0]["usage"]["usd"] == "0"
    assert broken.value.details[0]["usage"]["usd"] == ("0.00000585" if kind == "ollama" else "0.00000555")


@pytest.mark.parametrize("pieces", [('{"boat": "AH',), ('```json\n{"boat": "AHOY"}\n```\nIf you',), ("Well, I th",)])
async def test_half_an_answer_is_none(pieces: tuple[str, ...], tmp_path: Path) -> None:
    async with Stub(Reply(said=Said(pieces=pieces, finish="length"))) as stub:
        with pytest.raises(Failing, match="m-1 was cut off at 7 tokens: a max_output above 4,096") as failed:
            await Calling(tmp_path, "openai", stub.url).called(ActivityEnvironment())
    assert failed.value.type == "context"
    assert failed.value.details[0]["usage"]["tokens_out"] == 7


async def test_an_answer_that_is_whole_is_one_although_its_room_is_used_up(tmp_path: Path) -> None:
    async with Stub(Reply(said=Said(pieces=('{"boat": "AHOY"}',), finish="length"))) as stub:
        answer = await Calling(tmp_path, "openai", stub.url).called(ActivityEnvironment())
    assert answer.output == {"boat": "AHOY"}


async def test_a_call_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TOLD_EVERY", 0.0)
    environment, told = ActivityEnvironment(), list[Any]()
    environment.on_heartbeat = told.append
    async with Stub(Reply(said=BOAT)) as stub:
        await Calling(tmp_path, "openai", stub.url).called(environment)
    assert [(each.heard, each.text) for each in told] == [(0, ""), (8, '{"boat":'), (16, '{"boat": "AHOY"}')]


async def test_tries_that_were_lost_without_a_word_have_sent_their_prompts(tmp_path: Path) -> None:
    environment, sign = ActivityEnvironment(), Sign(attempt=2, tokens_in=5, tokens_out=7)
    back = Sign(attempt=3, lost=Usage(tokens_in=5, tokens_out=7), silent=1)
    used = list[tuple[int, int]]()
    for attempt, told in ((1, []), (3, []), (3, [sign]), (4, [sign]), (4, [back])):
        environment.info = replace(environment.info, attempt=attempt, heartbeat_details=told)
        async with Stub(Reply(said=BOAT)) as stub:
            answer = await Calling(tmp_path / str(len(used)), "openai", stub.url).called(environment)
        used.append((answer.usage.tokens_in, answer.usage.tokens_out))
    (sent, said), prompt = used[0], len("What of boats?") // 4 + 1
    assert used[1:] == [(sent + 2 * prompt, said), (sent + 5, said + 7), *[(sent + 5 + prompt, said + 7)] * 2]


async def test_a_counted_call_that_is_given_out_again_is_not_made(tmp_path: Path) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=2, heartbeat_details=[Sign(tokens_in=5, tokens_out=7)])
    async with Stub(Reply(said=BOAT)) as stub:
        with pytest.raises(ApplicationError, match="may have used all that was set aside") as refused:
            await Calling(tmp_path, "openai", stub.url).called(environment, cap=Cap(tokens=100_000))
    assert (refused.value.type, refused.value.non_retryable, stub.asked) == ("unavailable", False, [])
    facts = refused.value.details[0]
    assert (facts["lost"], facts["usage"]["tokens_in"], facts["usage"]["tokens_out"]) == (True, 5, 7)


async def test_an_answer_is_paid_for_though_its_worker_ends_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, used = ActivityEnvironment(), list[Usage]()
    monkeypatch.setattr(calls, "broken_off", used.append)
    async with Stub(Reply(said=BOAT)) as stub:
        answer = await Calling(tmp_path, "openai", stub.url).called(environment)
    assert used[-1] == answer.usage


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_that_is_cancelled_stops_the_model(kind: str, tmp_path: Path) -> None:
    environment = ActivityEnvironment()
    async with Stub(Reply(silent=True)) as stub:
        call = asyncio.create_task(Calling(tmp_path, kind, stub.url).called(environment))
        await stub.was_asked()
        environment.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await stub.was_left()


async def test_half_a_character_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with Stub() as stub:
        with pytest.raises(Failing, match="half a character") as failed:
            await Calling(tmp_path, "openai", stub.url).called(ActivityEnvironment(), variables={"topic": "\ud83d"})
    assert (failed.value.type, stub.asked) == ("input", [])
