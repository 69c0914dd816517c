"""Recorded histories replay from their JSON alone; and a change that would break runs like them is noticed."""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from temporalio import workflow

from manifests import plan as plans
from manifests.packing import carried
from manifests.plan import Human
from tests.workflows.record import HISTORIES, STORIES
from workers.replaying import NoHistory, Verdict, beside, blobs_in, judged, pinned_in, read_history
from workflows.board import Board
from workflows.chart import SHELF, charted
from workflows.cursor import Cursor
from workflows.gates import Gate, Gates
from workflows.interpreter import Interpreter
from workflows.kinds import inline
from workflows.orders import Approve
from workflows.undoing import Undoing
from workflows.walk import Walk

RECORDED = sorted(path for path in HISTORIES.glob("*.json") if not path.name.endswith(".plan.json"))
KINDS = {
    *("agent", "tool", "decision", "merge", "transform", "map", "loop", "workflow", "human", "wait"),
    *("recall", "remember", "emit"),
}

Patch: TypeAlias = pytest.MonkeyPatch


@pytest.fixture
def empty_shelf() -> Iterator[None]:
    """As in a process that has seen no plan yet."""
    SHELF._plans.clear()
    charted.cache_clear()
    yield
    SHELF._plans.clear()
    charted.cache_clear()


async def replayed(path: Path) -> Verdict:
    return await judged(read_history(path), beside(path.parent))


@pytest.mark.usefixtures("empty_shelf")
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays_from_its_json_alone(path: Path) -> None:
    verdict = await replayed(path)
    assert verdict.trouble == ""
    assert verdict.events > 3


def test_every_story_is_recorded() -> None:
    wanted = {"forked", *STORIES, *(child for story in STORIES.values() for child in story.children)} - {"handed"}
    found = {path.stem for path in RECORDED if not path.stem.startswith(("handed-", "lost-"))}
    assert found == wanted
    assert len(list(HISTORIES.glob("handed-*.json"))) > 2


def test_the_corpus_has_every_kind_of_node_and_every_order() -> None:
    histories = [read_history(path) for path in RECORDED]
    pinned = [found for history in histories if (found := pinned_in(history.events)) and found.plan]
    kinds = {node.kind for each in pinned for node in carried(each.plan).graph.walk()}
    assert kinds >= KINDS
    events = [event for history in histories for event in history.events]
    updates = {e.workflow_execution_update_accepted_event_attributes.accepted_request.input.name for e in events}
    assert updates >= {"approve", "override", "pause", "resume", "set_mode", "extend_budget", "message"}
    signals = {e.workflow_execution_signaled_event_attributes.signal_name for e in events}
    assert signals >= {"approve", "reject", "override", "pause", "resume", "message", "news"}
    assert any(e.HasField("workflow_execution_continued_as_new_event_attributes") for e in events)
    assert any(e.HasField("workflow_execution_canceled_event_attributes") for e in events)
    assert any(blobs_in(history) for history in histories)


# --- what would break runs out in the world is noticed


def last_first(self: Cursor) -> str | None:
    if not self._ready:
        return None
    place = max(self._ready)
    self._ready.remove(place)
    heapq.heapify(self._ready)
    node = self.topology.nodes[place]
    self.state[node] = "running"
    self._running += 1
    return node


def start_last_first(patch: Patch) -> None:
    patch.setattr(Cursor, "start", last_first)


def call_nodes_by_other_ids(patch: Patch) -> None:
    patch.setattr(Walk, "at", lambda self, node: f"{node.path}:{self.key}")


def forget_iterations(patch: Patch) -> None:
    patch.setattr(Walk, "at", lambda self, node: node.path)


def act_before_the_work(patch: Patch) -> None:
    carry_out = Interpreter.carry_out

    async def acting(self: Interpreter, walk: Walk) -> Any:
        await workflow.execute_activity("tools.call", start_to_close_timeout=timedelta(seconds=1))
        return await carry_out(self, walk)

    patch.setattr(Interpreter, "carry_out", acting)


def sleep_between_nodes(patch: Patch) -> None:
    perform = Interpreter.perform_alone

    async def slow(self: Interpreter, walk: Walk, node: plans.Node) -> None:
        await asyncio.sleep(0.001)
        await perform(self, walk, node)

    patch.setattr(Interpreter, "perform_alone", slow)


def run_what_is_dead(patch: Patch) -> None:
    arrive = Cursor._arrive
    patch.setattr(Cursor, "_arrive", lambda self, node, live: arrive(self, node, True))


def take_the_last_edge(patch: Patch) -> None:
    patch.setattr(inline, "choose", lambda run, walk, node: [walk.ground.topology.edges[node.id][-1].target])


def merge_in_another_order(patch: Patch) -> None:
    merged = inline.merged

    def backwards(run: Interpreter, walk: Walk, node: plans.Merge) -> Any:
        output = merged(run, walk, node)
        return output[::-1] if isinstance(output, list) else output

    patch.setattr(inline, "merged", backwards)


def undo_in_order(patch: Patch) -> None:
    undo = Undoing.all

    async def forwards(self: Undoing) -> list[str]:
        self.deeds.reverse()
        return await undo(self)

    patch.setattr(Undoing, "all", forwards)


def show_nothing(patch: Patch) -> None:
    patch.setattr(Board, "attributes_changed", lambda self: None)


def fuse_nothing(patch: Patch) -> None:
    begin = Interpreter._begin

    def one_by_one(self: Interpreter, walk: Walk, node: plans.Node) -> None:
        walk.ground.segments.clear()
        begin(self, walk, node)

    patch.setattr(Interpreter, "_begin", one_by_one)


def hand_on_never(patch: Patch) -> None:
    patch.setattr(Interpreter, "must_hand_on", lambda self: False)


MUTATIONS = [
    start_last_first,
    call_nodes_by_other_ids,
    forget_iterations,
    act_before_the_work,
    sleep_between_nodes,
    run_what_is_dead,
    take_the_last_edge,
    merge_in_another_order,
    undo_in_order,
    show_nothing,
    fuse_nothing,
    hand_on_never,
]


# A run that is stopped in the middle of a mistake leaves coroutines behind, which Python complains about.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
@pytest.mark.usefixtures("empty_shelf")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
async def test_the_corpus_notices_a_change_that_would_break_runs(mutation: Callable[[Patch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch)
        broken = {path.stem for path in RECORDED if (await replayed(path)).trouble}
    gc.collect()
    assert broken, "nothing noticed it"


# --- what is said of it


@pytest.mark.usefixtures("empty_shelf")
async def test_the_event_and_the_node_are_named(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Walk, "at", lambda self, node: f"{node.path}!")
    verdict = await replayed(HISTORIES / "rounds.json")
    assert verdict.node == "search/tried"
    assert verdict.event is not None
    assert "'search/tried#0' does not match" in verdict.trouble


@pytest.mark.usefixtures("empty_shelf")
async def test_a_plan_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    path = Path(shutil.copy(HISTORIES / "kinds-many.json", tmp_path))
    verdict = await replayed(path)
    assert "went by reference, and is not here" in verdict.trouble
    for plan in HISTORIES.glob("*.plan.json"):
        shutil.copy(plan, tmp_path)
    assert (await replayed(path)).trouble == ""


@pytest.mark.usefixtures("empty_shelf")
async def test_a_plan_that_was_changed_is_not_taken_for_the_one_that_is_missing(tmp_path: Path) -> None:
    path = Path(shutil.copy(HISTORIES / "kinds-many.json", tmp_path))
    for plan in HISTORIES.glob("*.plan.json"):
        (tmp_path / plan.name).write_text(plan.read_text().replace("many", "more"))
    assert "is not here" in (await replayed(path)).trouble


@pytest.mark.usefixtures("empty_shelf")
async def test_another_result_is_noticed_though_the_commands_agree(monkeypatch: Patch) -> None:
    merge_in_another_order(monkeypatch)
    verdict = await replayed(HISTORIES / "kinds.json")
    assert verdict.trouble.startswith("the run gave ")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"events": []}', '{"events": [{}]}', '{"events": 3}'])
def test_what_is_no_history_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(NoHistory, match="is not the history of a run"):
        read_history(path)


def test_an_answer_that_comes_as_the_run_is_handed_on_is_not_lost() -> None:
    def gate() -> Gate:
        said: dict[str, Any] = {"ask": "?", "show": None, "choices": ["approve", "reject"], "form": None, "to": None}
        return Gate(node="g", path="g", iteration="", opened_at="", until="", **said)

    node = Human(id="g", path="g", placement="wait", ask="?", choices=["approve"], within_ms=1, on_timeout="expire")
    one, other = Gates({"g": [node]}), Gates({"g": [node]})
    one.opened(gate())
    one.take(Approve(node="g", actor="ann"))
    other.load(json.loads(json.dumps(one.dump())))
    answer = other.opened(gate())
    assert answer is not None
    assert answer.actor == "ann"
