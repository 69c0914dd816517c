"""Orders: carried out by update and by signal, written down, and refused where they make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.failing import Failing
from tests.workflows.limits import proved
from tests.workflows.stage import Run, events, gates, gave, node_is, page, refusal, sent, stage, status, until

# `work` is in the hands of the test; the gate waits beside it.
DESK = """
budget: {calls: 99, tokens: 900000, usd: 1, time: 1h}
nodes:
  work: {tool: do, with: {what: work}}
  ask: {human: {ask: Go?, choices: [approve, reject, later], to: ann, within: 2h}}
  veto: {human: {ask: Really?, within: 2h}}
  think: {agent: thinker, with: {topic: boats}}
  each:
    map:
      over: "['a', 'b']"
      as: item
      max: 2
      do: {nodes: {step: {tool: look, with: {what: "${item}"}}}}
  done: {join: any, transform: {work: "${work}", said: "${ask.choice}"}}
edges:
  - work -> think -> each -> done
  - ask -> done
  - veto -> done
  - {from: veto, to: done, on: rejected}
"""
WHO = {"actor": "ann", "reason": "because"}
ORDERS: list[tuple[str, dict[str, Any], str]] = [
    ("pause", {}, ""),
    ("approve", {"node": "ask", "choice": "later"}, "ask: answered"),
    ("reject", {"node": "veto"}, "veto: answered"),
    ("override", {"node": "work", "action": "output", "output": {"did": "by hand"}}, "node work, action output"),
    ("set_mode", {"mode": "dry_run"}, "mode dry_run"),
    ("extend_budget", {"calls": 3, "tokens": 10, "usd": "0.5", "time_ms": 1000}, "calls 3, tokens 10, usd 0.5"),
    ("message", {"text": "Mind the tide.", "agent": "thinker"}, "text Mind the tide., agent thinker"),
    ("resume", {}, ""),
]
ANSWERS = {"thinker": [{"json": {"text": "Fine."}}]}


@pytest.mark.parametrize("way", ["update", "signal"])
async def test_every_order_is_carried_out_and_written_down(way: str, temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, DESK, models=ANSWERS) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        await gates(run, 2)
        for name, order, _ in ORDERS:
            if way == "update":
                await run.execute_update(name, {**order, **WHO})
            else:
                await run.signal(name, {**order, **WHO})
        end = await haul.ended(run)
        await haul.replays(run)
        book = await run.query("decisions")
        budget = await run.query("budget")
    assert [each["event"] for each in book] == [name for name, _, _ in ORDERS]
    assert {(each["actor"], each["reason"]) for each in book} == {("ann", "because")}
    for each, (_, _, what) in zip(book, ORDERS, strict=True):
        assert each["what"].startswith(what)
    assert end.output == {"work": {"did": "by hand"}, "said": "later"}
    assert (end.state["mode"], budget["caps"]) == ("dry_run", {"calls": 102, "tokens": 900010, "usd": "1.5"})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("approve", {}, "approve: node: Field required (it takes actor, reason, node, iteration, shown, choice, form)"),
    ("approve", {"node": "nope"}, "no gate 'nope'; gates: ask, veto"),
    ("approve", {"node": "work"}, "no gate 'work'; gates: ask, veto"),
    ("approve", {"node": "ask", "choice": "perhaps"}, "'ask' takes one of: approve, reject, later"),
    ("approve", {"node": "ask", "form": {"a": 1}}, "'ask' takes one of: approve, reject, later"),
    ("approve", {"node": "ask", "iteration": "1"}, "'ask' is in no map and no loop: leave the iteration out"),
    ("approve", {"node": "ask", "shown": "1" * 16}, f"the answer is to {'1' * 16}, and what 'ask' shows now is "),
    ("approve", {"node": "ask", "shwon": "1"}, "approve: shwon: Extra inputs are not permitted (it takes "),
    ("reject", {"node": "nope"}, "no gate 'nope'; gates: ask, veto"),
    ("override", {"node": "wrok", "action": "skip"}, "no node 'wrok'; did you mean 'work'?"),
    ("override", {"node": "work", "action": "explode"}, "override: action: Input should be 'skip', 'output', "),
    ("override", {"node": "work", "action": "goto", "to": "done"}, "no way from 'work' to 'done'; ways: none but "),
    ("override", {"node": "think", "action": "retry", "model": "smal"}, "no model 'smal'; did you mean 'small'?"),
    ("override", {"node": "ask", "action": "retry"}, "a human is not tried again; use `output`, `skip` or `goto`"),
    ("override", {"node": "work", "action": "input"}, '`input` wants the inputs: {"input": {…}}'),
    ("override", {"node": "done", "action": "input", "input": {}}, "a transform has no inputs"),
    ("override", {"node": "step", "action": "skip"}, "'step' is not under way; to say it in advance, say for which "),
    ("override", {"node": "step", "action": "skip", "iteration": "1.2"}, "'1.2' is no iteration of 'step'; one looks "),
    ("override", {"node": "work", "action": "skip", "iteration": "0"}, "'work' is in no map and no loop: leave the "),
    ("resume", {}, "the run is not paused"),
    ("pause", {"node": "x"}, "pause: node: Extra inputs are not permitted (it takes actor, reason)"),
    ("set_mode", {"mode": "fast"}, "set_mode: mode: Input should be 'normal', 'analysis_only' or 'dry_run'"),
    ("extend_budget", {}, "say by how much: calls, tokens, usd or time_ms"),
    ("extend_budget", {"calls": -1}, "extend_budget: calls: Input should be greater than or equal to 0"),
    ("extend_budget", {"usd": "1e9"}, "extend_budget: usd: String should match pattern"),
    ("message", {"text": ""}, "message: text: String should have at least 1 character"),
    ("message", {"text": "hi", "agent": "thinkr"}, "no agent 'thinkr'; did you mean 'thinker'?"),
]


async def what_happened(run: Run) -> list[str]:
    """All events but those of workflow tasks, which a server keeps or drops as it likes."""
    return [event for event in await events(run) if not event.startswith("WORKFLOW_TASK_")]


async def test_what_is_refused_leaves_nothing_behind(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, DESK, models=ANSWERS) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        await gates(run, 2)
        before = await what_happened(run)
        for name, order, words in REFUSED:
            assert (await refusal(run, name, order)).startswith(words)
        assert await what_happened(run) == before
        assert await run.query("decisions") == []
        await run.cancel()
        await haul.ended(run)


SHORTENED = """
nodes:
  ask: {human: {ask: Go?, within: 2h}}
  left: {tool: do, when_skipped: {did: nothing}}
  end: {join: any, transform: done}
edges: [ask -> left -> end]
"""
LEAVES_OUT = "apiVersion: haulage/v1\npipelines: {short: {skip: [left], score: 2}, whole: {score: 0}}\n"


@pytest.mark.parametrize("action", [{"action": "skip"}, {"action": "output", "output": {"did": "x"}}])
@pytest.mark.parametrize("way", ["update", "signal", "options"])
async def test_a_node_that_the_pipeline_leaves_out_cannot_be_overridden(
    way: str, action: dict[str, Any], temporal: Client, tmp_path: Path
) -> None:
    order, words = {"node": "left", **action}, "'left' is left out by the pipeline of this run"
    async with stage(temporal, tmp_path, SHORTENED, files={"pipelines.yaml": LEAVES_OUT}) as haul:
        run = await haul.begin(overrides=[order] if way == "options" else [])
        if way != "options":
            await gates(run)
        if way == "update":
            assert await refusal(run, "override", order) == words
        elif way == "signal":
            await run.signal("override", order)
            book = await until(lambda: run.query("decisions"), lambda book: book)
            assert [(each["event"], each["what"]) for each in book] == [("override refused", words)]
        if way != "options":
            await run.execute_update("approve", {"node": "ask"})
        end, _ = await proved(haul, run)
    if way == "options":
        assert (end.failure["category"], words in end.failure["message"]) == ("input", True)
    else:
        assert (end.output, haul.hands.tools) == ("done", [])


async def test_a_signal_that_cannot_be_followed_is_noted(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, DESK, models=ANSWERS) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        await run.signal("approve", {"node": "nope"})
        await run.signal("aprove", {"node": "ask"})
        book = await until(lambda: run.query("decisions"), lambda book: len(book) == 2)
        await run.cancel()
        await haul.ended(run)
    assert [(each["event"], each["what"]) for each in book] == [
        ("approve refused", "no gate 'nope'; gates: ask, veto"),
        ("signal ignored", "nothing waits for 'aprove'"),
    ]


# --- overrides

CHAIN = """
nodes:
  zero: {tool: look}
  first: {tool: do, with: {what: "1"}, retry: {attempts: 3, initial: 1h, on: [unavailable]}, when_skipped: {did: ""}}
  saved: {transform: "${error.message}", when_skipped: ""}
  end: {join: any, transform: {did: "${first.?did.orValue('')}", saved: "${saved}"}, when_skipped: none}
edges:
  - zero -> first -> end
  - {from: first, to: saved, on: error}
  - saved -> end
"""
ACTIONS: list[tuple[dict[str, Any], Any]] = [
    ({"action": "output", "output": {"did": "by hand"}}, {"did": "by hand", "saved": ""}),
    ({"action": "input", "input": {"what": "2"}}, {"did": "2", "saved": ""}),
    ({"action": "retry"}, {"did": "1", "saved": ""}),
    ({"action": "goto", "to": "saved", "reason": "no time"}, {"did": "", "saved": "no time"}),
    ({"action": "skip"}, "none"),
]


@pytest.mark.parametrize("when", ["waiting", "running", "running and deaf", "waiting for its next try"])
@pytest.mark.parametrize(("order", "output"), ACTIONS, ids=[order["action"] for order, _ in ACTIONS])
async def test_a_node_is_overridden(
    when: str, order: dict[str, Any], output: Any, temporal: Client, tmp_path: Path
) -> None:
    async with stage(temporal, tmp_path, CHAIN) as haul:
        hands, told = haul.hands, {"node": "first", **order}
        hands.answers["do"] = [Failing("unavailable", "away")] if when.endswith("try") else []
        hands.hold("look" if when == "waiting" else "do", deaf=when.endswith("deaf"))
        run = await haul.begin()
        if when == "waiting":
            await hands.began("look")
        elif when.startswith("running"):
            await hands.began("do")
        else:
            hands.let_go("do")
            await until(lambda: page(run), lambda shown: "try 2 of 3 after unavailable: away" in shown)
        await run.execute_update("override", told)
        if when.startswith("running"):
            await hands.was_stopped("do")
            hands.let_go("do")
        hands.let_go("look") if when == "waiting" else None
        end = await haul.ended(run)
        await haul.replays(run)
    assert end.output == output
    calls = {"waiting": 1, "running": 2, "running and deaf": 2, "waiting for its next try": 2}[when]
    assert len(hands.called("do")) == (calls if order["action"] in ("input", "retry") else calls - 1)


async def test_overrides_hold_from_the_start(skipping: Client, tmp_path: Path) -> None:
    async with stage(skipping, tmp_path, CHAIN) as haul:
        end = await haul.ended(
            await haul.begin(overrides=[{"node": "first", "action": "output", "output": {"did": "x"}}])
        )
        wrong = await haul.ended(await haul.begin(overrides=[{"node": "frist", "action": "skip"}]))
    assert end.output == {"did": "x", "saved": ""}
    assert wrong.failure == {"message": "no node 'frist'; did you mean 'first'?", "category": "input"}


async def test_a_finished_node_cannot_be_overridden(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, CHAIN) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        assert await refusal(run, "override", {"node": "zero", "action": "skip"}) == "'zero' is done already"
        haul.hands.let_go("do")
        await haul.ended(run)


EACH = """
nodes:
  each:
    map:
      over: "['a', 'b', 'c']"
      as: item
      max: 3
      do: {nodes: {step: {tool: do, with: {what: "${item}"}}}}
"""


async def test_a_node_is_overridden_in_one_iteration(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, EACH) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do", 3)
        order = {"node": "step", "action": "output", "output": {"did": "by hand"}}
        assert "in several iterations: say which one: 0, 1, 2" in await refusal(run, "override", order)
        await run.execute_update("override", {**order, "iteration": "1"})
        haul.hands.let_go("do")
        end = await haul.ended(run)
    assert end.output == [{"did": "a"}, {"did": "by hand"}, {"did": "c"}]


MANY = (
    EACH.replace("['a', 'b', 'c']", "input.items")
    .replace("max: 3", "max: 2000")
    .replace("nodes:", "input: {type: object, required: [items], properties: {items: {type: array}}}\nnodes:", 1)
)


async def test_what_child_runs_carry_out_is_ordered_there(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, MANY) as haul:
        haul.hands.hold("do")
        run = await haul.begin({"items": ["a", "b"]})
        await haul.hands.began("do", 2)
        order = {"node": "step", "iteration": "1", "action": "output", "output": {"did": "by hand"}}
        words = await refusal(run, "override", order)
        assert words == f"'step' is carried out by child runs: tell the one whose id begins with '{run.id}/each#'"
        child = temporal.get_workflow_handle(f"{run.id}/each#0+2")
        assert "this run carries out a part of 'each'" in await refusal(child, "override", {**order, "node": "each"})
        await child.execute_update("override", order)
        haul.hands.let_go("do")
        end = await haul.ended(run)
    assert end.output == [{"did": "a"}, {"did": "by hand"}]


FUSED = """
nodes:
  one: {tool: hash, with: {text: a}}
  two: {tool: parse, with: {text: "{}"}, retry: {attempts: 3, initial: 1h, on: [unavailable]}}
  three: {tool: hash, with: {text: b}}
edges: [one -> two -> three]
output: {two: "${two.value}", three: "${three.sha256 != ''}"}
"""


async def test_a_step_of_a_chain_of_local_steps_is_overridden(temporal: Client, tmp_path: Path) -> None:
    fails = {"parse": [{"fails": {"category": "unavailable"}}] * 3}
    async with stage(temporal, tmp_path, FUSED, tools=fails) as haul:
        run = await haul.begin()
        await until(lambda: page(run), lambda shown: "try 2 of 3 after unavailable" in shown)
        await run.execute_update("override", {"node": "two", "action": "output", "output": {"value": {"by": "hand"}}})
        end = await haul.ended(run)
        await haul.replays(run)
    assert (end.path, end.output) == (["one", "two", "three"], {"two": {"by": "hand"}, "three": True})


# --- pause, modes, budgets, messages

STEPS = """
nodes:
  one: {tool: do, with: {what: "1"}}
  two: {tool: do, with: {what: "2"}}
edges: [one -> two]
"""


async def test_a_pause_lets_work_in_flight_end_and_starts_nothing(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, STEPS) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        await run.execute_update("pause", WHO)
        assert await refusal(run, "pause", {}) == "the run is paused already"
        haul.hands.let_go("do")
        await node_is(run, "one", "done")
        assert (await run.query("state"))["nodes"]["two"] == "waiting"
        assert (await status(run, "paused"))["path"] == ["one"]
        await run.execute_update("resume", WHO)
        end = await haul.ended(run)
    assert (end.status, len(haul.hands.calls)) == ("completed", 2)


@pytest.mark.parametrize("mode", ["analysis_only", "dry_run"])
async def test_a_mode_set_on_the_way_denies_what_acts(mode: str, temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, STEPS) as haul:
        haul.hands.hold("do")
        run = await haul.begin()
        await haul.hands.began("do")
        await run.execute_update("set_mode", {"mode": mode})
        haul.hands.let_go("do")
        end = await haul.ended(run)
        seen = await run.describe()
    assert (end.status, end.failure["category"], end.failure["node"]) == ("failed", "denied", "two")
    assert (len(haul.hands.calls), seen.search_attributes["RunMode"]) == (1, [mode])


async def test_a_larger_budget_lets_a_run_go_on(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, STEPS) as haul:
        haul.hands.hold("do")
        small, larger = await haul.begin(budget={"calls": 1}), await haul.begin(budget={"calls": 1})
        await haul.hands.began("do", 2)
        await larger.execute_update("extend_budget", {"calls": 1, **WHO})
        haul.hands.let_go("do")
        spent, done = await haul.ended(small), await haul.ended(larger)
    assert (spent.failure["category"], spent.failure["node"]) == ("budget", "two")
    assert (done.status, done.state["spent"]["calls"]) == ("completed", 2)


THINK = """
nodes:
  think: {agent: thinker, with: {topic: boats}}
"""


async def test_a_message_reaches_the_next_call_of_an_agent(temporal: Client, tmp_path: Path) -> None:
    answers = {"thinker": [{"calls": [{"tool": "look", "with": {"what": "x"}}]}, {"json": {"text": "Fine."}}]}
    async with stage(temporal, tmp_path, THINK, models=answers) as haul:
        haul.hands.hold("look")
        run = await haul.begin()
        await haul.hands.began("look")
        await run.execute_update("message", {"text": "Mind the tide.", "actor": "ann"})
        haul.hands.let_go("look")
        end = await haul.ended(run)
        asked = await sent(run, "models.call")
        answered = await gave(run, "models.call")
        transcript = json.loads(haul.world.blobs.get(answered[-1]["transcript"]))
    assert [call["messages"] for call in asked] == [[], [{"from": "ann", "text": "Mind the tide."}]]
    assert {"role": "user", "from": "ann", "text": "Mind the tide."} in transcript["said"]
    assert end.output == {"text": "Fine."}
