"""Two plans are the same when nothing differs in meaning."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from manifests.changes import Change
from manifests.comparison import compared
from manifests.compiler import compile_bundle
from manifests.plan import Plan
from manifests.published import FOLDER
from tests.manifests.drawing import plans

CATALOGUE = FOLDER.parent.parent / "catalog"
Edited: TypeAlias = Callable[[str, str, str], list[Change]]


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """What changes when, in a file of code-gremlin, one text becomes another."""

    def edit(file: str, before: str, after: str) -> list[Change]:
        folder = tmp_path / "code-gremlin"
        shutil.copytree(CATALOGUE / "code-gremlin", folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert before in text
        (folder / file).write_text(text.replace(before, after, 1), encoding="utf-8")
        return compared(compile_bundle(CATALOGUE / "code-gremlin").plan, compile_bundle(folder).plan)

    return edit


def with_nodes(plan: Plan, **more: Any) -> Plan:
    graph = plan.graph.model_copy(update=more)
    return plan.model_copy(update={"graph": graph})


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("workflow.yaml", "nodes:\n", "# a comment\nnodes:\n"),
        ("workflow.yaml", 'version: "1"', "version: '1'"),
        ("workflow.yaml", "    retry: {attempts: 2, initial: 1s}", "    retry: {initial: 1s, attempts: 2}"),
        ("workflow.yaml", "timeout: 10m", "timeout: 600s"),
        ("agents.yaml", "tools: [read_file, write_file, list_files]", "tools: [list_files, read_file, write_file]"),
        ("agents.yaml", "required: [summary, files]", "required: [files, summary]"),
    ],
)
def test_comments_and_order_are_no_change(edited: Edited, file: str, before: str, after: str) -> None:
    assert edited(file, before, after) == []


def test_edges_in_another_order_are_the_same_graph() -> None:
    plan = plans.branches(3)
    ways = plan.graph.ways.model_copy(update={"edges": plan.graph.ways.edges[::-1]})
    assert compared(plan, with_nodes(plan, ways=ways)) == []


def test_the_order_of_the_ways_out_of_a_decision_is_meaning() -> None:
    plan = plans.gremlin()
    edges = plan.graph.ways.edges
    ways = plan.graph.ways.model_copy(update={"edges": edges[::-1]})
    assert [(change.path, change.what) for change in compared(plan, with_nodes(plan, ways=ways))] == [
        ("verdict", "order")
    ]


def test_a_node_that_came_and_its_edges_are_told() -> None:
    one = plans.plan(plans.graph([plans.step("a")]))
    other = plans.plan(plans.graph([plans.step("a"), plans.agent("b")], plans.chain("a", "b")))
    assert compared(one, other) == [
        Change("nodes", "b", "added", None, "agent"),
        Change("edges", "", "added", None, "a -> b"),
    ]
    assert [change.what for change in compared(other, one)] == ["removed", "removed"]


def test_a_changed_property_is_told_by_its_way(edited: Edited) -> None:
    found = edited("workflow.yaml", "retry: {attempts: 3", "retry: {attempts: 4")
    assert found[0] == Change("nodes", "edit", "retry.attempts", 3, 4)
    assert {change.section for change in found[1:]} <= {"bounds"}


def test_a_list_in_a_value_keeps_its_order() -> None:
    one, other = (plans.step("a").model_copy(update={"value": {"tools": list(words)}}) for words in ("xy", "yx"))
    found = compared(plans.plan(plans.graph([one])), plans.plan(plans.graph([other])))
    assert [change.what for change in found] == ["value.tools"]


def test_failures_are_told_together(edited: Edited) -> None:
    found = edited("workflow.yaml", "on: [context, json]", "on: [context]")
    assert found[0] == Change("failures", "edit", "json", "smaller_edit", "report")


def test_a_prompt_is_its_own_section(edited: Edited) -> None:
    (found,) = (change for change in edited("prompts/editor.md", "files", "many files") if change.section != "bounds")
    assert (found.section, found.path) == ("prompts", "editor")
    assert "many files" in found.after


@pytest.mark.parametrize(
    ("before", "after", "widens"),
    [
        ("commands: [python3]", "commands: [python3, bash]", True),
        ("filesystem: {read: [workspace], write: [workspace]}", "filesystem: {write: [workspace]}", False),
        ("effect: pure\n    risk: medium", "effect: pure\n    risk: high", True),
        ("effect: pure\n    risk: medium", "effect: pure\n    risk: low", False),
    ],
)
def test_what_lets_more_happen_is_marked(edited: Edited, before: str, after: str, widens: bool) -> None:
    found = [change for change in edited("tools.yaml", before, after) if change.section == "tools"]
    assert [change.widens for change in found] == [widens]


def test_an_agent_with_more_tools_may_do_more(edited: Edited) -> None:
    found = edited("agents.yaml", "output: schemas/plan.json", "output: schemas/plan.json\n    tools: [read_file]")
    assert Change("agents", "planner", "tools", [], ["read_file"], True) in found


def test_a_ladder_is_told(edited: Edited) -> None:
    found = edited("models.yaml", "{ladder: [local, claude], prefer: cheapest}", "{ladder: [claude]}")
    assert Change("agents", "editor", "ladder", ["local", "claude"], ["claude"]) in found


def test_a_budget_is_told(edited: Edited) -> None:
    assert edited("workflow.yaml", "tokens: 60000", "tokens: 70000") == [Change("budget", "", "tokens", 60000, 70000)]


def test_a_pipeline_that_went_is_told() -> None:
    plan = plans.gremlin()
    found = compared(plan, plan.model_copy(update={"pipelines": []}))
    assert [(change.section, change.path, change.what) for change in found] == [("pipelines", "quick", "removed")]


def test_changes_in_a_body_have_its_path() -> None:
    plan = plans.nested()
    assert compared(plan, plans.nested()) == []
    found = compared(plans.plan(plans.graph([plans.loop("l", plans.graph([plans.step("a")]))])), plan)
    assert ("edges", "rounds", "list -> each") in {(change.section, change.path, change.after) for change in found}


def test_a_new_tool_that_may_do_something_is_marked() -> None:
    plan = compile_bundle(CATALOGUE / "code-gremlin").plan
    without = plan.model_copy(update={"tools": {name: plan.tools[name] for name in plan.tools if name != "write_file"}})
    assert [(change.path, change.what, change.widens) for change in compared(without, plan)] == [
        ("write_file", "added", True)
    ]
    assert [change.widens for change in compared(plan, without)] == [False]
