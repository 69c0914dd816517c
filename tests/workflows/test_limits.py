"""Large things: each finishes inside Temporal's limits or is refused with a typed failure; no task retries for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.workflows.limits import APART, PURE, Yard, bundle, external, proved

OBJECT = {"type": "object"}
TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["rows"],
    "properties": {"rows": {"type": "array", "items": {"type": "string"}}},
}
# Doubled twelve times, 1,024 characters are more than 4 MB.
GROWING = {
    "loop": {
        "do": {"nodes": {"twice": {"transform": {"text": "${loop.text}${loop.text}"}}}},
        "until": "index >= 11",
        "max": 20,
        "carry": {"text": {"first": "${input.text}", "next": "${twice.text}"}},
    }
}


async def test_a_thousand_inline_nodes_take_no_events(temporal: Client, tmp_path: Path) -> None:
    nodes: dict[str, Any] = {"n0": {"transform": 0}}
    nodes |= {f"n{n}": {"transform": f"${{n{n - 1} + 1}}"} for n in range(1, 900)}
    name = bundle(tmp_path, nodes, [f"n{n - 1} -> n{n}" for n in range(1, 900)])
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name))
    assert end.output == 899
    assert seen.events < 20


async def test_a_map_over_a_thousand_inline_items_breathes(temporal: Client, tmp_path: Path) -> None:
    each = {"map": {"over": "input.rows", "max": 10_000, "do": {"nodes": {"up": {"transform": "${item}!"}}}}}
    name = bundle(tmp_path, {"each": each}, input=ROWS)
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name, {"rows": [str(n) for n in range(1_500)]}))
    assert end.output == [f"{n}!" for n in range(1_500)]
    assert seen.events < 30


@pytest.mark.parametrize("megabytes", [5, pytest.param(50, marks=pytest.mark.long)])
async def test_a_large_value_of_a_tool_is_passed_on_whole(megabytes: int, temporal: Client, tmp_path: Path) -> None:
    tools = {"fetch": external(output=TEXT), "send": external(), "size": {**PURE, "uses": "text.hash"}}
    nodes = {
        "got": {"tool": "fetch", "with": {"url": "https://example.org"}},
        "held": {"transform": {"what": "${got}", "why": "to pass it on"}},
        "hashed": {"tool": "size", "with": {"text": "${held.what.text}"}},
        "sent": {"tool": "send", "with": {"url": "https://example.org", "body": "${got.text}"}},
        "both": {"merge": "object"},
    }
    edges = ["got -> held -> hashed -> both", "held -> sent -> both"]
    name = bundle(tmp_path, nodes, edges, tools=tools)
    answers: dict[str, list[Any]] = {
        "fetch": [{"text": "x" * megabytes * 1_000_000}],
        "send": [{"status": 200, "body": "ok"}],
    }
    async with Yard(temporal, tmp_path, answers) as haul:
        end, seen = await proved(haul, await haul.start(name))
    assert end.status == "completed", end.failure
    assert end.output["sent"] == {"status": 200, "body": "ok"}
    assert seen.bytes < 100_000


async def test_computing_with_what_is_kept_outside_is_refused(temporal: Client, tmp_path: Path) -> None:
    nodes = {
        "got": {"tool": "fetch", "with": {"url": "https://example.org"}},
        "long": {"transform": {"n": "${size(got.text)}"}},
    }
    name = bundle(tmp_path, nodes, ["got -> long"], tools={"fetch": external(output=TEXT)})
    async with Yard(temporal, tmp_path, {"fetch": [{"text": "x" * 5_000_000}]}) as haul:
        end, _ = await proved(haul, await haul.start(name))
    assert (end.failure["category"], end.failure.get("node")) == ("input", "long"), end.failure
    assert "pass it on whole" in end.failure["message"]


@pytest.mark.parametrize(
    ("size", "says"),
    [(3_000_000, "Blob data size exceeds limit"), (1_500_000, "has 1,500,011 bytes, and at most 1,048,576")],
)
async def test_an_input_that_is_too_large_is_refused(size: int, says: str, temporal: Client, tmp_path: Path) -> None:
    name = bundle(tmp_path, {"a": {"transform": "${input.text}"}}, input=TEXT)
    async with Yard(temporal, tmp_path) as haul:
        try:
            end, _ = await proved(haul, await haul.start(name, {"text": "x" * size}))
            said = end.failure["message"]
        except RPCError as error:
            said = error.message
    assert says in said


async def test_a_large_output_is_put_away_and_referred_to(temporal: Client, tmp_path: Path) -> None:
    name = bundle(tmp_path, {"grown": GROWING}, input=TEXT)
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name, {"text": "x" * 1_024}))
        assert end.output["$blob"]["size"] > 4_000_000
        assert haul.world.keeper.brought_back(end.output) == {"text": "x" * 1_024 * 4_096}
    assert seen.bytes < 20_000


async def test_a_large_output_of_a_child_is_passed_on_whole(temporal: Client, tmp_path: Path) -> None:
    bundle(tmp_path, {"grown": GROWING}, input=TEXT, name="grower")
    nodes = {
        "child": {"workflow": "grower", "with": {"text": "${input.text}"}},
        "hashed": {"tool": "hash", "with": {"text": "${child.text}"}},
    }
    name = bundle(tmp_path, nodes, ["child -> hashed"], input=TEXT, tools={"hash": {**PURE, "uses": "text.hash"}})
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name, {"text": "x" * 1_024}))
    assert end.status == "completed", end.failure
    assert seen.bytes < 20_000


@pytest.mark.parametrize("kind", ["queue", "child", "emit"])
async def test_a_large_value_that_was_computed_inline_is_refused_on_its_way_out(
    kind: str, temporal: Client, tmp_path: Path
) -> None:
    bundle(tmp_path, {"a": {"transform": 1}}, input=TEXT, name="taker")
    outs: dict[str, dict[str, Any]] = {
        "queue": {"tool": "send", "with": {"url": "https://example.org", "body": "${grown.text}"}},
        "child": {"workflow": "taker", "with": {"text": "${grown.text}"}},
        "emit": {"emit": {"run": "somebody", "signal": "news", "message": "${grown.text}"}},
    }
    name = bundle(
        tmp_path, {"grown": GROWING, "out": outs[kind]}, ["grown -> out"], input=TEXT,
        tools={"send": external()},
    )  # fmt: skip
    async with Yard(temporal, tmp_path) as haul:
        end, _ = await proved(haul, await haul.start(name, {"text": "x" * 1_024}))
    assert (end.failure["category"], end.failure.get("node")) == ("input", "out"), end.failure
    assert "leave a run in one piece" in end.failure["message"]


async def test_what_local_tools_give_fits_into_the_messages_of_its_workflow_tasks(
    temporal: Client, tmp_path: Path
) -> None:
    """600 outputs just below the size at which they are kept outside: 9 MB, and a message holds 4."""
    each = {
        "map": {
            "over": "input.rows", "concurrency": 50, "max": 600,
            "do": {"nodes": {"up": {"tool": "case", "with": {"text": "${input.text}${item}", "to": "upper"}}},
                   "output": "${size(up.text)}"},
        }
    }  # fmt: skip
    given = {"type": "object", "required": ["rows", "text"], "properties": {**ROWS["properties"], **TEXT["properties"]}}
    name = bundle(tmp_path, {"each": each}, input=given, tools={"case": PURE})
    async with Yard(temporal, tmp_path) as haul:
        rows = [f"{n:03}" for n in range(600)]
        end, _ = await proved(haul, await haul.start(name, {"rows": rows, "text": "x" * 16_000}))
    assert end.output == [16_003] * 600, end.failure


# --- many things at once


# The server takes ten updates of one run at a time.
UPDATES = 8
GATE = {"human": {"ask": "${item}?", "show": "${item}", "within": "1h", "to": "${item}@example.org"}}


@pytest.mark.parametrize("many", [20, pytest.param(200, marks=pytest.mark.long)])
async def test_each_of_many_gates_gets_its_own_answer(many: int, temporal: Client, tmp_path: Path) -> None:
    body = {"nodes": {"ok": GATE}, "output": {"item": "${item}", "said": "${ok.reason}"}}
    each = {"map": {"over": "input.rows", "concurrency": 200, "max": many, "do": body}}
    name = bundle(tmp_path, {"each": each}, input=ROWS)
    rows = [f"r{n}" for n in range(many)]
    async with Yard(temporal, tmp_path) as haul:
        run = await haul.start(name, {"rows": rows})
        async with asyncio.timeout(30):
            while len(gates := await run.query("gates")) < many:
                await asyncio.sleep(0.1)
        Random(7).shuffle(gates)
        with pytest.raises(WorkflowUpdateFailedError):
            await run.execute_update("approve", {"node": "ok"})
        for start in range(0, many, UPDATES):
            orders = [
                {"node": "ok", "iteration": gate["iteration"], "shown": gate["shown"], "reason": f"for {gate['show']}"}
                for gate in gates[start : start + UPDATES]
            ]
            await asyncio.gather(*(run.execute_update("approve", order) for order in orders))
        end, _ = await proved(haul, run)
    assert end.output == [{"item": row, "said": f"for {row}"} for row in rows]


@pytest.mark.parametrize("many", [100, pytest.param(1_000, marks=pytest.mark.long)])
async def test_signals_that_come_all_at_once_are_each_taken_in_turn(
    many: int, temporal: Client, tmp_path: Path
) -> None:
    loop: dict[str, Any] = {
        "do": {"nodes": {"got": {"wait": {"signal": "tick", "within": "1h", "schema": {"type": "integer"}}}}},
        "until": f"index >= {many - 1}",
        "max": many,
        "carry": {"sum": {"first": 0, "next": "${loop.sum + got}"}},
    }
    nodes = {"ticks": {"loop": loop | {"do": loop["do"] | {"output": {"sum": "${loop.sum + got}"}}}}}
    name = bundle(tmp_path, nodes)
    async with Yard(temporal, tmp_path) as haul:
        run = await haul.start(name)
        for start in range(0, many, 100):
            sent = [run.signal("tick", n) for n in range(start, start + 100)]
            await asyncio.gather(*sent, *(run.signal("rubbish", [n]) for n in range(10)))
        end, _ = await proved(haul, run, 120)
    assert end.output == {"sum": sum(range(many))}, end.failure


@pytest.mark.long
async def test_a_chain_of_ten_thousand_inline_nodes_takes_about_a_second(temporal: Client, tmp_path: Path) -> None:
    nodes: dict[str, Any] = {"n0": {"transform": 0}}
    nodes |= {f"n{n}": {"transform": f"${{n{n - 1} + 1}}"} for n in range(1, 10_000)}
    name = bundle(tmp_path, nodes, [f"n{n - 1} -> n{n}" for n in range(1, 10_000)])
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name), 120)
    assert end.output == 9_999
    assert seen.events < 150


@pytest.mark.long
async def test_a_chain_of_two_thousand_local_tools_is_a_few_segments(temporal: Client, tmp_path: Path) -> None:
    nodes: dict[str, Any] = {f"n{n}": {"tool": "case", "with": {"text": "a", "to": "upper"}} for n in range(2_000)}
    name = bundle(tmp_path, nodes, [f"n{n - 1} -> n{n}" for n in range(1, 2_000)], tools={"case": PURE})
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name), 120)
    assert end.output == {"text": "A"}, end.failure
    assert seen.events < 60


@pytest.mark.long
async def test_a_chain_of_two_thousand_queue_tools_goes_on_as_new_runs(temporal: Client, tmp_path: Path) -> None:
    nodes: dict[str, Any] = {f"n{n}": {"tool": "send", "with": {"url": "https://example.org"}} for n in range(2_000)}
    name = bundle(tmp_path, nodes, [f"n{n - 1} -> n{n}" for n in range(1, 2_000)], tools={"send": external()})
    async with Yard(temporal, tmp_path, {"send": [{"status": n, "body": ""} for n in range(2_000)]}) as haul:
        end, seen = await proved(haul, await haul.start(name), 400)
    assert end.output["status"] == 1_999, end.failure
    assert seen.runs > 1


@pytest.mark.long
@pytest.mark.parametrize("body", ["inline", "local"])
async def test_a_map_over_ten_thousand_items(body: str, temporal: Client, tmp_path: Path) -> None:
    node: dict[str, Any] = {"transform": "${item}!"}
    if body == "local":
        node = {"tool": "case", "with": {"text": "${item}", "to": "upper"}}
    each = {"map": {"over": "input.rows", "max": 10_000, "do": {"nodes": {"up": node}}}}
    name = bundle(tmp_path, {"each": each}, input=ROWS, tools={"case": PURE}, output={"n": "${size(each)}"})
    async with Yard(temporal, tmp_path) as haul:
        end, _ = await proved(haul, await haul.start(name, {"rows": [str(n) for n in range(10_000)]}), 300)
    assert end.output == {"n": 10_000}, end.failure


@pytest.mark.long
async def test_a_loop_of_five_thousand_iterations(temporal: Client, tmp_path: Path) -> None:
    loop: dict[str, Any] = {
        "do": {"nodes": {"more": {"transform": "${loop.n + 1}"}}},
        "until": "loop.n >= 4999", "max": 5_000, "carry": {"n": {"first": 0, "next": "${more}"}},
    }  # fmt: skip
    name = bundle(tmp_path, {"again": {"loop": loop}})
    async with Yard(temporal, tmp_path) as haul:
        end, seen = await proved(haul, await haul.start(name), 120)
    assert end.output == 5_000, end.failure
    assert seen.events < 150


@pytest.mark.long
@pytest.mark.parametrize("many", [1_000, 10_000])
async def test_a_map_over_a_queue_tool_is_dealt_out_over_children(many: int, temporal: Client, tmp_path: Path) -> None:
    body = {"nodes": {"up": {"tool": "case", "with": {"text": "${item}", "to": "upper"}, "queue": APART}}}
    each = {"map": {"over": "input.rows", "max": many, "concurrency": 500, "do": body}}
    name = bundle(
        tmp_path, {"each": each}, input=ROWS, tools={"case": PURE}, limits={"parallel": 100},
        output={"n": "${size(each)}"},
    )  # fmt: skip
    async with Yard(temporal, tmp_path, heartbeat_ms=20_000) as haul:
        rows = [f"{n:050}" for n in range(many)]
        end, _ = await proved(haul, await haul.start(name, {"rows": rows}), 500)
    assert end.output == {"n": many}, end.failure


SILENCE = {"within": "1s", "on_timeout": "approve"}
ODD: dict[str, tuple[dict[str, Any], Any, dict[str, Any], str]] = {
    "a tenant": (
        {"tool": "case", "with": {"text": "a", "to": "upper"}, "queue": APART}, 1, {"tenant": "t" * 65},
        "options: tenant: Value error, at most 64 bytes",
    ),
    "a run's id": (
        {"emit": {"run": "${input.any}", "signal": "x", "message": 1}}, "x" * 2_000, {}, "at most 900 bytes",
    ),
    "a question": ({"human": {"ask": "${input.any}", **SILENCE}}, 5, {}, ""),
    "a person": ({"human": {"ask": "?", "to": "${input.any}", **SILENCE}}, "x" * 2_000, {}, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
async def test_what_the_server_would_not_take_as(what: str, temporal: Client, tmp_path: Path) -> None:
    """A command that the server turns down fails the workflow task, which is tried again for ever."""
    node, value, options, says = ODD[what]
    name = bundle(tmp_path, {"n": node}, input={**OBJECT, "properties": {"any": {}}, "required": ["any"]},
                  tools={"case": PURE})  # fmt: skip
    async with Yard(temporal, tmp_path) as haul:
        end, _ = await proved(haul, await haul.start(name, {"any": value}, options))
    assert end.status == ("failed" if says else "completed"), end.failure
    assert says in end.failure.get("message", "")


async def test_a_hundred_people_who_are_waited_for_fit_into_an_attribute(temporal: Client, tmp_path: Path) -> None:
    gate = {"human": {"ask": "ok?", "within": "1s", "on_timeout": "approve", "to": "${item}@example.org"}}
    each = {"map": {"over": "input.rows", "max": 100, "concurrency": 100, "do": {"nodes": {"ok": gate}}}}
    name = bundle(tmp_path, {"each": each}, input=ROWS)
    async with Yard(temporal, tmp_path) as haul:
        end, _ = await proved(haul, await haul.start(name, {"rows": [f"person-{n:060}" for n in range(100)]}))
    assert len(end.output) == 100, end.failure
