"""Gates: answered once, by the right answer, to what was shown; and no, silence and the end of a run told apart."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.failing import Failing
from tests.workflows.stage import events, gates, node_is, refusal, stage, status, until

ASK = """
input: {type: object, properties: {amount: {type: number, default: 5}}}
nodes:
  ask:
    human: {ask: "Pay ${string(input.amount)}?", show: {amount: "${input.amount}"}, to: ann, within: 2h}
  paid: {transform: "yes"}
edges: [ask -> paid]
"""
WAYS = """
nodes:
  ask:
    human: {ask: Go?, within: 2h}
  yes: {transform: "yes"}
  no: {transform: "${error.category}: ${error.message}", when_skipped: ""}
  late: {transform: "${error.category}", when_skipped: ""}
  over: {join: any, transform: {no: "${no}", late: "${late}"}}
edges:
  - ask -> yes -> over
  - {from: ask, to: no, on: rejected}
  - {from: ask, to: late, on: expired}
  - no -> over
  - late -> over
"""
MANY = """
nodes:
  each:
    map:
      over: "['a', 'b', 'c']"
      as: item
      max: 3
      concurrency: 3
      do:
        nodes:
          ask:
            human: {ask: "Take ${item}?", show: "${item}", within: 2h}
"""
FORM = """
nodes:
  ask:
    human:
      ask: How many?
      within: 2h
      form: {type: object, required: [number], properties: {number: {type: integer}}, additionalProperties: false}
"""


async def test_a_gate_is_answered_once(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        run = await haul.begin()
        await gates(run)
        await run.execute_update("pause")
        assert await run.execute_update("approve", {"node": "ask", "actor": "ann"}) == {
            "node": "ask",
            "answer": "answered",
        }
        assert "closed already: approve" in await refusal(run, "reject", {"node": "ask"})
        await run.execute_update("resume")
        end = await haul.ended(run)
        assert end.status == "completed"
        with pytest.raises(RPCError, match="already completed"):
            await run.execute_update("approve", {"node": "ask"})


async def test_the_same_update_given_twice_counts_once(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, MANY) as haul:
        run = await haul.begin()
        await gates(run, 3)
        id = str(uuid.uuid4())
        order = {"node": "ask", "iteration": "1", "actor": "ann"}
        first = await run.execute_update("approve", order, id=id)
        before = len(await events(run))
        assert await run.execute_update("approve", order, id=id) == first
        assert len(await events(run)) == before
        assert [each["event"] for each in await run.query("decisions")] == ["approve"]
        for place in ("0", "2"):
            await run.execute_update("approve", {**order, "iteration": place})
        assert (await haul.ended(run)).status == "completed"


async def test_answers_go_to_the_iteration_that_they_name(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, MANY) as haul:
        run = await haul.begin()
        assert [gate["iteration"] for gate in await gates(run, 3)] == ["0", "1", "2"]
        assert "in several iterations: 0, 1, 2" in await refusal(run, "approve", {"node": "ask"})
        assert "is no iteration of 'ask'" in await refusal(run, "approve", {"node": "ask", "iteration": "x"})
        for place in ("2", "0"):
            await run.execute_update("approve", {"node": "ask", "iteration": place, "actor": f"of {place}"})
        assert "closed already" in await refusal(run, "approve", {"node": "ask", "iteration": "2"})
        await run.execute_update("approve", {"node": "ask", "actor": "of the last"})
        end = await haul.ended(run)
    assert [each["by"] for each in end.output] == ["of 0", "of the last", "of 2"]


async def test_answers_from_before_a_gate_opens_are_kept_for_it(skipping: Client, tmp_path: Path) -> None:
    async with stage(skipping, tmp_path, MANY) as haul:
        run = await haul.begin()
        for place in ("2", "0", "1"):
            await run.signal("approve", {"node": "ask", "iteration": place, "actor": f"of {place}"})
        end = await haul.ended(run)
    assert [each["by"] for each in end.output] == ["of 0", "of 1", "of 2"]


SLOW = ASK.replace("nodes:\n", "nodes:\n  first: {tool: do}\n").replace("[ask", "[first -> ask")


async def test_an_early_answer_to_something_else_opens_nothing(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, SLOW) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        kept = await run.execute_update("approve", {"node": "ask", "shown": "0" * 16, "actor": "ann"})
        assert kept["answer"] == "kept until the gate opens"
        assert "answered in advance already" in await refusal(run, "reject", {"node": "ask"})
        haul.hands.let_go("do")
        [gate] = await gates(run)
        [_, refused] = await run.query("decisions")
        assert (refused["event"], refused["actor"]) == ("approve refused", "ann")
        assert gate["shown"] in refused["what"]
        await run.execute_update("approve", {"node": "ask", "shown": gate["shown"]})
        assert (await haul.ended(run)).output == "yes"


async def test_an_early_answer_that_never_fits_is_refused_at_once(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, SLOW) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        assert "takes one of: approve, reject" in await refusal(run, "approve", {"node": "ask", "choice": "aprove"})
        assert "leave the iteration out" in await refusal(run, "approve", {"node": "ask", "iteration": "3"})
        await run.execute_update("approve", {"node": "ask", "actor": "ann"})
        haul.hands.let_go("do")
        assert (await haul.ended(run)).output == "yes"


async def test_an_answer_is_bound_to_what_was_shown(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        one, other = await haul.begin({"amount": 5}), await haul.begin({"amount": 6})
        [shown], [else_shown] = await gates(one), await gates(other)
        assert shown["shown"] != else_shown["shown"]
        wrong = await refusal(one, "approve", {"node": "ask", "shown": else_shown["shown"]})
        assert wrong == f"the answer is to {else_shown['shown']}, and what 'ask' shows now is {shown['shown']}"
        for run, gate in ((one, shown), (other, else_shown)):
            await run.execute_update("approve", {"node": "ask", "shown": gate["shown"]})
            assert (await haul.ended(run)).status == "completed"


@pytest.mark.parametrize("handled", [True, False])
async def test_silence_and_no_are_failures_of_their_own(skipping: Client, tmp_path: Path, handled: bool) -> None:
    async with stage(skipping, tmp_path, WAYS if handled else ASK) as haul:
        silent, refused = await haul.begin(), await haul.begin()
        await gates(refused)
        await refused.signal("reject", {"node": "ask", "actor": "ann", "reason": "too dear"})
        no, late = await haul.ended(refused), await haul.ended(silent)
    if handled:
        assert no.output == {"no": "rejected: rejected by ann: too dear", "late": ""}
        assert late.output == {"no": "", "late": "expired"}
    else:
        assert (no.status, no.failure["category"], no.failure["node"]) == ("failed", "rejected", "ask")
        assert (late.status, late.failure["category"], late.failure["node"]) == ("failed", "expired", "ask")


async def test_a_run_that_is_cancelled_at_a_gate_is_neither_rejected_nor_expired(
    skipping: Client, tmp_path: Path
) -> None:
    async with stage(skipping, tmp_path, WAYS) as haul:
        run = await haul.begin()
        await gates(run)
        await run.cancel()
        end = await haul.ended(run)
    assert (end.status, end.path) == ("cancelled", [])
    assert end.state["nodes"] == {
        "ask": "running",
        "yes": "waiting",
        "no": "waiting",
        "late": "waiting",
        "over": "waiting",
    }


ESCALATES = ASK.replace("within: 2h", "within: 2h, escalate: {after: 1h, to: leads}")


async def test_escalation_changes_who_is_waited_for(temporal: Client, tmp_path: Path) -> None:
    graph = ESCALATES.replace("after: 1h", "after: 1s")
    async with stage(temporal, tmp_path, graph) as haul:
        run = await haul.begin()
        await gates(run)
        await until(run.describe, lambda seen: seen.search_attributes.get("WaitingOn") == ["ann"])
        await until(run.describe, lambda seen: seen.search_attributes.get("WaitingOn") == ["leads"])
        [gate] = await run.query("gates")
        assert gate["to"] == "leads"
        await run.execute_update("approve", {"node": "ask", "shown": gate["shown"]})
        end = await haul.ended(run)
        await haul.replays(run)
    assert end.output == "yes"
    # At the start, for ann, for the leads, when they have answered, and at the end.
    assert (await events(run)).count("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES") == 5


@pytest.mark.parametrize(("choice", "ends"), [("approve", "completed"), ("reject", "rejected"), ("expire", "expired")])
async def test_what_silence_means_is_the_manifests_to_say(
    choice: str, ends: str, skipping: Client, tmp_path: Path
) -> None:
    async with stage(skipping, tmp_path, ESCALATES.replace("within: 2h", f"within: 2h, on_timeout: {choice}")) as haul:
        end = await haul.ended(await haul.begin())
    assert ends == end.failure.get("category", end.status)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "wants a form"),
        ({"choice": "approve"}, "wants a form"),
        ({"form": {}}, "the form does not fit: "),
        ({"form": {"number": "x"}}, "the form does not fit: "),
        ({"form": {"number": 1, "more": 2}}, "the form does not fit: "),
    ],
)
async def test_a_form_is_judged_by_its_schema(
    order: dict[str, Any], words: str, temporal: Client, tmp_path: Path
) -> None:
    async with stage(temporal, tmp_path, FORM) as haul:
        run = await haul.begin()
        await gates(run)
        assert words in await refusal(run, "approve", {"node": "ask", **order})
        await run.execute_update("approve", {"node": "ask", "form": {"number": 3}, "actor": "ann"})
        end = await haul.ended(run)
    assert end.output == {"form": {"number": 3}, "by": "ann", "reason": ""}


AGAIN = """
nodes:
  each:
    loop:
      max: 2
      until: has(try.did)
      do:
        nodes:
          ask: {human: {ask: Go?, within: 2h}}
          try: {tool: do}
        edges: [ask -> try]
    retry: {attempts: 2, initial: 1s, on: [unavailable]}
"""


async def test_a_gate_that_a_retry_opens_again_takes_an_answer_again(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, AGAIN) as haul:
        haul.hands.answers["do"] = [Failing("unavailable", "away"), {"did": "it"}]
        run = await haul.begin()
        for _ in range(2):
            await gates(run)
            await run.execute_update("approve", {"node": "ask"})
            await gates(run, 0)
        end = await haul.ended(run)
    assert end.output == {"did": "it"}


async def test_the_stage_says_whether_people_are_waited_for(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        run = await haul.begin()
        await status(run, "waiting")
        await run.execute_update("approve", {"node": "ask"})
        end = await haul.ended(run)
        await node_is(run, "paid", "done")
    assert end.state["status"] == "completed"


# --- answered twice

BILLS = """
nodes:
  bills:
    loop:
      max: 3
      until: index == 2
      do:
        nodes:
          ask: {human: {ask: "Pay bill ${string(index)}?", within: 1h}}
          pay: {tool: do, with: {what: "${string(index)}"}}
        edges: [ask -> pay]
"""


@pytest.mark.parametrize("way", ["update", "signal"])
async def test_an_answer_that_comes_twice_does_not_answer_the_next_iteration(
    way: str, temporal: Client, tmp_path: Path
) -> None:
    async with stage(temporal, tmp_path, BILLS) as haul:
        run = await haul.begin()
        await gates(run)
        await run.signal("approve", {"node": "ask"})
        await until(lambda: run.query("gates"), lambda open: [gate["iteration"] for gate in open] == ["1"])
        if way == "update":
            said = await refusal(run, "approve", {"node": "ask"})
        else:
            await run.signal("approve", {"node": "ask"})
            book = await until(lambda: run.query("decisions"), lambda book: len(book) == 2)
            said = book[1]["what"]
        assert said == "'ask' was answered in another iteration: say that it is for 1"
        await run.execute_update("approve", {"node": "ask", "iteration": "1"})
        await run.execute_update("approve", {"node": "ask", "iteration": "2"})
        assert (await haul.ended(run)).status == "completed"
    assert [call.arguments["what"] for call in haul.hands.called("do")] == ["0", "1", "2"]
