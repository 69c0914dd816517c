"""Texts as vectors: many together in one request, and one that is refused fails alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.failing import Failing
from activities.models.batching import ALONE_AT_ONCE, MOST_TEXTS
from activities.models.breaker import MOST, Guarded
from activities.models.embedding import Embedded
from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from manifests.compiler import compile_bundle
from manifests.problems import Refused
from tests.activities.models.stub import KEY, Reply, Said, Stub, page, spec, vector
from tests.support import Ended, Hauling

SPEAK = ("openai", "openai_compatible", "ollama")


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    endpoints = Endpoints(Secrets({"KEY": KEY}), read_s=2)
    yield endpoints
    await endpoints.close()


def provider(endpoints: Endpoints, stub: Stub, kind: str = "openai") -> Guarded:
    return endpoints.provider("main", spec(kind, stub.url))


@pytest.mark.parametrize("kind", SPEAK)
async def test_what_many_want_at_once_is_one_request(kind: str, endpoints: Endpoints) -> None:
    wanted = [["a", "bb"], ["ccc"], ["dddd", "eeeee"]]
    async with Stub() as stub:
        asked = provider(endpoints, stub, kind)
        found = await asyncio.gather(*(asked.embed("m-1", texts) for texts in wanted))
    assert [each.vectors for each in found] == [[vector(text) for text in texts] for texts in wanted]
    assert [each.body["input"] for each in stub.asked] == [["a", "bb", "ccc", "dddd", "eeeee"]]
    assert sum(each.usage.tokens_in for each in found) == Said().tokens_in
    assert stub.asked[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_text_that_is_refused_fails_alone(endpoints: Endpoints) -> None:
    async with Stub() as stub:
        stub.refuses = "poison"
        asked = provider(endpoints, stub)
        wanted = (asked.embed("m-1", [text]) for text in ("one", "poison", "three"))
        one, poisoned, three = await asyncio.gather(*wanted, return_exceptions=True)
    assert isinstance(poisoned, Failing)
    assert (poisoned.type, "a text is no text" in poisoned.message) == ("input", True)
    assert [each.vectors for each in (one, three) if not isinstance(each, BaseException)] == [
        [vector("one")],
        [vector("three")],
    ]


async def test_what_the_others_used_is_told_with_the_failure(endpoints: Endpoints) -> None:
    async with Stub() as stub:
        stub.refuses = "poison"
        with pytest.raises(Failing) as failed:
            await provider(endpoints, stub).embed("m-1", ["one", "poison"])
    assert failed.value.usage is not None
    assert failed.value.usage.tokens_in == Said().tokens_in


SPOILT = page({"data": [{"index": place, "embedding": []} for place in range(3)]})


@pytest.mark.parametrize("refusal", [page({"error": "too long"}, 500), SPOILT], ids=["500", "spoilt"])
async def test_a_text_that_a_server_chokes_on_fails_alone(refusal: Reply, endpoints: Endpoints) -> None:
    async with Stub() as stub:
        stub.refuses, stub.refusal = "poison", refusal
        asked = provider(endpoints, stub)
        for _ in range(2 * MOST):
            wanted = (asked.embed("m-1", [text]) for text in ("one", "poison", "three"))
            one, poisoned, three = await asyncio.gather(*wanted, return_exceptions=True)
            assert isinstance(poisoned, Failing)
            assert poisoned.type == "unavailable"
            assert [each.vectors for each in (one, three) if isinstance(each, Embedded)] == [
                [vector("one")],
                [vector("three")],
            ]
    assert endpoints.resting == []


async def test_a_batch_counts_once_for_the_server_that_fails(endpoints: Endpoints) -> None:
    async with Stub(page({}, 500)) as stub:
        asked = provider(endpoints, stub)
        resting = []
        for _ in range(MOST):
            with pytest.raises(Failing, match="500"):
                await asked.embed("m-1", ["one", "two", "three"])
            resting.append(len(endpoints.resting))
        with pytest.raises(Failing, match="was not asked"):
            await asked.embed("m-1", ["one"])
    assert resting == [0] * (MOST - 1) + [1]


@pytest.mark.parametrize("status", [401, 403, 408, 429])
async def test_what_is_no_fault_of_the_texts_is_not_asked_for_each(status: int, endpoints: Endpoints) -> None:
    async with Stub(page({}, status)) as stub:
        with pytest.raises(Failing, match=str(status)):
            await provider(endpoints, stub).embed("m-1", ["one", "two", "three"])
    assert len(stub.asked) == 1


async def test_a_server_that_dies_between_is_not_asked_for_the_rest(endpoints: Endpoints) -> None:
    async with Stub(page({}, 500), page({}, 429)) as stub:
        with pytest.raises(Failing, match="429"):
            await provider(endpoints, stub).embed("m-1", [f"text {number}" for number in range(MOST_TEXTS)])
    assert len(stub.asked) <= 1 + 2 * ALONE_AT_ONCE


async def test_a_request_has_no_more_texts_than_it_may(endpoints: Endpoints) -> None:
    texts = [f"text {number}" for number in range(2 * MOST_TEXTS + 1)]
    async with Stub() as stub:
        found = await provider(endpoints, stub).embed("m-1", texts)
    assert [len(each.body["input"]) for each in stub.asked] == [MOST_TEXTS, MOST_TEXTS, 1]
    assert found.vectors == [vector(text) for text in texts]


async def test_a_model_gets_no_more_requests_at_once_than_it_may(endpoints: Endpoints) -> None:
    texts = [f"text {number}" for number in range(5 * MOST_TEXTS)]
    async with Stub() as stub:
        model = spec("openai", stub.url, concurrency=2)
        stub.go.clear()
        place = endpoints.place(model)
        asking = asyncio.create_task(endpoints.provider("main", model).embed("m-1", texts, place))
        await stub.was_asked()
        stub.go.set()
        assert (await asking).vectors == [vector(text) for text in texts]
    assert (len(stub.asked), stub.at_once <= 2) == (5, True)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"data": []}', b'{"data": [{"index": 0, "embedding": []}]}', b'{"embeddings": [["NaN"]]}', b"\xff"],
)
async def test_what_is_no_vector_is_none(body: bytes, endpoints: Endpoints) -> None:
    async with Stub(Reply(body=body)) as stub:
        with pytest.raises(Failing) as failed:
            await provider(endpoints, stub).embed("m-1", ["one"])
    assert failed.value.type == "unavailable"


async def test_a_provider_without_embeddings_says_so(endpoints: Endpoints) -> None:
    async with Stub() as stub:
        with pytest.raises(Failing, match="anthropic has no embeddings"):
            await provider(endpoints, stub, "anthropic").embed("m-1", ["one"])


BUNDLE = {
    "workflow.yaml": """
name: library
output: ${near.vectors}
nodes:
  near: {tool: near, with: {texts: ["a", "bb"]}}
""",
    "tools.yaml": "tools: {near: {uses: embed, with: {model: main}, effect: pure, risk: low}}",
}


def bundle(folder: Path, model: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in {**BUNDLE, "models.yaml": f"models: {{{model}}}"}.items():
        (folder / name).write_text(f"apiVersion: haulage/v1\n{text}")
    return folder


async def test_a_run_embeds_with_a_tool_and_pays_for_it(temporal: Client, tmp_path: Path) -> None:
    pool = f"embed-{tmp_path.name[-20:]}"
    async with Stub() as stub:
        facts = f"provider: openai_compatible, model: m-1, base_url: '{stub.url}/v1', pool: {pool}"
        bundle(tmp_path / "bundles/library", f"main: {{{facts}, price: {{input: 1, output: 0}}}}")
        own: dict[str, Any] = {"bundles": [tmp_path / "bundles"], "pool": [pool], "roles": ("run", "models")}
        async with Hauling(temporal, tmp_path / "home", **own) as haul:
            end = await haul.run("library")
            assert end.handle is not None
            spent = (await end.handle.query("budget"))["spent"]
    assert end.output == [vector("a"), vector("bb")]
    assert spent == {"calls": 1, "tokens": 11, "usd": "0.000011"}


def test_a_tool_that_embeds_names_a_model(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        compile_bundle(bundle(tmp_path / "library", "other: {provider: scripted, model: m}"))
    assert [(each.code, each.message) for each in refused.value.problems] == [("HL205", "no model 'main'")]


COUNTED = {
    "workflow.yaml": """
name: counted
input: {type: object, required: [texts], properties: {texts: {type: array, items: {type: string}}}}
budget: {tokens: 100}
output: ${near.vectors}
nodes:
  near: {tool: near, with: {texts: "${input.texts}"}}
""",
    # What this one gives is kept outside of the run.
    "outside": """
name: counted
input: {type: object, required: [text], properties: {text: {type: string}}}
budget: {tokens: TOKENS}
output: ${size(near.vectors)}
nodes:
  made: {tool: made, with: {text: "${input.text}"}}
  near: {tool: near, with: {texts: "${made.value}"}}
edges: [made -> near]
""",
    "tools.yaml": """
tools:
  near: {uses: embed, with: {model: main}, effect: pure, risk: low}
  made: {uses: json.parse, effect: pure, risk: low}
""",
}
LONG = "ab cd " * 5_000


async def embedded(temporal: Client, folder: Path, stub: Stub, workflow: str, given: Any) -> Ended:
    """A run, on workers of its own."""
    model = f"provider: openai_compatible, model: m-1, base_url: '{stub.url}/v1', pool: counted-{folder.name[-20:]}"
    files = {
        "workflow.yaml": workflow,
        "tools.yaml": COUNTED["tools.yaml"],
        "models.yaml": f"models: {{main: {{{model}}}}}",
    }
    (folder / "counted").mkdir()
    for name, text in files.items():
        (folder / "counted" / name).write_text(f"apiVersion: haulage/v1\n{text}")
    own: dict[str, Any] = {"bundles": [folder / "counted"], "pool": [f"counted-{folder.name[-20:]}"]}
    async with Hauling(temporal, folder / "home", **own) as haul:
        return await haul.run("counted", given)


async def test_texts_that_the_budget_has_no_room_for_are_not_sent(temporal: Client, tmp_path: Path) -> None:
    async with Stub() as stub:
        end = await embedded(temporal, tmp_path, stub, COUNTED["workflow.yaml"], {"texts": [LONG]})
    assert (end.status, end.failure["category"], len(stub.asked)) == ("failed", "budget", 0)
    assert end.state["spent"] == {"calls": 0, "tokens": 0, "usd": "0"}


@pytest.mark.parametrize(("tokens", "sent"), [(100, 0), (50_000, 1)])
async def test_texts_outside_of_the_run_are_counted_by_their_worker(
    tokens: int, sent: int, temporal: Client, tmp_path: Path
) -> None:
    workflow = COUNTED["outside"].replace("TOKENS", str(tokens))
    async with Stub() as stub:
        end = await embedded(temporal, tmp_path, stub, workflow, {"text": json.dumps([LONG])})
    assert (len(stub.asked), end.failure.get("category")) == (sent, None if sent else "budget")
    # The tool is a call, too.
    assert end.state["spent"] == {"calls": 1 + sent, "tokens": 11 * sent, "usd": "0"}


PATIENT = COUNTED["workflow.yaml"].replace(
    '{texts: "${input.texts}"}', '{texts: "${input.texts}"}, timeout: 1s, retry: {attempts: 5, on: [timeout]}'
)


async def test_a_request_whose_time_is_up_is_paid_for(temporal: Client, tmp_path: Path) -> None:
    async with Stub() as stub:
        stub.go.clear()
        end = await embedded(temporal, tmp_path, stub, PATIENT, {"texts": ["word " * 60]})
        stub.go.set()
    assert (end.status, end.failure["category"], len(stub.asked)) == ("failed", "budget", 1)
    assert end.state["spent"]["tokens"] == 300 // 4 + 1
