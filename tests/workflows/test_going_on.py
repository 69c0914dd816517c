"""Runs that go on from others, are handed on, and are exported and judged, on a real server and by the commands."""

from __future__ import annotations

import asyncio
import gc
import json
import shlex
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from gateway.cli.going_on import CannotGoOn, fork, go_on
from gateway.cli.main import main
from tests.docs.test_examples import blocks
from tests.support import Haul, Hauling
from tests.workflows.record import BUNDLES, SHORT, Run, approves_all, is_late, until_asked
from workers.connection import connect
from workers.embedded import EmbeddedServer
from workflows.board import Board
from workflows.orders import Override


def script(bundle: str, name: str) -> Path:
    return BUNDLES / bundle / "tests" / f"{name}.yaml"


def renamed(home: Path, name: str, new: str) -> Path:
    """A copy of a bundle under a name of its own."""
    bundle = Path(shutil.copytree(BUNDLES / name, home / "bundles" / new))
    flow = bundle / "workflow.yaml"
    flow.write_text(flow.read_text().replace(f"name: {name}", f"name: {new}"))
    return bundle


def effects(home: Path) -> list[str]:
    """What was done in the world, in order."""
    path = home / "effects.jsonl"
    return [json.loads(line)["what"] for line in path.read_text().splitlines()] if path.exists() else []


async def haul_says(client: Client, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """A command of `haul`, beside the workers that answer it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", client.service_client.config.target_host)
    return await asyncio.to_thread(main, words)


# --- fork


async def test_a_fork_does_again_what_comes_after_the_node_and_nothing_else(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("world", "answered")) as haul:
        first = await haul.run("world", {"question": "why"})
        assert first.handle is not None
        before = effects(tmp_path)
        run = await fork(temporal, first.handle, "kept", [], haul.world.blobs)
        end = await haul.ended(run)
        assert end.output == first.output
        assert effects(tmp_path)[len(before) :] == ["remember notes"]
        assert (await run.query("budget"))["spent"] == {"calls": 0, "tokens": 0, "usd": "0"}
        assert (await run.describe()).typed_search_attributes


async def test_a_fork_takes_inputs_and_outputs_that_are_set(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("kinds", "few")) as haul:
        first = await haul.run("kinds", {"text": "hello there"})
        assert first.handle is not None
        changes = [Override(node="words", action="output", output={"parts": ["a", "b", "c", "d"]})]
        end = await haul.ended(await fork(temporal, first.handle, "words", changes, haul.world.blobs))
        assert end.output["chosen"] == "many"
        assert end.output["hash"] == first.output["hash"]
        changes = [Override(node="shouted", action="input", input={"text": "other"})]
        end = await haul.ended(await fork(temporal, first.handle, "shouted", changes, haul.world.blobs))
        assert end.output["chosen"] == "few"
        assert end.output["hash"] != first.output["hash"]


@pytest.mark.parametrize(
    ("node", "change", "says"),
    [
        ("cells", None, "runs inside of 'crossed': fork from that"),
        ("each/found", None, "runs inside of 'each': fork from that"),
        ("eech", None, "did you mean 'each'"),
        ("crossed", "each", "'each' does not run again: it comes before 'crossed'"),
        ("each", "found", "no node 'found'"),
    ],
)
async def test_a_fork_that_makes_no_sense_is_refused(
    temporal: Client, tmp_path: Path, node: str, change: str | None, says: str
) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("lists", "one_fails")) as haul:
        first = await haul.run("lists", {"topics": ["a", "b", "c"]})
        assert first.handle is not None
        changes = [Override(node=change, action="output", output=1)] if change else []
        with pytest.raises(CannotGoOn, match=says):
            await fork(temporal, first.handle, node, changes, haul.world.blobs)


async def test_a_fork_from_a_node_that_never_ran_is_refused(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("failing", "handled")) as haul:
        first = await haul.run("failing")
        assert first.handle is not None
        with pytest.raises(CannotGoOn, match=r"'second' never ran in .*; these did: first, sorry, going, "):
            await fork(temporal, first.handle, "second", [], haul.world.blobs)
        with pytest.raises(CannotGoOn, match="'tell' stands in `finally`"):
            await fork(temporal, first.handle, "tell", [], haul.world.blobs)
        with pytest.raises(CannotGoOn, match="no run 'nobody' here"):
            await fork(temporal, temporal.get_workflow_handle("nobody"), "first", [], haul.world.blobs)


async def test_a_fork_of_a_rescue_still_knows_the_failure(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("failing", "handled")) as haul:
        first = await haul.run("failing")
        assert first.handle is not None
        end = await haul.ended(await fork(temporal, first.handle, "caught", [], haul.world.blobs))
        assert end.output == first.output
        assert end.output["caught"] == "tool"


async def test_a_plan_that_the_store_does_not_have_is_said_to_be_missing(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.plans.INLINE_PLAN", 0)
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES]) as haul:
        first = await haul.run("kinds", {"text": "a b"})
        assert first.handle is not None
        shutil.rmtree(tmp_path / "blobs")
        with pytest.raises(CannotGoOn, match="is too large for its history, and is not in the store here"):
            await fork(temporal, first.handle, "words", [], haul.world.blobs)
        end = await haul.run("kinds", {"text": "a b"}, {"plan": "0" * 64})
        assert "no plan 000000000000 here" in end.failure["message"]


# --- resume


async def test_a_failed_run_goes_on_from_the_failed_node(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("failing", "unhandled")) as haul:
        first = await haul.run("failing")
        assert first.handle is not None
        assert first.failure["node"] == "second"
        assert first.path == ["first", "going", "asked"]
        done = len(effects(tmp_path))
        end = await haul.ended(await go_on(temporal, first.handle, haul.world.blobs))
        # The script begins anew with every run: its first two answers, which `second` gets now, are failures.
        assert end.failure["node"] == "second"
        assert end.path == ["first", "going", "asked"]
        assert effects(tmp_path)[done:] == ["tool look_up", "emit out"]


async def test_what_was_undone_is_done_again(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES], script=script("undoing", "taken_back")) as haul:
        run = await haul.start("undoing")
        await until_asked(run, "pause")
        await run.cancel()
        assert (await haul.ended(run)).status == "cancelled"
        done = len(effects(tmp_path))
        again = await go_on(temporal, run, haul.world.blobs)
        await again.execute_update("override", {"node": "found", "action": "output", "output": {"found": "x"}})
        await again.execute_update("approve", {"node": "pause"})
        assert (await haul.ended(again)).output == {"found": "x"}
        assert effects(tmp_path)[done:] == ["tool book"] * 3


async def test_a_map_that_failed_goes_on_with_the_items_that_are_left(temporal: Client, tmp_path: Path) -> None:
    bundle = renamed(tmp_path, "parts", "items")
    flow = (bundle / "workflow.yaml").read_text()
    flow = flow.replace("max: 10000", "max: 5").replace("concurrency: 2", "concurrency: 1")
    (bundle / "workflow.yaml").write_text(flow)
    (bundle / "tests" / "dealt_out.yaml").write_text(
        "scenario: the third one fails\ninput: {topics: [a, b, c]}\ntools: {look_up: [{returns: {found: x}}, "
        "{returns: {found: y}}, {fails: {category: tool}}]}\nexpect: {status: failed}\n"
    )
    settings: dict[str, Any] = {"bundles": [bundle], "script": bundle / "tests" / "dealt_out.yaml"}
    async with Hauling(temporal, tmp_path, **settings) as haul:
        first = await haul.run("items", {"topics": ["a", "b", "c"]})
        assert first.failure["category"] == "tool"
        assert first.handle is not None
        end = await haul.ended(await go_on(temporal, first.handle, haul.world.blobs))
        assert end.output == [{"found": "x"}, {"found": "y"}, {"found": "x"}]
        assert effects(tmp_path) == ["tool look_up"] * 4


async def test_only_what_failed_or_was_cancelled_goes_on(temporal: Client, tmp_path: Path) -> None:
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES]) as haul:
        done = await haul.run("kinds", {"text": "a b"})
        refused = await haul.run("kinds")
        assert done.handle is not None
        assert refused.handle is not None
        with pytest.raises(CannotGoOn, match=r"has completed; `haul fork .* --from NODE` runs a part of it again"):
            await go_on(temporal, done.handle, haul.world.blobs)
        with pytest.raises(CannotGoOn, match="was never pinned to a plan"):
            await go_on(temporal, refused.handle, haul.world.blobs)
        run = await haul.start("gates")
        with pytest.raises(CannotGoOn, match="still runs"):
            await go_on(temporal, run, haul.world.blobs)
        await until_asked(run, "first", "form")
        other = await fork(temporal, run, "form", [], haul.world.blobs)
        for each in (run, other):
            await approves_all(haul, each)
            await each.result()


# --- pinned


@pytest.mark.parametrize("what", ["edited", "renamed", "deleted"])
async def test_a_run_does_not_notice_what_becomes_of_its_manifest(temporal: Client, tmp_path: Path, what: str) -> None:
    bundle = tmp_path / "bundles" / "gates"
    shutil.copytree(BUNDLES / "gates", bundle)
    async with Hauling(temporal, tmp_path, bundles=[bundle.parent], cached_runs=0) as haul:
        run = await haul.start("gates")
        await until_asked(run, "first", "form")
        text = (bundle / "workflow.yaml").read_text()
        match what:
            case "edited":
                (bundle / "workflow.yaml").write_text(text.replace("transform: in time", "transform: edited"))
            case "renamed":
                (bundle / "workflow.yaml").write_text(text.replace("name: gates", "name: barriers"))
                bundle.rename(bundle.parent / "barriers")
            case "deleted":
                shutil.rmtree(bundle)
        await approves_all(haul, run)
        assert (await haul.ended(run)).output["way"][-1] == "in time"


# --- handed on


@pytest.fixture(scope="module")
async def short(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that finds histories long after thirty events."""
    async with EmbeddedServer(tmp_path_factory.mktemp("short"), extra=SHORT) as facts:
        yield await connect(facts.address)


async def story(client: Client, home: Path) -> tuple[Haul, Run, Any]:
    async with Hauling(client, home, bundles=[BUNDLES], script=script("handed", "script")) as haul:
        run = await haul.start("handed")
        await is_late(haul, run)
        end = await haul.ended(run)
        return haul, run, (end.output, await run.query("budget"), await run.query("decisions"))


async def test_a_run_that_is_handed_on_comes_to_the_same(temporal: Client, short: Client, tmp_path: Path) -> None:
    _, whole, expected = await story(temporal, tmp_path / "whole")
    _, chain, got = await story(short, tmp_path / "chain")
    runs = [each async for each in short.list_workflows(f"WorkflowId = '{chain.id}'")]
    assert len(runs) > 2
    assert [each async for each in temporal.list_workflows(f"WorkflowId = '{whole.id}'")][1:] == []
    assert got[:2] == expected[:2]
    assert [each["event"] for each in got[2]] == [each["event"] for each in expected[2]]
    assert sorted(effects(tmp_path / "chain")) == sorted(effects(tmp_path / "whole"))
    assert len(effects(tmp_path / "chain")) == 11


# --- the commands


async def test_an_exported_history_is_what_temporal_shows_and_replays_alone(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("activities.plans.INLINE_PLAN", 0)
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path))
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES]) as haul:
        run = await haul.start("outside")
        await run.result()
    out = tmp_path / "out" / "history.json"
    assert await haul_says(temporal, monkeypatch, "export", run.id, "-o", str(out), "--with-blobs") == 0
    assert json.loads(out.read_text()) == (await run.fetch_history()).to_json_dict()
    assert len(list(out.parent.glob("*.plan.json"))) == 1
    assert len([path for path in (out.parent / "blobs").rglob("*") if path.is_file()]) == 1
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["replay", str(out), "--color", "never"]) == 0
    assert "replays (" in capsys.readouterr().out
    assert await haul_says(temporal, monkeypatch, "replay", run.id) == 1
    assert "went by reference, and is not here" in capsys.readouterr().out


async def test_the_command_forks(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path))
    async with Hauling(temporal, tmp_path, bundles=[BUNDLES]) as haul:
        first = await haul.run("kinds", {"text": "a b"})
        assert first.handle is not None
        id = first.handle.id
        words = ("fork", id, "--from", "shouted", "--set", "shouted.input.text=other", "--id", f"{id}-2")
        assert await haul_says(temporal, monkeypatch, *words) == 0
        assert capsys.readouterr().out == f"{id}-2\n"
        end = await haul.ended(temporal.get_workflow_handle(f"{id}-2"))
        assert end.output["hash"] != first.output["hash"]
        assert await haul_says(temporal, monkeypatch, *words) == 2
        assert "there is a run" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["a", "a=1", "a.output.b=1", "a.input=1", "a.input.b.c=1", "a.result=1"])
def test_a_setting_that_is_none_is_misuse(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fork", "r", "--from", "a", "--set", said]) == 2
    assert "neither NODE.input.NAME=VALUE nor NODE.output=VALUE" in capsys.readouterr().err


# A run that is stopped in the middle of a mistake leaves coroutines behind, which Python complains about.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
async def test_open_runs_are_judged_against_a_new_plan(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = renamed(tmp_path, "gates", "judged")
    flow, text = bundle / "workflow.yaml", (bundle / "workflow.yaml").read_text()
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path))

    async def judged() -> tuple[int, list[dict[str, Any]]]:
        capsys.readouterr()
        status = await haul_says(temporal, monkeypatch, "diff", "--json", "--against-running", str(bundle))
        out, err = capsys.readouterr()
        assert not err
        return status, json.loads(out)

    async with Hauling(temporal, tmp_path, bundles=[bundle]) as haul:
        run = await haul.start("judged")
        await run.execute_update("approve", {"node": "first"})
        await until_asked(run, "second", "form")
        while not (await judged())[1]:  # the list of runs is a moment behind
            await asyncio.sleep(0.05)
        status, found = await judged()
        assert (status, found[0]["outlook"], found[0]["reasons"]) == (0, "safe", [])
        flow.write_text(text.replace("Go on?", "Go ahead?"))
        status, found = await judged()
        assert (status, found[0]["outlook"]) == (0, "safe")
        assert found[0]["reasons"] == [{"node": "", "reason": "all that changed lies behind it"}]
        flow.write_text(text.replace("in time", "soon enough"))
        status, found = await judged()
        assert (status, found[0]["outlook"]) == (0, "pinned")
        assert [each["node"] for each in found[0]["reasons"]] == ["no_hurry"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Board, "attributes_changed", lambda self: None)
            status, found = await judged()
        gc.collect()
        assert (status, found[0]["outlook"]) == (1, "must migrate")
        assert "does not replay with this code (event " in found[0]["reasons"][0]["reason"]
        await run.execute_update("approve", {"node": "second", "choice": "yes"})
        await run.execute_update("approve", {"node": "form", "form": {"count": 3}})
        assert (await run.result())["way"][-1] == "in time"


async def test_the_page_on_histories_is_true(
    temporal: Client, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (project / "docs" / "histories.md").read_text(encoding="utf-8")
    commands = [line for block in blocks(page) if block.language == "console" for line in block.body.splitlines()]
    (tmp_path / "manifests").symlink_to(project / "manifests")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAULAGE_HOME", str(tmp_path))
    async with Hauling(temporal, tmp_path, bundles=[project / "manifests" / "catalog"]) as haul:
        await (await haul.start("hello", {"name": "venus"}, id="greeting-1")).result()
        assert [(line, await haul_says(temporal, monkeypatch, *shlex.split(line)[1:])) for line in commands] == [
            (line, 0) for line in commands
        ]
        greetings = [(await temporal.get_workflow_handle(f"greeting-{n}").result())["text"] for n in (2, 3, 4)]
    assert greetings == ["Hello, Venus!", "Hello, Moon!", "Hello, Mars!"]
