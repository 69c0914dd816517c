"""Every shipped bundle is an example: it compiles, it has scenarios, and it can be switched from one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manifests import compiler
from manifests.bundle import load
from manifests.plan import Plan

CATALOGUE = Path(compiler.__file__).parent / "catalog"
BUNDLES = sorted(path.name for path in CATALOGUE.iterdir() if path.is_dir())


def secrets_in(value: Any) -> Iterator[str]:
    """The names of the secrets that a value refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("secret"), str):
            yield value["secret"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from secrets_in(each)


def compiled(bundle: str) -> Plan:
    plan: Plan = compiler.compile_bundle(CATALOGUE / bundle).plan
    return plan


def files_of(bundle: str) -> list[Path]:
    return sorted((CATALOGUE / bundle).rglob("*.yaml"))


def test_the_promised_bundles_are_there() -> None:
    promised = "chat code-gremlin committee hello research-brief supervisor support-triage tagline"
    assert promised.split() == BUNDLES


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_bundle_compiles_under_the_name_of_its_folder(bundle: str) -> None:
    assert compiled(bundle).name == bundle


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_bundle_compiles_to_the_same_plan_twice(bundle: str) -> None:
    assert compiled(bundle).sha256 == compiled(bundle).sha256


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_bundle_has_scenarios(bundle: str) -> None:
    scenarios = load(CATALOGUE / bundle, []).scenarios
    assert len(scenarios) >= (1 if bundle == "hello" else 2)
    assert len({each.value.scenario for each in scenarios}) == len(scenarios)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_agent_is_scripted_in_one_of_the_scenarios(bundle: str) -> None:
    loaded = load(CATALOGUE / bundle, [])
    scripted = {name for each in loaded.scenarios for name in each.value.models}
    assert set(loaded.agents) - scripted == set()


@pytest.mark.parametrize("bundle", BUNDLES)
def test_agents_name_routes_so_that_models_change_in_one_file(bundle: str) -> None:
    loaded = load(CATALOGUE / bundle, [])
    assert {agent.value.model for agent in loaded.agents.values()} <= set(loaded.routes)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_bundle_with_agents_can_do_without_a_key(bundle: str) -> None:
    loaded = load(CATALOGUE / bundle, [])
    keyless = {name for name, model in loaded.models.items() if model.value.api_key is None}
    assert [name for name, route in loaded.routes.items() if not keyless & set(route.value.ladder)] == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_file_names_its_schema(bundle: str) -> None:
    for file in files_of(bundle):
        in_tests = file.parent.name == "tests"
        schema = "../../../schema/v1/scenario.json" if in_tests else f"../../schema/v1/{file.stem}.json"
        first = file.read_text(encoding="utf-8").partition("\n")[0]
        assert first == f"# yaml-language-server: $schema={schema}", file


def test_hello_needs_no_secrets() -> None:
    assert list(secrets_in(compiled("hello").model_dump(mode="json"))) == []


def test_hello_is_pure_and_has_no_agents() -> None:
    plan = compiled("hello")
    assert plan.agents == {}
    assert plan.models == {}
    assert {tool.effect for tool in plan.tools.values()} == {"pure"}


def test_secrets_are_found_at_any_depth() -> None:
    assert list(secrets_in({"a": [{"key": {"secret": "X"}}], "b": {"secret": "Y"}})) == ["X", "Y"]
