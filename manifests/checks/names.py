"""Names that are used must be defined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from manifests.agreement import misfits
from manifests.builtins import PLUGINS
from manifests.draft import Draft, Node
from manifests.outputs import choices_of
from manifests.problems import Problem, an, did_you_mean
from manifests.shape import workflow as shapes
from manifests.shape.memory import Layer
from manifests.source import Place

MERGES = ("object", "list", "first", "concat", "vote")


def _known(draft: Draft, file: str, name: str, group: Iterable[str], what: str, at: Place) -> Iterator[Problem]:
    names = list(group)
    if name not in names and file not in draft.bundle.broken:
        fix = did_you_mean(name, names, what) if names else f"define it in {file}.yaml"
        yield Problem("HL205", at, f"no {what} {name!r}", f"the name of {an(what)}", fix)


def nodes_use_what_there_is(draft: Draft) -> Iterator[Problem]:
    for node in draft.nodes():
        yield from _runs(draft, node)
        if node.spec.undo is not None:
            yield from _known(draft, "tools", node.spec.undo, draft.bundle.tools, "tool", node.at / "undo")
        if isinstance(node.spec.on_budget, shapes.CheaperModel):
            yield from _model(draft, node.spec.on_budget.model, node.at / "on_budget" / "model")


def _runs(draft: Draft, node: Node) -> Iterator[Problem]:
    bundle, at = draft.bundle, node.at
    match node.spec:
        case shapes.Agent(agent=name):
            yield from _known(draft, "agents", name, bundle.agents, "agent", at / "agent")
        case shapes.Tool(tool=name):
            yield from _known(draft, "tools", name, bundle.tools, "tool", at / "tool")
        case shapes.Plan(plan=planning):
            yield from _known(draft, "agents", planning.agent, bundle.agents, "agent", at / "plan" / "agent")
        case shapes.Recall(recall=name):
            known = [*bundle.stores, *bundle.profiles, *get_args(Layer)]
            yield from _known(draft, "memory", name, known, "store or profile", at / "recall")
        case shapes.Remember(remember=name):
            yield from _known(draft, "memory", name, bundle.stores, "store", at / "remember")
        case shapes.Emit(emit=message):
            if message.plugin is not None:
                yield from _known(draft, "plugins", message.plugin, bundle.plugins, "plugin", at / "emit" / "plugin")
            if message.agent is not None:
                yield from _known(draft, "agents", message.agent, bundle.agents, "agent", at / "emit" / "agent")
        case shapes.Merge():
            yield from _merge(node, node.spec)
        case shapes.Human(human=gate):
            yield from _gate(node, gate)


def _merge(node: Node, spec: shapes.Merge) -> Iterator[Problem]:
    if "${" not in spec.merge and spec.merge not in MERGES:
        fix = did_you_mean(spec.merge, MERGES, "policy")
        yield Problem("HL205", node.at / "merge", f"no way to merge called {spec.merge!r}", "a policy, or ${ … }", fix)
    if spec.by is not None and spec.merge != "vote":
        yield Problem("HL106", (node.at / "by").key, "'by' goes with `merge: vote`", "no 'by' here", "remove it")


def _gate(node: Node, gate: shapes.Gate) -> Iterator[Problem]:
    answers = gate.choices or []
    for index, answer in enumerate(answers):
        at = node.at / "human" / "choices" / index
        if answer == "expire":
            message = "'expire' says that nobody answered, so it cannot be an answer"
            yield Problem("HL202", at, message, "another answer", "call it something else")
        if answer in answers[:index]:
            yield Problem("HL219", at, f"{answer!r} is there already", "each answer once", "remove one of them")
    choices = ["expire", *([] if gate.form is not None else choices_of(gate))]
    if gate.on_timeout not in choices:
        fix = did_you_mean(gate.on_timeout, choices, "choice")
        message = f"{gate.on_timeout!r} is not an answer of this gate"
        yield Problem("HL205", node.at / "human" / "on_timeout", message, f"one of: {', '.join(choices)}", fix)


def _model(draft: Draft, name: str, at: Place) -> Iterator[Problem]:
    known = [*draft.bundle.models, *draft.bundle.routes]
    yield from _known(draft, "models", name, known, "model or route", at)


def agents_use_what_there_is(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for defined in bundle.agents.values():
        agent, at = defined.value, defined.at
        yield from _model(draft, agent.model, at / "model")
        if agent.context is not None:
            yield from _known(draft, "memory", agent.context, bundle.profiles, "context profile", at / "context")
        for index, name in enumerate(agent.tools):
            yield from _known(draft, "tools", name, bundle.tools, "tool", at / "tools" / index)


def tools_use_what_there_is(draft: Draft) -> Iterator[Problem]:
    for defined in draft.bundle.tools.values():
        if defined.value.undo is not None:
            yield from _known(draft, "tools", defined.value.undo, draft.bundle.tools, "tool", defined.at / "undo")
        if defined.value.uses == "embed" and isinstance(defined.value.with_.get("model"), str):
            name, at = defined.value.with_["model"], defined.at / "with" / "model"
            yield from _known(draft, "models", name, draft.bundle.models, "model", at)


def memory_uses_what_there_is(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for profile in bundle.profiles.values():
        for index, source in enumerate(profile.value.sources):
            at = profile.at / "sources" / index
            if source.store is not None:
                yield from _known(draft, "memory", source.store, bundle.stores, "store", at / "store")
            if source.store is None and source.layer == "retrieval":
                message = "`layer: retrieval` does not say which store it searches"
                yield Problem("HL106", at / "layer", message, "a 'store'", "add `store: NAME`")
            if source.store is not None and source.layer != "retrieval":
                message = f"`layer: {source.layer}` searches no store"
                yield Problem(
                    "HL106", (at / "store").key, message, "no 'store' here", "remove it, or write `layer: retrieval`"
                )
        keep = profile.value.keep
        if keep.head + keep.tail > 1:
            message = f"head and tail are {keep.head + keep.tail:g} of the budget"
            yield Problem("HL108", profile.at / "keep", message, "at most 1 together", "make one of them smaller")
    for store in bundle.stores.values():
        for right in ("read", "write"):
            for index, name in enumerate(getattr(store.value.access, right) or ()):
                yield from _known(draft, "agents", name, bundle.agents, "agent", store.at / "access" / right / index)


def policies_use_what_there_is(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for file in bundle.policies:
        for name, policy in file.value.agents.items():
            at = file.at / "agents" / name
            yield from _known(draft, "agents", name, bundle.agents, "agent", at.key)
            for key in ("tools", "deny"):
                for index, tool in enumerate(getattr(policy, key) or ()):
                    yield from _known(draft, "tools", tool, bundle.tools, "tool", at / key / index)
        for name in file.value.tools:
            yield from _known(draft, "tools", name, bundle.tools, "tool", (file.at / "tools" / name).key)


def plugins_and_triggers_use_what_there_is(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for plugin in bundle.plugins.values():
        if ":" not in plugin.value.uses and plugin.value.uses not in PLUGINS:
            fix = did_you_mean(plugin.value.uses, PLUGINS, "plugin")
            message = f"no shipped plugin {plugin.value.uses!r}"
            yield Problem("HL205", plugin.at / "uses", message, "a shipped plugin, or `package.module:Name`", fix)
        elif plugin.value.uses in PLUGINS:
            yield from misfits(plugin.value.with_, PLUGINS[plugin.value.uses], plugin.at / "with")
    for trigger in bundle.triggers.values():
        if trigger.value.sensor is not None:
            at = trigger.at / "sensor" / "tool"
            yield from _known(draft, "tools", trigger.value.sensor.tool, bundle.tools, "tool", at)


def routes_end(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for name, route in bundle.routes.items():
        for index, rung in enumerate(route.value.ladder):
            yield from _model(draft, rung, route.at / "ladder" / index)
        if name in bundle.models:
            message = f"{name!r} is both a model and a route"
            yield Problem("HL201", route.at.key, message, "one of them", "rename one of them")
        trail = _circle(draft, name, [name])
        if trail and name == min(trail):
            message = f"route {name!r} leads back to itself: {' -> '.join(trail)}"
            yield Problem("HL206", route.at.key, message, "a ladder that ends at models", "take one rung out")


def _circle(draft: Draft, start: str, trail: list[str]) -> list[str]:
    for rung in draft.bundle.routes[trail[-1]].value.ladder:
        if rung == start:
            return [*trail, rung]
        if rung in draft.bundle.routes and rung not in trail:
            found = _circle(draft, start, [*trail, rung])
            if found:
                return found
    return []


CHECKS = (
    nodes_use_what_there_is,
    agents_use_what_there_is,
    tools_use_what_there_is,
    memory_uses_what_there_is,
    policies_use_what_there_is,
    plugins_and_triggers_use_what_there_is,
    routes_end,
)
