"""Scenario tests speak of what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from manifests.agreement import misfits
from manifests.analysis import Analysis
from manifests.draft import Draft
from manifests.outputs import choices_of
from manifests.problems import Problem, an, did_you_mean
from manifests.shape import workflow as shapes
from manifests.source import Place

if TYPE_CHECKING:
    from manifests.bundle import Defined
    from manifests.shape.scenario import ScenarioFile


# In files that cannot be read the name may well be defined.
_DEFINED_IN = {
    "agent": ("agents",),
    "tool": ("tools",),
    "agent or tool": ("agents", "tools"),
    "store": ("memory",),
    "pipeline": ("pipelines",),
}


def scenarios_name_what_there_is(found: Analysis) -> Iterator[Problem]:
    draft = found.draft
    for scenario in draft.bundle.scenarios:
        for names, known, what in _names(scenario, draft):
            for name, at in names:
                if name not in known and draft.bundle.broken.isdisjoint(_DEFINED_IN.get(what, ())):
                    fix = did_you_mean(name, known, what)
                    yield Problem("HL701", at, f"no {what} {name!r} in this bundle", f"the name of {an(what)}", fix)


def _names(
    scenario: Defined[ScenarioFile], draft: Draft
) -> Iterator[tuple[list[tuple[str, Place]], Iterable[str], str]]:
    said, at, bundle = scenario.value, scenario.at, draft.bundle
    nodes = {node.id for node in draft.nodes()}
    gates = [node.id for node in draft.nodes() if isinstance(node.spec, shapes.Human)]
    called = [*bundle.agents, *bundle.tools]
    expect = at / "expect"
    yield [(name, (at / "models" / name).key) for name in said.models], bundle.agents, "agent"
    yield [(name, (at / "tools" / name).key) for name in said.tools], bundle.tools, "tool"
    yield [(name, (at / "memory" / name).key) for name in said.memory], bundle.stores, "store"
    yield [(name, (at / "answers" / name).key) for name in said.answers], gates, "gate"
    yield [(name, expect / "path" / i) for i, name in enumerate(said.expect.path or ())], nodes, "node"
    yield [(name, (expect / "calls" / name).key) for name in said.expect.calls], called, "agent or tool"
    yield [(name, expect / "not_called" / i) for i, name in enumerate(said.expect.not_called)], called, "agent or tool"
    if said.pipeline is not None:
        yield [(said.pipeline, at / "pipeline")], bundle.pipelines, "pipeline"
    if said.expect.failure and said.expect.failure.node:
        yield [(said.expect.failure.node, expect / "failure" / "node")], nodes, "node"


def scenarios_answer_as_asked(found: Analysis) -> Iterator[Problem]:
    gates = {node.id: node.spec.human for node in found.draft.nodes() if isinstance(node.spec, shapes.Human)}
    for scenario in found.draft.bundle.scenarios:
        for name, answer in scenario.value.answers.items():
            gate = gates.get(name)
            if gate is None or not isinstance(answer, str):
                continue
            choices = [] if gate.form is not None else choices_of(gate)
            if answer not in choices:
                at = scenario.at / "answers" / name
                expected = f"one of: {', '.join(choices)}" if choices else "a `form`"
                message = f"gate {name!r} cannot be answered {answer!r}"
                fix = did_you_mean(answer, choices, "choice") if choices else "write `{form: {…}}`"
                yield Problem("HL703", at, message, expected, fix)


def scenarios_give_what_the_input_wants(found: Analysis) -> Iterator[Problem]:
    schema = found.draft.contracts.input
    scenarios = found.draft.bundle.scenarios
    if not scenarios or schema == {"type": "object"}:
        return
    for scenario in scenarios:
        yield from misfits(scenario.value.input, schema, scenario.at / "input", "HL702", "the input does not fit: ")


CHECKS = (scenarios_name_what_there_is, scenarios_answer_as_asked, scenarios_give_what_the_input_wants)
