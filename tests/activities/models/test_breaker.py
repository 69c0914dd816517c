"""An endpoint where nobody answers is left alone for a while."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.failing import Failing
from activities.models.breaker import FIRST_S, LAST_S, MOST, Breaker
from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from tests.activities.models.stub import KEY, Reply, Stub, ask, nobody, spec
from tests.support import Hauling


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("here", clock)


def goes(breaker: Breaker, category: str | None = None) -> bool:
    """Whether a call, which fails with this category, is made."""
    try:
        with breaker.passed():
            if category is not None:
                raise Failing(category, "made")
    except Failing as failing:
        return failing.message == "made"
    return True


@pytest.mark.parametrize("category", ["unavailable", "timeout"])
def test_failures_in_a_row_open_it_and_one_success_closes_it(category: str, breaker: Breaker, clock: Clock) -> None:
    assert [goes(breaker, category) for _ in range(MOST + 1)] == [True] * MOST + [False]
    clock.now += FIRST_S
    assert [goes(breaker), goes(breaker, category), goes(breaker)] == [True, True, True]


@pytest.mark.parametrize("category", ["rate_limited", "input", "json_major"])
def test_any_answer_counts_for_a_server_that_is_there(category: str, breaker: Breaker) -> None:
    for _ in range(3 * MOST):
        assert goes(breaker, "unavailable")
        assert goes(breaker, category)


def test_the_wait_grows_up_to_a_limit(breaker: Breaker, clock: Clock) -> None:
    waits = []
    for _ in range(MOST - 1):
        goes(breaker, "unavailable")
    for _ in range(9):
        assert goes(breaker, "unavailable")
        with pytest.raises(Failing) as refused, breaker.passed():
            pass
        waits.append((refused.value.retry_after_ms or 0) / 1000)
        clock.now += waits[-1]
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LAST_S


def test_calls_that_fail_side_by_side_open_it_for_no_longer(breaker: Breaker, clock: Clock) -> None:
    under_way = [breaker.passed() for _ in range(8 * MOST)]
    for call in under_way:
        call.__enter__()
    for call in under_way:
        failing = Failing("unavailable", "made")
        assert not call.__exit__(Failing, failing, None)
    clock.now += FIRST_S
    assert goes(breaker)


async def test_one_call_probes_and_one_that_is_cancelled_leaves_room(breaker: Breaker, clock: Clock) -> None:
    for _ in range(MOST):
        goes(breaker, "timeout")
    clock.now += FIRST_S

    async def probe() -> None:
        with breaker.passed():
            await asyncio.Event().wait()

    probing = asyncio.create_task(probe())
    await asyncio.sleep(0)
    assert not goes(breaker)
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    assert goes(breaker)


def test_it_closes_when_the_answer_to_the_probe_begins(breaker: Breaker, clock: Clock) -> None:
    for _ in range(MOST):
        goes(breaker, "timeout")
    clock.now += FIRST_S
    with breaker.passed() as began:
        assert not goes(breaker)
        began()
        assert goes(breaker)


def test_it_is_open_no_longer_than_its_time(breaker: Breaker, clock: Clock) -> None:
    for _ in range(MOST):
        goes(breaker, "unavailable")
    assert breaker.is_open
    clock.now += FIRST_S
    assert not breaker.is_open
    with breaker.passed():
        assert breaker.is_open


@pytest.mark.parametrize("is_asked_to", [False, True])
@pytest.mark.parametrize("has_begun", [False, True])
async def test_silence_until_the_time_is_up_counts_and_an_end_that_is_asked_for_does_not(
    is_asked_to: bool, has_begun: bool, breaker: Breaker
) -> None:
    under_way = asyncio.Event()

    async def silent() -> None:
        under_way.set()
        with breaker.passed() as began:
            if has_begun:
                began()
            await asyncio.Event().wait()

    for _ in range(MOST):
        environment = ActivityEnvironment()
        call = asyncio.ensure_future(environment.run(silent))
        await under_way.wait()
        under_way.clear()
        environment.cancel() if is_asked_to else call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert breaker.is_open is not (is_asked_to or has_begun)


HUNG = {
    "workflow.yaml": """
name: hung
output: ${think}
nodes:
  think: {agent: thinker, timeout: 200ms, retry: {attempts: 8, initial: 1ms, on: [timeout]}}
""",
    "agents.yaml": "agents: {thinker: {model: main, prompt: {text: Go.}}}",
}


async def test_a_server_that_hangs_is_left_alone_though_nodes_end_first(temporal: Client, tmp_path: Path) -> None:
    pool = f"hung-{tmp_path.name[-20:]}"
    async with Stub(Reply(silent=True)) as stub:
        facts = f"provider: openai_compatible, model: m-1, base_url: '{stub.url}/v1', pool: {pool}"
        (tmp_path / "hung").mkdir()
        for name, text in {**HUNG, "models.yaml": f"models: {{main: {{{facts}}}}}"}.items():
            (tmp_path / "hung" / name).write_text(f"apiVersion: haulage/v1\n{text}")
        async with Hauling(temporal, tmp_path / "home", bundles=[tmp_path / "hung"], pool=[pool]) as haul:
            end = await haul.run("hung")
    assert (end.failure["category"], len(stub.asked)) == ("unavailable", MOST)
    assert "was not asked" in end.failure["message"]


DEAD = b'{"error": {"message": "EngineDeadError", "code": 500}}'


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("openai", Reply(status=500, body=b"{}")),
        ("anthropic", Reply(status=500, body=b"{}")),
        ("ollama", Reply(body=DEAD + b"\n")),
        ("openai", Reply(body=b"data: " + DEAD + b"\n\n")),
        ("openai_compatible", Reply(body=b"data: " + DEAD + b"\n\n")),
    ],
)
async def test_a_server_that_fails_is_asked_no_more(kind: str, reply: Reply) -> None:
    said: list[Any] = []
    async with Stub(reply) as stub:
        endpoints = Endpoints(Secrets({"KEY": KEY}))
        provider = endpoints.provider("main", spec(kind, stub.url))
        for _ in range(MOST + 2):
            with pytest.raises(Failing) as failed:
                await provider.answer(ask(), nobody)
            said.append(failed.value)
        await endpoints.close()
    assert len(stub.asked) == MOST
    assert "was not asked" in said[-1].message
    assert (said[-1].type, said[-1].usage, said[-1].retry_after_ms > 0) == ("unavailable", None, True)
