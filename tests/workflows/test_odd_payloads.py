"""Payloads that no friend sends: a run that begins with one fails, a run that is told one notes it and goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.workflows.limits import proved
from tests.workflows.stage import STAGE, Run, Stage, gates, refusal, stage, until

ASKS = """
nodes:
  ask: {human: {ask: Go?, within: 2h}}
  ping: {wait: {signal: ping, within: 2h}}
  end: {merge: list}
edges: [ask -> end, ping -> end]
"""
READS = """
input: {type: object, required: [text], properties: {text: {type: string}}}
nodes:
  read: {tool: parse, with: {text: "${input.text}"}}
  say: {transform: {value: "${read.value}"}}
edges: [read -> say]
"""


def payload(data: bytes, encoding: str = "json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding.encode()}, data=data))


ODD = {
    "a lone surrogate": payload(b'{"a": "\\ud800"}'),
    "nested 300 deep": payload(b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}"),
    "nested 190 deep": payload(b'{"a": ' + b"[" * 190 + b"]" * 190 + b"}"),
    "truncated": payload(b'{"a":'),
    "bad UTF-8": payload(b'{"a": "\xff"}'),
    "a huge integer": payload(b'{"a": ' + b"9" * 5000 + b"}"),
    "an unknown encoding": payload(b"{}", "what/ever"),
    "no encoding": RawValue(Payload(data=b"{}")),
    "bytes": payload(b"\xff\xfe", "binary/plain"),
}


@pytest.fixture
async def haul(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(temporal, tmp_path, ASKS) as haul:
        yield haul


async def begun(haul: Stage, id: str, *args: Any) -> Run:
    run = await haul.client.start_workflow("stage", args=args, id=id, task_queue=haul.queue)
    haul.begun.append(run)
    return run


@pytest.mark.parametrize("place", ["input", "options"])
async def test_a_run_that_begins_with_what_cannot_be_read_fails(place: str, haul: Stage, tmp_path: Path) -> None:
    for what, odd in ODD.items():
        run = await begun(haul, f"{tmp_path.name}-{what}", *([odd] if place == "input" else [{}, odd]))
        end, _ = await proved(haul, run)
        assert (end.status, end.failure.get("category")) == ("failed", "input"), what


@pytest.mark.parametrize("name", ["nonsense", "ping", "approve"])
async def test_a_signal_that_cannot_be_read_is_noted_and_the_run_goes_on(name: str, haul: Stage) -> None:
    run = await haul.begin()
    await gates(run)
    for odd in ODD.values():
        await run.signal(name, args=[odd])
    book = await until(lambda: run.query("decisions"), lambda book: len(book) == len(ODD))
    assert {each["event"] for each in book} == {"signal refused"}
    assert all(each["what"].startswith(f"{name!r}: a payload ") for each in book)
    await run.signal("ping", {"n": 1})
    await run.execute_update("approve", {"node": "ask"})
    end, _ = await proved(haul, run)
    assert end.status == "completed"


async def test_a_signal_that_comes_before_the_run_began_is_judged_the_same(haul: Stage, tmp_path: Path) -> None:
    run = await haul.client.start_workflow(
        "stage", args=[{}], id=f"{tmp_path.name}-early", task_queue=haul.queue,
        start_signal="ping", start_signal_args=[ODD["truncated"]],
    )  # fmt: skip
    haul.begun.append(run)
    book = await until(lambda: run.query("decisions"), lambda book: book)
    assert [each["event"] for each in book] == ["signal refused"]
    await gates(run)


async def test_an_update_that_cannot_be_read_is_refused(haul: Stage) -> None:
    run = await haul.begin()
    await gates(run)
    for odd in ODD.values():
        with pytest.raises(WorkflowUpdateFailedError):
            await run.execute_update("approve", args=[odd])
    assert await run.query("decisions") == []
    await run.execute_update("approve", {"node": "ask"})
    await run.signal("ping", None)
    end, _ = await proved(haul, run)
    assert end.status == "completed"


@pytest.mark.parametrize("text", ["[" * 205 + "]" * 205, '{"a":' * 150 + "1" + "}" * 150])
async def test_what_a_tool_gives_is_not_nested_without_end(text: str, temporal: Client, tmp_path: Path) -> None:
    tools = (STAGE / "tools.yaml").read_text().replace("{value: {type: object}}", "{value: {}}")
    async with stage(temporal, tmp_path, READS, files={"tools.yaml": tools}) as haul:
        end, _ = await proved(haul, await haul.begin({"text": text}))
    assert (end.failure["category"], end.failure["node"]) == ("json_syntax", "read")


@pytest.mark.parametrize("more", [{"usd": "9" * 1_000_000}, {"calls": 10**16}, {"time_ms": 10**4000}])
async def test_no_budget_is_extended_by_a_million_digits(more: dict[str, Any], haul: Stage) -> None:
    run = await haul.begin(budget={"calls": 5, "usd": "1", "time_ms": 3_600_000})
    await gates(run)
    before = await run.query("budget")
    assert (await refusal(run, "extend_budget", more)).startswith("extend_budget: ")
    await run.signal("extend_budget", more)
    book = await until(lambda: run.query("decisions"), lambda book: book)
    assert [each["event"] for each in book] == ["extend_budget refused"]
    assert await run.query("budget") == before
