"""The scenarios of the shipped bundles and of our own, carried out on a real server on which waiting takes no time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from manifests.reading import read_yaml
from manifests.shape.scenario import FormAnswer, ScenarioFile
from tests.conftest import PROJECT
from tests.support import Hauling

CATALOG = PROJECT / "manifests" / "catalog"
BUNDLES = PROJECT / "tests" / "workflows" / "bundles"
SCENARIOS = [*sorted(CATALOG.glob("*/tests/*.yaml")), *sorted(BUNDLES.glob("*/tests/*.yaml"))]


@pytest.mark.parametrize("path", SCENARIOS, ids=[f"{each.parts[-3]}-{each.stem}" for each in SCENARIOS])
async def test_a_scenario_ends_as_it_says(path: Path, skipping: Client, tmp_path: Path) -> None:
    scenario = ScenarioFile.model_validate(read_yaml(path, str(path)).data)
    name = read_yaml(path.parents[1] / "workflow.yaml", "workflow.yaml").data["name"]
    pools = ["default", "api", "gpu-small"]
    async with Hauling(skipping, tmp_path, bundles=[CATALOG, BUNDLES], script=path, pool=pools) as haul:
        options: dict[str, Any] = {"mode": scenario.mode, "tags": scenario.tags, "pipeline": scenario.pipeline}
        run = await haul.start(name, scenario.input, options)
        await steered(run, scenario)
        end = await haul.ended(run)
    expected = scenario.expect
    assert end.status == expected.status, end.failure
    assert expected.path is None or end.path == expected.path
    if expected.output is not None:
        named = expected.output if isinstance(expected.output, dict) else None
        given = end.output if named is None else {key: end.output[key] for key in named}
        assert given == expected.output
    if expected.failure is not None:
        assert end.failure["category"] == expected.failure.category
        assert expected.failure.node in (None, end.failure["node"])
    called = calls(tmp_path / "effects.jsonl")
    assert {name: called[name] for name in expected.calls} == expected.calls
    assert [name for name in expected.not_called if called[name]] == []


def calls(effects: Path) -> Counter[str]:
    """How often each agent and tool was called, by what the script wrote down."""
    lines = effects.read_text().splitlines() if effects.exists() else []
    return Counter(json.loads(line)["what"].split(maxsplit=1)[1] for line in lines)


async def steered(run: WorkflowHandle[Any, Any], scenario: ScenarioFile) -> None:
    """Signals and the answers of people, all of them before anybody asks."""
    for name, brought in scenario.signals.items():
        for each in brought:
            await run.signal(name, each)
    for gate, answer in scenario.answers.items():
        if isinstance(answer, FormAnswer):
            await run.signal("approve", {"node": gate, "form": answer.form})
        elif answer == "reject":
            await run.signal("reject", {"node": gate})
        else:
            await run.signal("approve", {"node": gate, "choice": answer})
