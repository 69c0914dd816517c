"""The run that a command line asks for: a plan, an input that fits it, and options; what cannot be is refused here."""

from __future__ import annotations

import json
import re
import uuid
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.bundles import whole
from gateway.cli.diagnostics import refuse
from gateway.cli.misuse import Misuse
from manifests.compiler import Compiled
from manifests.plan import Human, Plan
from manifests.problems import did_you_mean
from manifests.values import completed, misfit, out_of_range

if TYPE_CHECKING:
    from manifests.shape.scenario import ScenarioFile

MODES = ("normal", "analysis_only", "dry_run")
_USD = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    compiled: Compiled
    input: Any
    options: dict[str, Any]
    id: str
    answers: dict[str, Any] = field(default_factory=dict)
    signals: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.compiled.plan


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="the folder of a bundle, or the name of one that is served")
    parser.add_argument(
        "--input", action="append", default=[], metavar="INPUT", help="JSON, @FILE with JSON, or KEY=VALUE (repeated)"
    )
    parser.add_argument("--mode", choices=MODES, help="in a safe mode only tools with harmless effects act")
    parser.add_argument("--tag", action="append", default=[], help="a tag (repeated)")
    parser.add_argument("--pipeline", metavar="NAME", help="a pipeline, instead of the one the manifest chooses")
    parser.add_argument("--tenant", help="whose run it is")
    parser.add_argument("--actor", help="who starts it (default: you)")
    parser.add_argument("--priority", type=int, choices=range(1, 6), help="1 is first, 5 is last")
    parser.add_argument(
        "--budget", action="append", default=[], metavar="WHAT=LIMIT", help="calls, tokens, usd or time (repeated)"
    )
    parser.add_argument("--id", metavar="ID", help="workflow id (default: the name and a random end)")


def compiled_named(text: str, folders: list[Path], color: str) -> Compiled | None:
    """The bundle of a folder, or of the bundle with this name; None when it does not compile, which is told."""
    folder = Path(text)
    if not folder.is_dir():
        folder = _named(text, folders)
    verdict = whole(folder)
    if isinstance(verdict, list):
        refuse(verdict, color)
        return None
    return verdict


def bundles_in(folders: list[Path]) -> list[Path]:
    """The bundles that a worker with these folders serves."""
    found: list[Path] = []
    for folder in folders:
        is_one = (folder / "workflow.yaml").is_file()
        found += [folder] if is_one else [path.parent for path in sorted(folder.glob("*/workflow.yaml"))]
    return found


def _named(name: str, folders: list[Path]) -> Path:
    if Path(name).exists():
        raise Misuse(f"{name!r} is a file, and a bundle is a folder; did you mean {str(Path(name).parent)!r}?")
    bundles = {folder.resolve().name: folder for folder in bundles_in(folders)}
    if name not in bundles:
        where = ", ".join(map(str, folders)) or "no folder"
        fix = did_you_mean(name, bundles, "bundle") if bundles else "name a folder"
        raise Misuse(f"there is no folder {name!r}, and no bundle of this name in {where}; {fix}")
    return bundles[name]


def wanted(arguments: Namespace, compiled: Compiled, scenario: ScenarioFile | None = None) -> Wanted:
    """Raises `Misuse`. A scenario says what the command line leaves open."""
    plan = compiled.plan
    answers = _answers(plan, getattr(arguments, "answer", []))
    if scenario is not None:
        told = {gate: a if isinstance(a, str) else a.form for gate, a in scenario.answers.items()}
        answers = told | answers
    given = _input(arguments.input) if arguments.input or scenario is None else scenario.input
    wrong = misfit(plan.input, filled := completed(plan.input, given)) or out_of_range(filled)
    if wrong:
        raise Misuse(f"the input of {plan.name!r} does not fit: {wrong}")
    return Wanted(
        compiled,
        given,
        _options(arguments, plan, scenario),
        arguments.id or f"{plan.name}-{uuid.uuid4().hex[:8]}",
        answers,
        scenario.signals if scenario else {},
    )


def _options(arguments: Namespace, plan: Plan, scenario: ScenarioFile | None) -> dict[str, Any]:
    pipeline = arguments.pipeline or (scenario.pipeline if scenario else None)
    names = [each.name for each in plan.pipelines]
    if pipeline is not None and pipeline not in names:
        fix = did_you_mean(pipeline, names, "pipeline") if names else "leave --pipeline out"
        raise Misuse(f"{plan.name!r} has no pipeline {pipeline!r}; {fix}")
    said = {
        "mode": arguments.mode or (scenario.mode if scenario else None),
        "tags": arguments.tag or (scenario.tags if scenario else None),
        "pipeline": pipeline,
        "budget": _budget(arguments.budget),
        "priority": arguments.priority,
        "tenant": arguments.tenant,
        "actor": arguments.actor or me(),
    }
    return {"plan": plan.sha256} | {name: value for name, value in said.items() if value}


def me() -> str:
    """Who sits here, or nobody where that cannot be known."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        return ""


# --- values on the command line


def _input(parts: list[str]) -> Any:
    whole = [part for part in parts if part[:1] in ("@", "{", "[", '"')]
    if whole and len(parts) > 1:
        raise Misuse("--input is JSON, or a file with JSON, or KEY=VALUE any number of times; not several of these")
    if whole:
        return json_of(whole[0], "--input")
    given: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise Misuse(f"--input {part!r}: write KEY=VALUE, or JSON, or @FILE")
        given[key] = loose(value)
    return given


def json_of(text: str, option: str) -> Any:
    """JSON as it stands, or from the file behind an `@`; raises `Misuse`."""
    path = Path(text[1:]) if text.startswith("@") else None
    try:
        return json.loads(path.read_bytes() if path else text)
    except ValueError as error:
        raise Misuse(f"{option} {str(path) if path else text[:60]!r} is not JSON: {error}") from None


def loose(value: str) -> Any:
    """A value as a shell user writes it: JSON where it is JSON, else a text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _budget(parts: list[str]) -> dict[str, Any]:
    budget: dict[str, Any] = {}
    for part in parts:
        what, _, limit = part.partition("=")
        try:
            match what:
                case "calls" | "tokens" if limit.isdecimal():
                    budget[what] = int(limit)
                case "usd" if _USD.fullmatch(limit):
                    budget[what] = limit
                case "time":
                    budget["time_ms"] = milliseconds(limit)
                case "calls" | "tokens" | "usd":
                    raise ValueError(limit)
                case _:
                    raise Misuse(f"--budget {part!r}: write calls=…, tokens=…, usd=… or time=…")
        except ValueError:
            raise Misuse(f"--budget {part!r}: {limit!r} is no such amount") from None
    return budget


def milliseconds(text: str) -> int:
    """A duration as manifests write it, such as `30s` or `5m`; raises `ValueError`."""
    from pydantic import TypeAdapter

    from manifests.shape.base import Duration

    return TypeAdapter[int](Duration).validate_python(text)


def _answers(plan: Plan, parts: list[str]) -> dict[str, Any]:
    """What to say at which gate: a choice, or a filled-in form."""
    graphs = [graph for graph in (plan.graph, plan.final) if graph]
    gates = {name: node for graph in graphs for node in graph.walk() if isinstance(node, Human)
             for name in (node.id, node.path)}  # fmt: skip
    answers: dict[str, Any] = {}
    for part in parts:
        name, equals, answer = part.partition("=")
        gate = gates.get(name.partition("#")[0])
        if not equals or gate is None:
            fix = did_you_mean(name, gates, "gate") if gates else "it has none"
            raise Misuse(f"--answer {part!r}: {plan.name!r} has no gate {name!r}; {fix}")
        if gate.form is not None and answer != "reject":
            answers[name] = json_of(answer, f"--answer {name}")
        elif gate.form is None and answer not in (gate.choices or ()):
            raise Misuse(f"--answer {part!r}: {name!r} takes one of: {', '.join(gate.choices or ())}")
        else:
            answers[name] = answer
    return answers
