"""What agents, tools and runs take and give: the schemas and prompts behind their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manifests import prompts, schemas
from manifests.agreement import misfits
from manifests.builtins import TOOLS, Builtin
from manifests.bundle import Bundle, Defined, text_beside
from manifests.problems import Problem, did_you_mean, nearest
from manifests.prompts import Prompt
from manifests.schemas import Schema

if TYPE_CHECKING:
    from manifests.shape.agents import Agent
    from manifests.shape.tools import Tool

ANSWER = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}


@dataclass(frozen=True)
class AgentContract:
    agent: Agent
    defined: Defined[Agent]
    output: dict[str, Any]
    prompt: Prompt | None


@dataclass(frozen=True)
class ToolContract:
    tool: Tool
    defined: Defined[Tool]
    builtin: Builtin | None
    input: dict[str, Any]
    output: dict[str, Any]


@dataclass
class Contracts:
    agents: dict[str, AgentContract] = field(default_factory=dict)
    tools: dict[str, ToolContract] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)


def resolved(bundle: Bundle, problems: list[Problem]) -> Contracts:
    """The contracts of a bundle; what cannot be resolved is said once, here, and taken as unknown elsewhere."""
    return Contracts(
        agents={name: _agent(defined, problems) for name, defined in bundle.agents.items()},
        tools={name: _tool(defined, problems) for name, defined in bundle.tools.items()},
        input=_input(bundle, problems),
    )


def _input(bundle: Bundle, problems: list[Problem]) -> dict[str, Any]:
    written = bundle.workflow.value.input
    at = bundle.workflow.at / "input"
    schema = None if written is None else schemas.found(bundle.workflow, written, at, problems)
    if schema is None:
        return {"type": "object"}
    if schema.value.get("type", "object") != "object":
        fix = "wrap it: `type: object` with one property"
        problems.append(Problem("HL324", schema.at, "the input of a workflow is not an object", "type: object", fix))
        return {"type": "object"}
    return schema.value


def _agent(defined: Defined[Agent], problems: list[Problem]) -> AgentContract:
    agent, at = defined.value, defined.at
    schema: Schema | None = None
    if agent.output is not None:
        schema = schemas.found(defined, agent.output, at / "output", problems)
    output = ANSWER if agent.output is None else schema.value if schema else {}
    return AgentContract(agent, defined, output, _prompt(defined, problems))


def _prompt(defined: Defined[Agent], problems: list[Problem]) -> Prompt | None:
    prompt, at = defined.value.prompt, defined.at / "prompt"
    if not isinstance(prompt, str):
        return prompts.read(prompt.text, at / "text", problems)
    source = text_beside(defined, at, prompt, problems)
    return prompts.read(source.text, source.place, problems) if source else None


def _tool(defined: Defined[Tool], problems: list[Problem]) -> ToolContract:
    tool, at = defined.value, defined.at
    builtin = TOOLS.get(tool.uses)
    if builtin is None:
        fix = did_you_mean(tool.uses, TOOLS, "tool")
        message = f"no built-in tool {tool.uses!r}"
        problems.append(Problem("HL205", at / "uses", message, "the name of a built-in tool", fix))
        return ToolContract(
            tool, defined, None, _written(defined, "input", problems), _written(defined, "output", problems)
        )
    problems += _settings(defined, builtin)
    input_, output = _left_open(builtin, tool.with_), builtin.output
    if tool.input is not None:
        input_ = _own(defined, "input", builtin, problems)
    if tool.output is not None:
        output = _own(defined, "output", builtin, problems)
    return ToolContract(tool, defined, builtin, input_, output)


def _left_open(builtin: Builtin, settings: dict[str, Any]) -> dict[str, Any]:
    """The built-in's inputs that are not settled by the tool's own settings; nobody can change those."""
    if not settings.keys() & builtin.input.get("properties", {}).keys():
        return builtin.input
    properties = {name: part for name, part in builtin.input["properties"].items() if name not in settings}
    required = [name for name in builtin.input.get("required", []) if name not in settings]
    return {**builtin.input, "properties": properties, "required": required}


def _own(defined: Defined[Tool], end: str, builtin: Builtin, problems: list[Problem]) -> dict[str, Any]:
    """A built-in with a fixed contract cannot be given another one."""
    if not builtin.open_contract:
        message = f"{defined.value.uses!r} has an {end} schema of its own"
        at = defined.at / end
        problems.append(Problem("HL325", at.key, message, f"no {end!r} here", "remove it; the built-in's holds"))
    return _written(defined, end, problems)


def _written(defined: Defined[Tool], end: str, problems: list[Problem]) -> dict[str, Any]:
    written = getattr(defined.value, end)
    if written is None:
        return {}
    schema = schemas.found(defined, written, defined.at / end, problems)
    return schema.value if schema else {}


def _settings(defined: Defined[Tool], builtin: Builtin) -> list[Problem]:
    tool, at = defined.value, defined.at
    known = builtin.settings["properties"]
    found = [
        Problem(
            "HL101", (at / "with" / name).key, f"{tool.uses!r} has no setting {name!r}",
            f"one of: {', '.join(known)}" if known else "no settings",
            f"did you mean {nearest(name, known)!r}?" if nearest(name, known) else "remove it",
        )
        for name in tool.with_ if name not in known
    ]  # fmt: skip
    for name in sorted(tool.with_.keys() & known.keys()):
        found += misfits(tool.with_[name], known[name], at / "with" / name)
    missing = [name for name in builtin.settings.get("required", []) if name not in tool.with_]
    return found + [
        Problem(
            "HL102",
            at.key,
            f"{tool.uses!r} needs the setting {name!r}",
            f"a key {name!r}",
            f"add `with: {{{name}: …}}`",
        )
        for name in missing
    ]
