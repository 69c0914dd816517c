"""`haul explain` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.explaining import Explanation
from gateway.cli.main import main
from gateway.cli.tables import size
from gateway.cli.terminal import Painter
from manifests.compiler import compile_bundle
from manifests.explanation import standings
from manifests.failures import FAILS_IN
from manifests.plan import Retry
from manifests.published import FOLDER
from manifests.wording import failures, tries
from tests.manifests.drawing import plans

CATALOGUE = FOLDER.parent.parent / "catalog"
GREMLIN = str(CATALOGUE / "code-gremlin")


def test_every_node_stands_in_plan_order_with_all_about_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", GREMLIN]) == 0
    out = capsys.readouterr().out
    assert out.startswith("code-gremlin  version 1 · sha256 ")
    row = next(line.split() for line in out.split("\n") if line.startswith("  edit "))
    assert row == ["edit", "agent", "queue", "editor", "3", "tries,", "2s", "×2", "≤", "1m", "10m", "smaller_edit"]
    assert "claude (anthropic claude-sonnet-4-5)" in out
    assert "$0.50  over it" in out


@pytest.mark.parametrize("bundle", sorted(path.name for path in CATALOGUE.iterdir()))
@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal(bundle: str, width: int, here: Path) -> None:
    plan = compile_bundle(CATALOGUE / bundle).plan
    told = Explanation(plan, Painter(width=width))
    lines = [*told.whole(), *(line for standing in standings(plan) for line in told.of(standing))]
    assert [line for line in lines if size(line) > width] == []


def test_json_has_what_the_text_has(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", GREMLIN, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    edit = next(node for node in facts["nodes"] if node["path"] == "edit")
    assert edit["failures"]["context"] == "smaller_edit"
    assert facts["agents"]["planner"]["ladder"][0]["model"] == "claude-sonnet-4-5"
    assert facts["budget"]["tokens"] == 60000
    assert {"segments", "projections", "bounds", "pipelines"} <= set(facts)


def test_one_node_is_explained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", GREMLIN, "--node", "edit"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("edit  agent, queue\n")
    assert "smaller_edit  on json, context" in out
    assert "${plan.steps}" in out
    assert "You change files in a workspace." in out


def test_one_node_is_explained_to_a_program(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", GREMLIN, "--node", "report", "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"node": "verdict", "otherwise": True} in facts["after"]
    assert facts["takes_failures_of"]["sign_off"] == ["rejected", "expired"]


def test_an_unknown_node_is_misuse_with_a_suggestion(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", GREMLIN, "--node", "edti"]) == 2
    assert capsys.readouterr().err == "haul: 'code-gremlin' has no node 'edti'; did you mean 'edit'?\n"


def test_a_written_plan_is_explained_as_well(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", GREMLIN, "-o", "plan.json"]) == 0
    capsys.readouterr()
    heads = [(main(["explain", what]), capsys.readouterr().out.partition("\n")[0]) for what in (GREMLIN, "plan.json")]
    assert heads[0] == heads[1]


def test_a_bundle_that_does_not_compile_is_reported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "workflow.yaml").write_text("name: x\n")
    assert main(["explain", "."]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "HL109" in err


def test_nodes_of_bodies_and_final_nodes_are_told() -> None:
    told = "\n".join(Explanation(plans.gremlin(), Painter()).whole())
    assert "finally: clean_up" in told
    paths = [standing.node.id for standing in standings(plans.nested())]
    assert paths.index("rounds") + 1 == paths.index("list")


@pytest.mark.parametrize(
    ("attempts", "backoff", "said"),
    [(1, 2, ""), (2, 2, "2 tries, 2s"), (3, 2, "3 tries, 2s ×2 ≤ 1m"), (3, 1, "3 tries, 2s each")],
)
def test_a_retry_ladder_is_said_in_a_few_words(attempts: int, backoff: float, said: str) -> None:
    assert tries(Retry(attempts=attempts, initial_ms=2000, backoff=backoff, max_ms=60_000, on=["timeout"])) == said


def test_failures_are_said_by_their_groups() -> None:
    every = {category: "a" for category in FAILS_IN["agent"] if category != "cancelled"}
    assert failures("agent", every) == [("any failure", "a")]
    assert failures("agent", {**every, "context": "b"}) == [("any other failure", "a"), ("context", "b")]
    assert failures("agent", {**every, "cancelled": "a"}) == [("any failure, cancelled", "a")]
    some = dict.fromkeys(["json_syntax", "json_minor", "json_major", "refusal"], "a")
    assert failures("agent", some) == [("json, refusal", "a")]
