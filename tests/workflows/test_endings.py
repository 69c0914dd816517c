"""How runs end: cancelled at any node, rescued by an edge or the matrix, denied, or stopped by their budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from activities.failing import Failing
from tests.workflows.limits import Yard, bundle, external, proved
from tests.workflows.stage import Stage, gates, node_is, page, stage, until

# Two bookings that can be taken back, then a node of some kind that the run is cancelled at.
BOOKED = """
nodes:
  first: {{tool: book, with: {{what: first}}}}
  second: {{tool: book, with: {{what: second}}}}
  last: {last}
edges: [first -> second -> last]
finally:
  nodes:
    report: {{tool: do, with: {{what: "${{has(error.category) ? error.category : 'fine'}}"}}}}
"""
LASTS = {
    "tool": "{tool: look}",
    "agent": "{agent: thinker, with: {topic: boats}}",
    "human": "{human: {ask: Go?, within: 2h}}",
    "timer": "{wait: {for: 2h}}",
    "signal": "{wait: {signal: go, within: 2h}}",
    "map": "{map: {over: \"['a', 'b']\", as: item, max: 2, do: {nodes: {step: {tool: look}}}}}",
    "partitioned map": "{map: {over: \"['a', 'b']\", as: item, max: 2000, do: {nodes: {step: {tool: look}}}}}",
    "loop": "{loop: {max: 2, until: has(step.found), do: {nodes: {step: {tool: look}}}}}",
    "subflow": "{workflow: other}",
    "retry": "{tool: hash, with: {text: a}, retry: {attempts: 2, initial: 2h, on: [unavailable]}}",
}
OTHER = "apiVersion: haulage/v1\nname: other\nnodes: {inner: {tool: look}}\n"
ASKS = {"thinker": [{"calls": [{"tool": "look"}]}]}
AWAY = {"hash": [{"fails": {"category": "unavailable"}}] * 2}


@pytest.mark.parametrize("kind", LASTS)
async def test_a_cancelled_run_takes_back_what_it_did_once_and_last_things_first(
    kind: str, temporal: Client, tmp_path: Path
) -> None:
    graph = BOOKED.format(last=LASTS[kind])
    files = {"../other/workflow.yaml": OTHER, **{f"../other/{name}": text for name, text in _shared().items()}}
    async with stage(temporal, tmp_path, graph, models=ASKS, tools=AWAY, files=files) as haul:
        haul.hands.hold("look")
        run = await haul.begin()
        await node_is(run, "last", "running")
        if kind in ("tool", "agent", "map", "partitioned map", "loop", "subflow"):
            await haul.hands.began("look")
        if kind == "retry":
            await until(lambda: page(run), lambda shown: "try 2 of 2 after unavailable" in shown)
        await run.cancel()
        end = await haul.ended(run)
        await haul.replays(run)
    acted = [(call.tool, call.arguments.get("what", "")) for call in haul.hands.calls if call.tool != "look"]
    assert end.status == "cancelled"
    assert acted[2:] == [("unbook", "second"), ("unbook", "first"), ("do", "cancelled")]
    assert end.state["status"] == "cancelled"


def _shared() -> dict[str, str]:
    folder = Path(__file__).parent / "steering"
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("tools.yaml", "agents.yaml", "models.yaml")}


async def cancelled_at_work(haul: Stage, tool: str) -> WorkflowHandle[Any, Any]:
    """A run that is cancelled while a tool works on, and hears of it only when it has ended."""
    haul.hands.hold(tool, deaf=True)
    run = await haul.begin()
    await haul.hands.began(tool)
    await run.cancel()
    await haul.hands.was_stopped(tool)
    haul.hands.let_go(tool)
    return run


async def test_what_ended_before_it_could_be_cancelled_is_taken_back_too(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, BOOKED.format(last=LASTS["human"])) as haul:
        run = await cancelled_at_work(haul, "book")
        end = await haul.ended(run)
    assert (end.status, haul.hands.tools) == ("cancelled", ["book", "unbook", "do"])


async def test_a_cancelled_agent_takes_no_further_turn(temporal: Client, tmp_path: Path) -> None:
    asks = {"thinker": [{"calls": [{"tool": "look"}]}, {"json": {"text": "Fine."}}]}
    async with stage(temporal, tmp_path, BOOKED.format(last=LASTS["agent"]), models=asks) as haul:
        run = await cancelled_at_work(haul, "look")
        end = await haul.ended(run)
        budget = await run.query("budget")
    assert end.status == "cancelled"
    assert budget["spent"]["calls"] == 5  # Two bookings, one answer, one look, one report.


async def test_a_cancelled_node_is_not_tried_again(temporal: Client, tmp_path: Path) -> None:
    last = "{tool: look, retry: {attempts: 5, initial: 1ms, on: [unavailable]}}"
    async with stage(temporal, tmp_path, BOOKED.format(last=last)) as haul:
        haul.hands.hold("look", deaf=True)
        haul.hands.answers["look"] = [Failing("unavailable", "away")] * 5
        run = await haul.begin()
        await haul.hands.began("look")
        await run.cancel()
        await haul.hands.was_stopped("look")
        haul.hands.let_go("look")
        end = await haul.ended(run)
    assert (end.status, len(haul.hands.called("look"))) == ("cancelled", 1)


async def test_a_cancellation_does_not_stop_what_takes_things_back(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, BOOKED.format(last=LASTS["tool"])) as haul:
        haul.hands.answers["look"] = [Failing("tool", "broken")]
        haul.hands.answers["unbook"] = [Failing("unavailable", "away")]
        run = await haul.begin()
        await haul.hands.began("unbook")
        await run.cancel()
        end = await haul.ended(run)
    assert (end.status, end.failure["category"]) == ("failed", "tool")
    assert haul.hands.tools == ["book", "book", "look", "unbook", "unbook", "unbook", "do"]


async def test_what_cannot_be_taken_back_is_not_tried_again_and_is_told(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, BOOKED.format(last=LASTS["tool"])) as haul:
        haul.hands.answers["look"] = [Failing("tool", "broken")]
        haul.hands.answers["unbook"] = [Failing("denied", "too late")]
        end = await haul.ended(await haul.begin())
    assert "second could not be undone by unbook: too late" in end.failure["message"]
    assert haul.hands.tools == ["book", "book", "look", "unbook", "unbook", "do"]


# --- failures that something is done about

EDGES = """
nodes:
  work: {tool: do}
  slow: {transform: "slow: ${error.message}", when_skipped: ""}
  bad: {transform: "bad: ${error.category}", when_skipped: ""}
  end: {join: any, transform: "${slow}${bad}"}
edges:
  - work -> end
  - {from: work, to: slow, on: rate_limited}
  - {from: work, to: bad, on: error}
  - slow -> end
  - bad -> end
"""


@pytest.mark.parametrize(("category", "output"), [("rate_limited", "slow: no"), ("tool", "bad: tool"), ("", "")])
async def test_a_failure_takes_the_edge_of_its_category(
    category: str, output: str, skipping: Client, tmp_path: Path
) -> None:
    async with stage(skipping, tmp_path, EDGES) as haul:
        haul.hands.answers["do"] = [Failing(category, "no")] if category else []
        end = await haul.ended(await haul.begin())
    assert end.output == output


MATRIX = """
nodes:
  work: {tool: do}
  look: {tool: look}
  help: {join: any, transform: "${error.node}: ${error.category}", when_skipped: ""}
  other: {join: any, transform: "other: ${error.category}", when_skipped: ""}
  end: {join: any, transform: "${help}${other}"}
edges:
  - work -> look -> end
  - help -> end
  - other -> end
"""
CELLS = """
apiVersion: haulage/v1
pipelines:
  short: {when: "'short' in run.tags", score: 5, skip: [look]}
  whole: {score: 1}
fallbacks:
  - {category: error, kind: tool, to: help}
  - {category: timeout, kind: tool, to: other}
"""


@pytest.mark.parametrize(
    ("tool", "category", "output"),
    [("do", "tool", "work: tool"), ("look", "unavailable", "look: unavailable"), ("do", "timeout", "other: timeout")],
)
async def test_the_matrix_catches_what_no_edge_does(
    tool: str, category: str, output: str, skipping: Client, tmp_path: Path
) -> None:
    async with stage(skipping, tmp_path, MATRIX, files={"pipelines.yaml": CELLS}) as haul:
        haul.hands.answers[tool] = [Failing(category, "no")]
        end = await haul.ended(await haul.begin())
    assert end.output == output


@pytest.mark.parametrize(
    ("options", "pipeline", "path"),
    [
        ({}, "whole", ["work", "look", "end"]),
        ({"tags": ["short"]}, "short", ["work", "end"]),
        ({"pipeline": "short"}, "short", ["work", "end"]),
    ],
)
async def test_a_pipeline_is_chosen_or_asked_for(
    options: dict[str, Any], pipeline: str, path: list[str], skipping: Client, tmp_path: Path
) -> None:
    async with stage(skipping, tmp_path, MATRIX, files={"pipelines.yaml": CELLS}) as haul:
        end = await haul.ended(await haul.begin(**options))
    assert (end.state["pipeline"], end.path) == (pipeline, path)


async def test_a_pipeline_that_is_not_there_fails_the_run_at_once(skipping: Client, tmp_path: Path) -> None:
    async with stage(skipping, tmp_path, MATRIX, files={"pipelines.yaml": CELLS}) as haul:
        end = await haul.ended(await haul.begin(pipeline="shrot"))
    assert end.failure["category"] == "input"
    assert "no pipeline 'shrot'; did you mean 'short'?" in end.failure["message"]


@pytest.mark.parametrize("score", ["much", [], {"a": 1}, True, None])
async def test_a_score_that_is_no_number_fails_the_run(score: Any, temporal: Client, tmp_path: Path) -> None:
    graph = "input: {type: object, required: [score], properties: {score: {}}}\nnodes: {a: {transform: x}}\n"
    cells = "apiVersion: haulage/v1\npipelines: {odd: {score: input.score}, whole: {score: 0}}\n"
    async with stage(temporal, tmp_path, graph, files={"pipelines.yaml": cells}) as haul:
        end, _ = await proved(haul, await haul.begin({"score": score}))
    assert end.failure["category"] == "input"
    assert "the score of the pipeline 'odd' is " in end.failure["message"]


async def test_a_retry_waits_for_as_long_as_it_is_told(skipping: Client, tmp_path: Path) -> None:
    graph = "nodes: {work: {tool: do, retry: {attempts: 3, initial: 1s, on: [rate_limited]}}}\n"
    async with stage(skipping, tmp_path, graph) as haul:
        told = Failing("rate_limited", "slow down", retry_after_ms=7_200_000)
        haul.hands.answers["do"] = [told, Failing("rate_limited", "slower")]
        run = await haul.begin()
        end = await haul.ended(run)
        history = await run.fetch_history()
    waits = [
        each.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds()
        for each in history.events
        if each.HasField("timer_started_event_attributes")
    ]
    assert (end.status, len(haul.hands.calls), waits) == ("completed", 3, [7200, 2])


@pytest.mark.parametrize("mode", ["analysis_only", "dry_run"])
async def test_in_a_safe_mode_nothing_acts(mode: str, skipping: Client, tmp_path: Path) -> None:
    async with stage(skipping, tmp_path, EDGES) as haul:
        end = await haul.ended(await haul.begin(mode=mode))
    assert (end.output, haul.hands.calls) == ("bad: denied", [])


# --- budgets

WIDE = """
nodes:
  a: {tool: look, retry: {attempts: 3, initial: 1ms, on: [unavailable]}}
  b: {tool: do}
  c: {tool: do}
  each: {map: {over: "[1, 2, 3, 4]", as: item, max: 4, concurrency: 2, do: {nodes: {step: {tool: do}}}}}
  child: {workflow: other}
"""


@pytest.mark.parametrize("cap", [0, 1, 2, 4, 8, 9, 50])
async def test_no_branch_no_retry_and_no_child_goes_over_the_budget(cap: int, temporal: Client, tmp_path: Path) -> None:
    other = OTHER.replace("tool: look", "tool: do")
    files = {"../other/workflow.yaml": other, **{f"../other/{name}": text for name, text in _shared().items()}}
    graph = WIDE + "  end: {merge: list}\nedges: [a -> end, b -> end, c -> end, each -> end, end -> child]\n"
    async with stage(temporal, tmp_path, graph, files=files) as haul:
        haul.hands.answers["look"] = [Failing("unavailable", "away")]
        run = await haul.begin(budget={"calls": cap})
        end = await haul.ended(run)
        budget = await run.query("budget")
    assert len(haul.hands.calls) <= cap
    assert budget["spent"]["calls"] <= cap
    assert budget["reserved"]["calls"] == 0
    assert end.failure.get("category") == ("budget" if cap < 9 else None)


TIMED = """
budget: {calls: 99, time: 1h}
nodes:
  booked: {tool: book, with: {what: x}}
  work: {tool: do, retry: {attempts: 2, initial: 1s, on: [rate_limited]}}
edges: [booked -> work]
finally:
  nodes: {report: {tool: look, with: {what: "${has(error.category) ? error.category : 'fine'}"}}}
"""


async def test_what_was_done_is_taken_back_also_when_the_time_is_spent(skipping: Client, tmp_path: Path) -> None:
    async with stage(skipping, tmp_path, TIMED) as haul:
        haul.hands.answers["do"] = [Failing("rate_limited", "slow down", retry_after_ms=7_200_000)]
        end = await haul.ended(await haul.begin())
    assert end.failure["category"] == "budget"
    assert haul.hands.tools == ["book", "do", "unbook", "look"]
    assert haul.hands.calls[-1].arguments == {"what": "budget"}


SPENDING = "apiVersion: haulage/v1\nname: other\nnodes: {a: {tool: do}, b: {tool: look}}\nedges: [a -> b]\n"


@pytest.mark.parametrize("way", ["cancelled", "skipped"])
async def test_what_a_stopped_child_has_spent_counts(way: str, temporal: Client, tmp_path: Path) -> None:
    files = {"../other/workflow.yaml": SPENDING, **{f"../other/{name}": text for name, text in _shared().items()}}
    graph = "nodes: {child: {workflow: other}, end: {transform: x}}\nedges: [child -> end]\n"
    async with stage(temporal, tmp_path, graph, files=files) as haul:
        haul.hands.hold("look")
        run = await haul.begin(budget={"calls": 9})
        await haul.hands.began("look")
        if way == "cancelled":
            await run.cancel()
        else:
            await run.execute_update("override", {"node": "child", "action": "skip"})
        end, _ = await proved(haul, run)
        budget = await run.query("budget")
    assert end.status == ("cancelled" if way == "cancelled" else "completed")
    assert (budget["spent"]["calls"], budget["reserved"]["calls"]) == (2, 0)


async def test_what_a_terminated_child_was_given_is_nobody_elses(temporal: Client, tmp_path: Path) -> None:
    files = {"../other/workflow.yaml": SPENDING, **{f"../other/{name}": text for name, text in _shared().items()}}
    async with stage(temporal, tmp_path, "nodes: {child: {workflow: other}}\n", files=files) as haul:
        haul.hands.hold("look")
        run = await haul.begin(budget={"calls": 9, "tokens": 90})
        await haul.hands.began("look")
        await temporal.get_workflow_handle(f"{run.id}/child").terminate()
        end = await haul.ended(run)
        budget = await run.query("budget")
    assert end.failure["category"] == "cancelled"
    assert budget["unheard"] == {"calls": 9, "tokens": 90, "usd": "0"}
    assert (budget["spent"]["calls"], budget["reserved"]["calls"]) == (0, 0)


# --- large maps, whose parts are child runs

LAST = """
nodes: {a: {transform: x}}
finally:
  nodes:
    each:
      map: {over: "['a', 'b']", as: item, max: 2000, do: {nodes: {step: {tool: do, with: {what: "${item}"}}}}}
"""
RESCUE = """
nodes:
  work: {tool: look}
  each:
    map:
      over: "['a', 'b']"
      as: item
      max: 2000
      do: {nodes: {step: {tool: do, with: {what: "${item}: ${error.message}"}}}}
  end: {merge: list}
edges:
  - work -> end
  - {from: work, to: each, on: error}
  - each -> end
"""


@pytest.mark.parametrize(("graph", "done"), [(LAST, ["a", "b"]), (RESCUE, ["a: boom", "b: boom"])])
async def test_a_large_map_works_in_finally_and_knows_the_error_that_it_rescues(
    graph: str, done: list[str], temporal: Client, tmp_path: Path
) -> None:
    async with stage(temporal, tmp_path, graph) as haul:
        haul.hands.answers["look"] = [Failing("input", "boom")]
        end, _ = await proved(haul, await haul.begin())
    assert (end.status, end.failure) == ("completed", {})
    assert sorted(call.arguments["what"] for call in haul.hands.calls if call.tool == "do") == done


async def test_large_deeds_of_a_child_reach_its_parent_and_are_taken_back_in_full(
    temporal: Client, tmp_path: Path
) -> None:
    """`unbook` takes nothing that is shorter than what was booked."""
    given = {"type": "object", "required": ["what"], "properties": {"what": {"type": "string", "minLength": 400_000}}}
    tools = {
        "book": external(effect="compensable", undo="unbook", input=given, output={"type": "object"}),
        "unbook": external(input=given, output={"type": "object"}),
    }
    step = {"tool": "book", "with": {"what": "${input.pad}"}}
    each = {"over": str(list(range(16))), "as": "item", "max": 2000, "do": {"nodes": {"step": step}}}
    nodes = {"each": {"map": each}, "fails": {"transform": "${[1][size(input.pad)]}"}}
    pad = {"type": "object", "required": ["pad"], "properties": {"pad": {"type": "string"}}}
    bundle(tmp_path, nodes, ["each -> fails"], input=pad, tools=tools)
    async with Yard(temporal, tmp_path, {"book": [{}] * 16, "unbook": [{}] * 16}) as haul:
        run = await haul.start("limit", {"pad": "x" * 400_000})
        end, _ = await proved(haul, run)
        book = await run.query("decisions")
    assert (end.failure["node"], "undone" in end.failure["message"]) == ("fails", False)
    assert [(each["event"], each["what"]) for each in book] == [("undone", "unbook")] * 16


async def test_a_gate_that_is_open_ends_with_its_run(temporal: Client, tmp_path: Path) -> None:
    graph = "nodes:\n  ask: {human: {ask: Go?, within: 2h}}\n  work: {tool: look}\n  end: {merge: list}\n"
    async with stage(temporal, tmp_path, graph + "edges: [ask -> end, work -> end]\n") as haul:
        haul.hands.hold("look")
        haul.hands.answers["look"] = [Failing("tool", "broken")]
        run = await haul.begin()
        await gates(run)
        haul.hands.let_go("look")
        end = await haul.ended(run)
        seen = await run.describe()
        assert (end.status, await run.query("gates")) == ("failed", [])
    assert "WaitingOn" not in seen.search_attributes
