"""What tools do to the world: nothing twice, nothing for good without a person, nothing that policy denies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from manifests import plan
from manifests.analysis import Analysis
from manifests.bundle import Defined
from manifests.checks.budgets import pairs
from manifests.contracts import ToolContract
from manifests.draft import Node
from manifests.problems import Problem
from manifests.shape import workflow as shapes
from manifests.shape.policies import AgentPolicy, PoliciesFile
from manifests.shape.tools import Permissions
from manifests.source import Place

RISKS = ("low", "medium", "high")


def effects_are_honest(found: Analysis) -> Iterator[Problem]:
    for name, contract in found.draft.contracts.tools.items():
        tool, at, builtin = contract.tool, contract.defined.at, contract.builtin
        if builtin and tool.effect not in builtin.effects:
            message = f"{tool.uses!r} is not {tool.effect}"
            allowed = ", ".join(builtin.effects)
            yield Problem("HL404", at / "effect", message, f"one of: {allowed}", f"write {builtin.effects[0]}")
        if tool.effect == "compensable" and tool.undo is None:
            message = f"tool {name!r} is compensable, and nothing undoes it"
            yield Problem("HL402", at / "effect", message, "an 'undo'", "name the tool that takes it back: `undo: …`")
        if tool.undo is not None and tool.effect != "compensable":
            message = f"tool {name!r} has an 'undo', and its effect is {tool.effect}"
            yield Problem(
                "HL402", at / "undo", message, "effect: compensable", "write `effect: compensable`, or remove 'undo'"
            )
        yield from _undo_can_be_repeated(found, contract)
        yield from _key_is_an_input(contract)


def _undo_can_be_repeated(found: Analysis, contract: ToolContract) -> Iterator[Problem]:
    undo = found.draft.contracts.tools.get(contract.tool.undo or "")
    if undo and undo.tool.effect not in ("pure", "idempotent"):
        at = contract.defined.at / "undo"
        message = f"{contract.tool.undo!r} is {undo.tool.effect}, and undoing may be tried more than once"
        yield Problem("HL402", at, message, "a tool that is idempotent", "name another tool, or make it idempotent")


def _key_is_an_input(contract: ToolContract) -> Iterator[Problem]:
    key, properties = contract.tool.idempotency_key, contract.input.get("properties", {})
    if key is not None and key not in properties:
        at = contract.defined.at / "idempotency_key"
        message = f"the tool takes no input {key!r} to carry the key in"
        yield Problem("HL406", at, message, "a property of its input", f"add {key!r} to its input schema")


def nothing_for_good_is_tried_twice(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        tries = node.spec.retry.attempts if node.spec.retry else 1
        for name in dict.fromkeys(_unrepeatable(found, node)) if tries > 1 else ():
            at = node.at / "retry" / "attempts"
            message = f"tool {name!r} is irreversible and would be tried {tries} times"
            fix = "remove the retry, or give the tool an `idempotency_key`"
            yield Problem("HL401", at, message, "one try, or an idempotency key", fix)


def nothing_for_good_is_left_to_several_models(found: Analysis, made: plan.Plan) -> Iterator[Problem]:
    """The next model begins anew, and does again what the one before it has done."""
    for node, lowered in pairs(found, made):
        if isinstance(lowered, plan.Agent | plan.Planning):
            models = len(made.agents[lowered.agent].ladder) + len(lowered.cheaper or ())
            at = node.at / "agent" if isinstance(lowered, plan.Agent) else node.at / "plan" / "agent"
            for name in _own_unrepeatable(found, node) if models > 1 else ():
                message = f"tool {name!r} is irreversible, and each of {models} models would begin anew with it"
                fix = "leave it to one model, without an `on_budget` model, or give the tool an `idempotency_key`"
                yield Problem("HL401", at, message, "one model, or an idempotency key", fix)


def _own_unrepeatable(found: Analysis, node: Node) -> Iterator[str]:
    for contract in tools_of(found, node):
        if contract.tool.effect == "irreversible" and contract.tool.idempotency_key is None:
            yield name_of(contract)


def _unrepeatable(found: Analysis, node: Node) -> Iterator[str]:
    """Irreversible tools without a key that trying the node again would call again, however deep inside it."""
    yield from _own_unrepeatable(found, node)
    for child, _ in node.sub_runs():
        theirs = found.draft.children[child].plan if child in found.draft.children else None
        for name, tool in theirs.tools.items() if theirs else ():
            if tool.effect == "irreversible" and tool.idempotency_key is None:
                yield name
    for body in node.bodies:
        for inner in body.nodes.values():
            yield from _unrepeatable(found, inner)


def nothing_is_undone_for_good(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        undo = found.draft.contracts.tools.get(node.spec.undo or "")
        if undo and undo.tool.effect not in ("pure", "idempotent"):
            message = f"{node.spec.undo!r} is {undo.tool.effect}, and undoing may be tried more than once"
            fix = "name another tool, or make it idempotent"
            yield Problem("HL402", node.at / "undo", message, "a tool that is idempotent", fix)


def tools_of(found: Analysis, node: Node) -> Iterator[ToolContract]:
    """The tools that a node may call, by itself or through its agent."""
    contracts = found.draft.contracts
    match node.spec:
        case shapes.Tool(tool=name):
            names = [name]
        case shapes.Agent(agent=name) if name in contracts.agents:
            names = contracts.agents[name].agent.tools
        case shapes.Plan(plan=planning) if planning.agent in contracts.agents:
            names = contracts.agents[planning.agent].agent.tools
        case _:
            names = []
    yield from (contracts.tools[name] for name in names if name in contracts.tools)


def name_of(contract: ToolContract) -> str:
    return str(contract.defined.at.path[-1])


def agents_have_only_allowed_tools(found: Analysis) -> Iterator[Problem]:
    for file in found.draft.bundle.policies:
        for name, policy in file.value.agents.items():
            contract = found.draft.contracts.agents.get(name)
            for index, tool in enumerate(contract.agent.tools if contract else ()):
                reason = _denial(found, policy, tool)
                if contract and reason:
                    message = f"policy denies {name!r} the tool {tool!r}: {reason}"
                    at, fix = contract.defined.at / "tools" / index, "take it from the agent, or change the policy"
                    yield Problem("HL410", at, message, _allowed(file, name), fix)


def plans_run_only_allowed_tools(found: Analysis) -> Iterator[Problem]:
    """What an agent may put into a plan it can use; other agents in the plan answer to policies of their own."""
    plans = [(node, node.spec.plan.agent) for node in found.draft.nodes() if isinstance(node.spec, shapes.Plan)]
    for file in found.draft.bundle.policies:
        for node, name in plans:
            policy = file.value.agents.get(name)
            if policy is None:
                continue
            for template, tool in _calls(node):
                reason = _denial(found, policy, tool)
                if reason:
                    message = f"policy denies {name!r} the tool {tool!r}, which it may plan with here: {reason}"
                    fix = f"take {template.id!r} out of the templates, or change the policy"
                    yield Problem("HL410", template.at / "tool", message, _allowed(file, name), fix)


def _calls(node: Node) -> Iterator[tuple[Node, str]]:
    """The tool nodes inside a node, but for those of plans inside it, which other agents make."""
    for body in node.bodies:
        for inner in body.nodes.values():
            if isinstance(inner.spec, shapes.Tool):
                yield inner, inner.spec.tool
            elif not isinstance(inner.spec, shapes.Plan):
                yield from _calls(inner)


def _allowed(file: Defined[PoliciesFile], agent: str) -> str:
    rule = (file.at / "agents" / agent).key.span
    return f"a tool that {rule.file}:{rule.line} allows"


def _denial(found: Analysis, policy: AgentPolicy, tool: str) -> str:
    if tool not in found.draft.contracts.tools:
        return ""  # said already, where the agent names it
    if tool in policy.deny:
        return "it is on its `deny` list"
    if policy.tools is not None and tool not in policy.tools:
        return "it is not on its list of `tools`"
    contract = found.draft.contracts.tools.get(tool)
    if contract and RISKS.index(contract.tool.risk) > RISKS.index(policy.max_risk):
        return f"its risk is {contract.tool.risk}, the highest allowed is {policy.max_risk}"
    return ""


def tools_stay_within_policy(found: Analysis) -> Iterator[Problem]:
    for file in found.draft.bundle.policies:
        for name, contract in found.draft.contracts.tools.items():
            most = file.value.tools.get(name, file.value.default)
            if most is not None:
                yield from _beyond(contract, most)


def _beyond(contract: ToolContract, most: Permissions) -> Iterator[Problem]:
    asked, at = contract.tool.permissions, contract.defined.at / "permissions"
    pairs: list[tuple[list[str], list[str], Place]] = [
        (getattr(asked, key), getattr(most, key), at / key) for key in ("network", "commands", "secrets")
    ]
    pairs += [
        (getattr(asked.filesystem, key), getattr(most.filesystem, key), at / "filesystem" / key)
        for key in ("read", "write")
    ]
    for wanted, allowed, place in pairs:
        for index, each in enumerate(wanted):
            if each not in allowed:
                message = f"tool {name_of(contract)!r} asks for {each!r}, which policy does not allow"
                shown = ", ".join(allowed) or "nothing"
                yield Problem("HL411", place / index, message, f"at most: {shown}", "remove it, or widen the policy")


def tools_may_do_what_they_do(found: Analysis) -> Iterator[Problem]:
    """A command that is not permitted would only fail later."""
    for contract in found.draft.contracts.tools.values():
        tool, at = contract.tool, contract.defined.at
        argv = tool.with_.get("argv")
        program = argv[0] if tool.uses == "command.run" and isinstance(argv, list) and argv else None
        if isinstance(program, str) and program not in tool.permissions.commands:
            message = f"it runs {program!r}, which it is not permitted to"
            fix = f"add `permissions: {{commands: [{program}]}}`"
            yield Problem("HL405", at / "with" / "argv" / 0, message, "a permitted command", fix)
        for secret in sorted(_secrets(tool.with_) - set(tool.permissions.secrets)):
            fix = f"add `permissions: {{secrets: [{secret}]}}`"
            yield Problem("HL405", at / "with", f"it uses the secret {secret!r}, which it may not see", "leave", fix)
        url = tool.with_.get("url")
        host = urlsplit(url).hostname if isinstance(url, str) else None
        allowed = [each.split(":")[0] for each in tool.permissions.network]
        if tool.uses == "http.request" and allowed and host and host not in allowed:
            fix = f"add {host!r} to `permissions: {{network: …}}`"
            yield Problem("HL405", at / "with" / "url", f"it may not reach {host!r}", "a permitted host", fix)
        if tool.uses == "http.request" and not tool.permissions.network:
            fix = "add `permissions: {network: [HOST]}`"
            yield Problem("HL405", at / "uses", "it may not reach any host", "a permitted host", fix)
        if tool.uses.startswith("filesystem.") and not (
            tool.permissions.filesystem.read or tool.permissions.filesystem.write
        ):
            fix = "add `permissions: {filesystem: {read: [workspace]}}`"
            yield Problem("HL405", at / "uses", "it may not touch any file", "a permitted scope", fix)


def _secrets(value: Any) -> set[str]:
    """The secrets that settings refer to."""
    match value:
        case {"secret": str(name)} if len(value) == 1:
            return {name}
        case dict():
            return {name for each in value.values() for name in _secrets(each)}
        case list():
            return {name for each in value for name in _secrets(each)}
        case _:
            return set()


CHECKS = (
    effects_are_honest,
    nothing_for_good_is_tried_twice,
    nothing_is_undone_for_good,
    agents_have_only_allowed_tools,
    plans_run_only_allowed_tools,
    tools_stay_within_policy,
    tools_may_do_what_they_do,
)
