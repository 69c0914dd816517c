"""Budgets in tokens and dollars, against a server that bills: no call can use more than is left."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.activities.models.billing import Billing
from tests.activities.models.stub import Reply, Said, Stub
from tests.support import Ended, Hauling

WORKFLOW = """
apiVersion: haulage/v1
name: talk
budget: {budget}
input:
  type: object
  properties: {{wanted: {{type: array, items: {{type: integer}}, maxItems: 50}}}}
  required: [wanted]
output: ${{all.ok}}
nodes:
  all:
    map: {{over: input.wanted, as: n, max: 50, concurrency: 50, on_error: partition, do: {{nodes: {{
      say: {{agent: talker, with: {{n: "${{n}}"}}}}}}}}}}
"""
AGENTS = """
apiVersion: haulage/v1
agents:
  talker: {{model: main, prompt: {{text: "say {{{{ n }}}}"}}, max_output: {most}}}
"""
MODELS = """
apiVersion: haulage/v1
models:
  main: {{provider: openai_compatible, model: m-1, base_url: "{url}", price: {{input: 1.0, output: 2.0, per: 1000}}}}
"""


def written(folder: Path, billing: Billing, budget: str, most: int) -> Path:
    return bundled(folder, WORKFLOW.format(budget=budget), f"{billing.url}/v1", most)


def bundled(folder: Path, workflow: str, url: str, most: int = 100) -> Path:
    bundle = folder / "talk"
    bundle.mkdir(parents=True)
    (bundle / "workflow.yaml").write_text(workflow)
    (bundle / "agents.yaml").write_text(AGENTS.format(most=most))
    (bundle / "models.yaml").write_text(MODELS.format(url=url))
    return folder


async def ended(
    temporal: Client, home: Path, billing: Billing, budget: str, wanted: list[int], most: int = 4_096
) -> Ended:
    bundles = written(home / "bundles", billing, budget, most)
    async with Hauling(temporal, home / "home", bundles=[bundles]) as haul:
        return await haul.run("talk", {"wanted": wanted})


PATIENT = """
apiVersion: haulage/v1
name: patient
output: ${say.text}
nodes:
  wait: {wait: {signal: begin, within: 1h}}
  say: {agent: talker, with: {n: "5"}, retry: {attempts: 2, initial: 10ms, on: [unavailable]}}
edges: [wait -> say]
"""


def billed(billing: Billing) -> int:
    return sum(each.tokens for each in billing.receipts)


def spent(end: Ended) -> Any:
    return end.state["spent"]


async def test_what_is_spent_is_what_was_billed(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing:
        end = await ended(temporal, tmp_path, billing, "{tokens: 100000, usd: 500}", [10, 20, 30])
    assert end.status == "completed"
    assert spent(end)["tokens"] == billed(billing)
    assert float(spent(end)["usd"]) == sum(each.tokens_in + 2 * each.tokens_out for each in billing.receipts) / 1_000


async def test_a_model_that_never_stops_is_stopped_at_what_is_left(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing:
        end = await ended(temporal, tmp_path, billing, "{tokens: 1000}", [100_000])
    assert [each.tokens_out for each in billing.receipts] == [each.most for each in billing.receipts]
    assert len(billing.receipts) == 1
    assert 900 < billed(billing) <= 1_000
    assert spent(end)["tokens"] == billed(billing)
    assert end.output == []


async def test_a_prompt_that_leaves_no_room_is_not_sent(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing:
        end = await ended(temporal, tmp_path, billing, "{tokens: 100}", [10])
    assert billing.receipts == []
    assert end.output == []
    assert spent(end)["calls"] == 0


async def test_dollars_hold_as_tokens_do(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing:
        end = await ended(temporal, tmp_path, billing, "{usd: 1.5}", [100_000])
    used = sum(each.tokens_in + 2 * each.tokens_out for each in billing.receipts) / 1_000
    assert 1.0 < used <= 1.5
    assert float(spent(end)["usd"]) == used


async def side_by_side(temporal: Client, home: Path, billing: Billing, tokens: int, said: int) -> Ended:
    """A run of twenty agents at once, each left out when the budget does not allow it."""
    node = f'agent: talker, with: {{n: {said}}}, on_budget: skip, when_skipped: {{text: ""}}'
    nodes = "".join(f"  say{each}: {{{node}}}\n" for each in range(20))
    workflow = f"apiVersion: haulage/v1\nname: talk\nbudget: {{tokens: {tokens}}}\noutput: done\nnodes:\n{nodes}"
    bundles = bundled(home / "bundles", workflow, f"{billing.url}/v1", 4_096)
    async with Hauling(temporal, home / "home", bundles=[bundles]) as haul:
        return await haul.run("talk")


async def test_calls_side_by_side_share_what_there_is(temporal: Client, tmp_path: Path) -> None:
    async with Billing(pause=0.02) as billing:
        end = await side_by_side(temporal, tmp_path, billing, 20_000, 50)
    assert [each.tokens_out for each in billing.receipts] == [50] * 20
    assert billing.most_at_once > 4
    assert spent(end)["tokens"] == billed(billing)


async def test_together_they_never_pass_the_cap_and_pay_for_hardly_anything_in_vain(
    temporal: Client, tmp_path: Path
) -> None:
    async with Billing(pause=0.0005) as billing:
        end = await side_by_side(temporal, tmp_path, billing, 5_000, 400)
    assert billed(billing) <= 5_000
    assert spent(end)["tokens"] == billed(billing)
    assert [each.tokens_out for each in billing.receipts].count(400) >= 10


async def test_an_answer_cut_for_want_of_budget_is_asked_for_again_with_all_of_it(
    temporal: Client, tmp_path: Path
) -> None:
    async with Billing(pause=0.0005) as billing:
        end = await ended(temporal, tmp_path, billing, "{tokens: 12000}", [2_500, 2_500, 2_500])
    assert [each.tokens_out for each in billing.receipts].count(2_500) == len(end.output) >= 2
    assert spent(end)["tokens"] == billed(billing) <= 12_000


async def halfway(temporal: Client, home: Path, billing: Billing, stack: AsyncExitStack, **settings: Any) -> Any:
    """A run of one call of 200 words, of which 100 are said."""
    billing.go.clear()
    bundles = written(home / "bundles", billing, "{tokens: 100000}", 4_096)
    haul = await stack.enter_async_context(Hauling(temporal, home / "home", bundles=[bundles], **settings))
    run = await haul.start("talk", {"wanted": [200]})
    await billing.said(100)
    return haul, run


async def test_a_call_that_is_cancelled_is_paid_for(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing, AsyncExitStack() as stack:
        haul, run = await halfway(temporal, tmp_path, billing, stack)
        await run.cancel()
        end = await haul.ended(run)
    assert end.status == "cancelled"
    assert 90 <= spent(end)["tokens"] <= 110


async def test_a_call_that_its_worker_breaks_off_is_paid_for_and_made_again(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing, AsyncExitStack() as stack:
        billing.go.clear()
        own: dict[str, Any] = {"bundles": [written(tmp_path / "bundles", billing, "{tokens: 1000}", 300)]}
        haul = await stack.enter_async_context(Hauling(temporal, tmp_path / "home", roles=("run",), **own))
        run = await haul.start("talk", {"wanted": [200]})
        async with Hauling(temporal, tmp_path / "home", roles=("models",), drain_s=0, **own):
            await billing.said(100)
        billing.go.set()
        await stack.enter_async_context(Hauling(temporal, tmp_path / "home", roles=("models",), **own))
        end = await haul.ended(run)
    assert (len(end.output), spent(end)["calls"], len(billing.receipts)) == (1, 1, 2)
    assert abs(spent(end)["tokens"] - billed(billing)) <= 10
    # What it said while its connection was closed, nobody heard.
    assert billed(billing) <= spent(end)["tokens"] + spent(end)["unheard"]["tokens"] <= 1_000


async def test_a_call_whose_time_is_up_is_paid_for(temporal: Client, tmp_path: Path) -> None:
    async with Billing() as billing, AsyncExitStack() as stack:
        billing.go.clear()
        bundles = written(tmp_path / "bundles", billing, "{tokens: 100000}", 4_096)
        workflow = bundles / "talk/workflow.yaml"
        workflow.write_text(workflow.read_text().replace("say: {agent: talker,", "say: {agent: talker, timeout: 2s,"))
        haul = await stack.enter_async_context(Hauling(temporal, tmp_path / "home", bundles=[bundles]))
        end = await haul.run("talk", {"wanted": [200]})
    assert 90 <= spent(end)["tokens"] <= 110


async def test_mail_that_a_failed_call_did_not_deliver_is_read_by_the_next_try(
    temporal: Client, tmp_path: Path
) -> None:
    async with Stub(Reply(status=503, body=b"{}"), Reply(said=Said(pieces=("Aye.",)))) as stub:
        stub.go.clear()
        bundles = bundled(tmp_path / "bundles", PATIENT, f"{stub.url}/v1")
        async with Hauling(temporal, tmp_path / "home", bundles=[bundles]) as haul:
            run = await haul.start("patient")
            await run.execute_update("message", {"agent": "talker", "text": "STOP"})
            await run.signal("begin")
            await stub.was_asked()
            stub.go.set()
            assert (await haul.ended(run)).status == "completed"
    assert ["STOP" in str(each.body["messages"]) for each in stub.asked] == [True, True]
