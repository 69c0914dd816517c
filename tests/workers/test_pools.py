"""A pool's worker next to its model server: calls come while the server is well, and no more than it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.contracts import Sign, Usage
from activities.models import servers
from tests.activities.models.stub import PATIENCE, Reply, Said, Stub, page
from tests.support import Haul, Hauling, made_again
from workers.building import world
from workers.pools import EVERY_S, Pool, pool_of
from workers.serving import serve
from workers.settings import Settings

BUNDLE = {
    "workflow.yaml": """
name: crowd
input: {type: object, required: [all], properties: {all: {type: array, items: {type: integer}}}}
output: ${asked}
nodes:
  asked:
    map:
      over: input.all
      max: 40
      concurrency: 40
      do: {nodes: {think: {agent: thinker, retry: {attempts: 1}}}}
""",
    "agents.yaml": "agents: {thinker: {model: main, prompt: {text: Go.}, max_turns: 1}}",
}
WELL = {"/health": page({"status": "ok"}), "/v1/models": page({"data": [{"id": "m-1"}]})}
UNWELL = page({"status": "loading"}, 503)
NESTED = Reply(body=b"[" * 200_000, media="application/json")


def bundle(folder: Path, url: str, pool: str, **model: str) -> Path:
    """Agents that all ask one model at this address."""
    more = "".join(f", {name}: {value}" for name, value in model.items())
    main = f"models: {{main: {{provider: openai_compatible, model: m-1, base_url: '{url}/v1', pool: {pool}{more}}}}}"
    (folder / "crowd").mkdir(parents=True)
    for name, text in {**BUNDLE, "models.yaml": main}.items():
        (folder / "crowd" / name).write_text(f"apiVersion: haulage/v1\n{text}")
    return folder


def crowd(many: int) -> dict[str, Any]:
    return {"all": list(range(many))}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


class Next(AsyncExitStack):
    """Runs, a stub server, and a worker of a pool next to it."""

    def __init__(
        self, temporal: Client, home: Path, stub: Stub, wait: str = "", concurrency: str = "", **settings: Any
    ) -> None:
        super().__init__()
        self._temporal, self._home, self._stub, self._settings = temporal, home, stub, settings
        self._model = {"wait": wait, "concurrency": concurrency}
        self.pool_name = f"pool-{home.name}"

    async def __aenter__(self) -> Next:
        await super().__aenter__()
        bundles = bundle(
            self._home / "bundles",
            self._stub.url,
            self.pool_name,
            **{name: each for name, each in self._model.items() if each},
        )
        own: dict[str, Any] = {"bundles": [bundles], "pool": [self.pool_name]}
        watched = {"server": self._stub.url, "server_models": ["m-1"], **self._settings}
        runs = Hauling(self._temporal, self._home / "home", roles=("run",), **own)
        self.haul: Haul = await self.enter_async_context(runs)
        models = Hauling(self._temporal, self._home / "home", roles=("models",), **own, **watched)
        await self.enter_async_context(models)
        assert models.pool is not None
        self.pool = models.pool
        return self


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with Stub(Reply(said=Said(pieces=("Aye.",)))) as stub:
        stub.pages.update(WELL)
        yield stub


async def test_an_unwell_server_gets_no_work_until_it_is_well_again(
    temporal: Client, tmp_path: Path, stub: Stub
) -> None:
    async with Next(temporal, tmp_path, stub) as near:
        assert (await near.haul.run("crowd", crowd(1))).status == "completed"
        stub.pages["/health"] = UNWELL
        async with asyncio.timeout(2):
            while not near.pool.trouble:
                await asyncio.sleep(0.01)
        before = len(stub.asked)
        waiting = await near.haul.start("crowd", crowd(8))
        await queued(waiting, 8)
        looked = len(stub.looked)
        await until(lambda: len(stub.looked) > looked + 2)
        assert (len(stub.asked), near.pool.slots.used) == (before, 0)
        stub.pages["/health"] = WELL["/health"]
        end = await near.haul.ended(waiting)
    assert (end.status, len(stub.asked)) == ("completed", before + 8)


async def queued(run: Any, many: int) -> None:
    """So many calls wait in the queue; what the last polls had brought is back there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            pending = (await run.describe()).raw_description.pending_activities
            if [each.state for each in pending] == [PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED] * many:
                return
            await asyncio.sleep(0.05)


async def test_a_call_that_an_unwell_server_would_get_is_handed_back() -> None:
    pool = Pool("a", "http://127.0.0.1:9", [], None, 1)
    async with pool:
        await until(lambda: "cannot be reached" in pool.trouble)
    given: Any = None
    environment, told = ActivityEnvironment(), list[Any]()
    environment.on_heartbeat = told.append
    used = Sign(attempt=3, lost=Usage(tokens_in=5), silent=1)
    for attempt, before, sign in ((1, [], Sign()), (3, [Sign(tokens_in=5)], used)):
        environment.info = replace(environment.info, attempt=attempt, heartbeat_details=before)
        with pytest.raises(ApplicationError, match=r"the pool a handed it back: .*: it cannot be") as back:
            await environment.run(pool.intercept_activity(given).execute_activity, given)
        assert (back.value.type, back.value.non_retryable) == ("unavailable", False)
        assert back.value.details == ({"sign": sign.model_dump(), "lost": bool(before)},)
        assert told.pop() == sign


async def test_what_was_lost_before_a_call_was_handed_back_for_good_is_paid_for(
    temporal: Client, tmp_path: Path, stub: Stub
) -> None:
    @activity.defn(name="models.call")
    async def call(_: Any) -> Any:
        sign = Sign(attempt=4, lost=Usage(tokens_in=40, tokens_out=7), silent=2)
        facts = {"sign": sign.model_dump(), "lost": True}
        raise ApplicationError("handed back", facts, type="unavailable", non_retryable=True)

    own: dict[str, Any] = {"bundles": [bundle(tmp_path / "bundles", stub.url, "lossy")]}
    async with (
        Hauling(temporal, tmp_path / "home", roles=("run",), **own) as haul,
        Worker(temporal, task_queue="haulage.models.lossy", activities=[call]),
    ):
        end = await haul.run("crowd", crowd(1))
    # A run, which does not see the prompt, takes it for 31 tokens.
    assert (end.status, end.state["spent"]["tokens"]) == ("failed", 47 + 2 * 31)


async def test_a_call_that_is_handed_back_has_used_nothing(temporal: Client, tmp_path: Path, stub: Stub) -> None:
    async with Next(temporal, tmp_path, stub) as near:
        workflow = tmp_path / "bundles/crowd/workflow.yaml"
        workflow.write_text(workflow.read_text().replace("name: crowd", "name: crowd\nbudget: {tokens: 300}"))
        await until(lambda: not near.pool.trouble)
        assert near.pool.watching is not None
        near.pool.watching.cancel()
        # As the last poll finds it.
        near.pool.trouble = "its health is not what it was"
        run = await near.haul.start("crowd", crowd(1))
        await made_again(run)
        near.pool.trouble = ""
        end = await near.haul.ended(run)
    assert (end.status, len(stub.asked)) == ("completed", 1)
    assert (end.state["spent"]["calls"], end.state["spent"].get("unheard")) == (1, None)


async def test_a_server_gets_as_many_calls_at_once_as_it_takes(temporal: Client, tmp_path: Path, stub: Stub) -> None:
    stub.pages["/props"] = page({"total_slots": 3})
    stub.go.clear()
    async with Next(temporal, tmp_path, stub) as near:
        run = await near.haul.start("crowd", crowd(7))
        await until(lambda: len(stub.asked) == 3)
        assert near.pool.as_json()["slots"] == near.pool.slots.used == 3
        stub.go.set()
        assert (await near.haul.ended(run)).status == "completed"
    assert (len(stub.asked), stub.at_once) == (7, 3)


async def test_calls_go_on_when_the_server_becomes_unwell(temporal: Client, tmp_path: Path, stub: Stub) -> None:
    stub.go.clear()
    async with Next(temporal, tmp_path, stub, slots=2) as near:
        run = await near.haul.start("crowd", crowd(2))
        await until(lambda: len(stub.asked) == 2)
        stub.pages["/health"] = UNWELL
        await until(lambda: near.pool.trouble != "")
        stub.go.set()
        assert (await near.haul.ended(run)).status == "completed"


async def test_a_model_gets_no_more_calls_at_once_than_it_may(temporal: Client, tmp_path: Path, stub: Stub) -> None:
    stub.go.clear()
    async with Next(temporal, tmp_path, stub, slots=8, concurrency="2") as near:
        run = await near.haul.start("crowd", crowd(6))
        await until(lambda: near.pool.slots.used == 6 and len(stub.asked) == 2)
        stub.go.set()
        assert (await near.haul.ended(run)).status == "completed"
    assert (len(stub.asked), stub.at_once) == (6, 2)


async def test_a_call_that_waits_in_vain_fails_and_names_the_queue(
    temporal: Client, tmp_path: Path, stub: Stub
) -> None:
    stub.go.clear()
    async with Next(temporal, tmp_path, stub, slots=1, wait="300ms") as near:
        end = await near.haul.run("crowd", crowd(2))
        assert end.failure["category"] == "unavailable"
        assert f"nobody on haulage.models.{near.pool_name} was free in time" in end.failure["message"]
        stub.go.set()


@pytest.mark.parametrize(
    ("pages", "trouble", "slots"),
    [
        ({}, "", None),
        ({"/health": page("ok")}, "", None),
        ({"/health": UNWELL}, "its /health says 503", None),
        ({"/health": Reply(silent=True)}, "it says nothing for 1 s", None),
        ({"/v1/models": page({"data": []})}, "it does not have the model m-1; it has none", None),
        ({"/v1/models": page({}, 500)}, "its /v1/models says 500", None),
        ({"/v1/models": page({}, 404)}, "it has neither /v1/models nor /api/tags", None),
        ({"/v1/models": page({}, 404), "/api/tags": page({"models": [{"name": "m-1:latest"}]})}, "", None),
        ({"/v1/models": NESTED}, "what it says cannot be read (RecursionError)", None),
        ({"/props": page({"total_slots": 4})}, "", 4),
        ({"/props": page({"total_slots": "many"})}, "", None),
        ({"/props": page({}, 501)}, "", None),
    ],
)
async def test_a_server_tells_how_it_is(pages: dict[str, Reply], trouble: str, slots: int | None, stub: Stub) -> None:
    stub.pages.update(pages)
    async with servers.client(f"{stub.url}/v1", None) as http:
        seen = await servers.seen(http, ["m-1"])
    assert (seen.trouble, seen.slots) == (trouble, slots)


async def test_a_worker_ends_when_it_no_longer_watches_its_server(
    temporal: Client, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, pool=[f"pool-{tmp_path.name}"], server=stub.url)
    monkeypatch.setattr(Pool, "_take", lambda pool, seen: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(serve(temporal, ("models",), world(settings), stop=asyncio.Event()), 3 * PATIENCE)


async def test_a_server_that_is_not_there_is_unwell() -> None:
    async with servers.client("http://127.0.0.1:9", None) as http:
        assert "cannot be reached" in (await servers.seen(http, [])).trouble


async def test_a_server_is_asked_with_its_key(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "k-1")
    pool = pool_of(Settings(server=stub.url, server_key="THE_KEY"))
    assert pool is not None
    async with pool:
        await until(lambda: not pool.trouble)
    assert {each.headers.get("authorization") for each in stub.looked} == {"Bearer k-1"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"pool": ["a", "b"]}, "a server is for one pool, and these are 2: a, b"), ({"server": "nope"}, "is http://")],
)
def test_a_server_is_that_of_one_pool(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pool_of(Settings(**{"server": "http://127.0.0.1:9", **settings}))


def test_two_looks_and_their_patience_stay_below_two_seconds() -> None:
    assert EVERY_S + servers.PATIENCE_S < 2
    assert Pool("a", "http://127.0.0.1:9", [], None, 1).trouble
