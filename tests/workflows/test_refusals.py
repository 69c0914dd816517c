"""What is wrong from the start ends a run at once, and what is wrong later is turned away; both say what is right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.support import Haul
from tests.workflows.limits import PURE, Yard, bundle, proved

INPUT = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
NODES: dict[str, Any] = {
    "ok": {"human": {"ask": "Go on?", "within": "1h"}},
    "word": {"wait": {"signal": "word", "within": "1h", "schema": {"type": "string"}}},
    "said": {"transform": "${word}"},
}
PIPELINES = {"apiVersion": "haulage/v1", "pipelines": {"all": {}, "short": {"score": -1, "skip": ["said"]}}}

# What nobody outside may say: a reference names by its hash what its author may not see.
REFERENCE = {"$blob": {"uri": f"blob:{'0' * 64}", "sha256": "0" * 64, "size": 1, "media": "application/json"}}
PART = {"node": "said", "key": "", "offset": 0, "items": [REFERENCE], "names": {}}
FORGED = {"node": "said", "action": "output", "output": {"deep": [REFERENCE]}}


@pytest.fixture
async def haul(temporal: Client, tmp_path: Path) -> AsyncIterator[Haul]:
    bundle(tmp_path, NODES, ["ok -> word -> said"], name="greeter", input=INPUT, output="${word}", tools={"c": PURE})
    bundle(tmp_path, {"a": {"tool": "nothing"}}, name="broken")
    async with Yard(temporal, tmp_path) as haul:
        yield haul


@pytest.mark.parametrize(
    ("name", "given", "options", "says"),
    [
        ("greter", {"n": 1}, {}, ["no manifest 'greter'", "did you mean 'greeter'"]),
        ("broken", {}, {}, ["does not compile: ", "workflow.yaml:1:", "no tool 'nothing'"]),
        ("greeter", {}, {}, ["the input of 'greeter' does not fit", "n"]),
        ("greeter", {"n": "one"}, {}, ["the input of 'greeter' does not fit", "integer"]),
        ("greeter", {"n": 1, "m": 2}, {}, ["the input of 'greeter' does not fit", "m"]),
        ("greeter", {"n": 2**70}, {}, ["n"]),
        ("greeter", {"n": 1}, {"mood": "good"}, ["options: mood", "it takes mode, tags, pipeline"]),
        ("greeter", {"n": 1}, {"mode": "dry"}, ["options: mode", "'dry_run'"]),
        ("greeter", {"n": 1}, {"budget": {"usd": "much"}}, ["options: budget.usd"]),
        ("greeter", {"n": 1}, {"tenant": "é" * 40}, ["options: tenant"]),
        ("greeter", {"n": 1}, {"pipeline": "shrot"}, ["no pipeline 'shrot'", "did you mean 'short'"]),
        ("greeter", {"n": 1}, {"plan": "0" * 64}, ["no plan 000000000000 here", "'greeter' is "]),
        ("greeter", {"n": 1}, {"overrides": [{"node": "sad", "action": "skip"}]}, ["no node 'sad'", "'said'"]),
        ("greeter", {"n": 1}, {"origin": {"run": "x", "walk": {}}}, ["options: origin.walk"]),
        ("greeter", {"n": 1}, "quickly", ["options: it", "it takes mode"]),
        ("greeter", {"n": 1}, {"is_child": True}, ["options: `part` and `is_child` are what a run says to the child"]),
        ("greeter", {"n": 1}, {"part": PART}, ["options: `part` and `is_child` are what a run says to the child"]),
        ("greeter", {"n": 1}, {"overrides": [FORGED]}, ["options: overrides may not have a field '$blob'"]),
    ],
)
async def test_a_run_that_cannot_be_right_fails_at_once_and_says_why(
    name: str, given: Any, options: Any, says: list[str], haul: Haul, tmp_path: Path
) -> None:
    (tmp_path / "bundles/greeter/pipelines.yaml").write_text(json.dumps(PIPELINES))
    run = await haul.client.start_workflow(
        name, args=[given, options], id=f"{tmp_path.name}-{name}", task_queue=haul.queue
    )
    end, _ = await proved(haul, run)
    assert (end.status, end.failure.get("category")) == ("failed", "input"), end
    assert [said for said in says if said not in end.failure["message"]] == [], end.failure["message"]


async def test_more_inputs_than_there_are_fail_the_run(haul: Haul) -> None:
    run = await haul.client.start_workflow(
        "greeter", args=[{"n": 1}, {}, {"walk": {}}], id="three", task_queue=haul.queue
    )
    end, _ = await proved(haul, run)
    assert "a run takes its input and its options" in end.failure["message"]


ORDERS: list[tuple[str, Any, list[str]]] = [
    ("approve", {}, ["approve: node: Field required", "it takes actor, reason, node"]),
    ("approve", {"node": "ok", "chioce": "approve"}, ["approve: chioce", "it takes actor, reason, node, iteration"]),
    ("approve", {"node": "okay"}, ["no gate 'okay'; gates: ok"]),
    ("approve", {"node": "ok", "choice": "maybe"}, ["'ok' takes one of: approve, reject"]),
    ("approve", {"node": "ok", "shown": "beef"}, ["the answer is to beef"]),
    ("approve", [1, 2], ["approve: it"]),
    ("override", {"node": "ok", "action": "explode"}, ["override: action", "'skip'"]),
    ("override", {"node": "sad", "action": "skip"}, ["no node 'sad'", "'said'"]),
    ("override", {"node": "ok", "action": "goto", "to": "said"}, ["no way from 'ok' to 'said'"]),
    ("override", {"node": "ok", "action": "output", "output": {"$blob": {"sha256": "0"}}}, ["may not have a field"]),
    ("resume", {}, ["the run is not paused"]),
    ("set_mode", {"mode": "wild"}, ["set_mode: mode", "'dry_run'"]),
    ("extend_budget", {"calls": -1}, ["extend_budget: calls"]),
    ("message", {"text": "hello", "agent": "smith"}, ["this run has no agents"]),
]


async def test_an_order_that_makes_no_sense_is_refused_and_leaves_no_trace(haul: Haul) -> None:
    run = await haul.start("greeter", {"n": 1})
    await _opened(run)
    for name, order, says in ORDERS:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.execute_update(name, order)
        cause = refused.value.cause
        assert isinstance(cause, ApplicationError)
        assert [said for said in says if said not in cause.message] == [], cause.message
    assert await run.query("decisions") == []
    await run.execute_update("approve", {"node": "ok"})
    with pytest.raises(WorkflowUpdateFailedError, match="failed") as late:
        await run.execute_update("approve", {"node": "ok"})
    assert "'ok' is closed already: approve" in str(late.value.cause)
    await run.signal("word", "hello")
    end, _ = await proved(haul, run)
    assert end.output == "hello"


async def test_signals_with_rubbish_are_noted_and_change_nothing(haul: Haul) -> None:
    run = await haul.start("greeter", {"n": 1})
    await _opened(run)
    for name, order, _ in ORDERS:
        await run.signal(name, order)
    await run.signal("word", {"not": "a text"})
    await run.signal("word", args=[1, 2, 3])
    await run.signal("nonsense", None)
    await run.signal("approve")
    await run.signal("approve", {"node": "ok", "actor": "ann"})
    await run.signal("word", "hello")
    end, _ = await proved(haul, run)
    assert end.output == "hello"
    said = await run.query("decisions")
    refused = [each["event"] for each in said if each["event"].endswith("refused")]
    assert len(refused) == len(ORDERS) + 3
    assert [each["what"] for each in said if each["event"] == "signal ignored"] == ["nothing waits for 'nonsense'"]


async def _opened(run: WorkflowHandle[Any, Any]) -> None:
    """Until its gate is open a run cannot judge orders by what it shows."""
    async with asyncio.timeout(20):
        while not await run.query("gates"):
            await asyncio.sleep(0.05)
