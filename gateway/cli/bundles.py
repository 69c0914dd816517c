"""From a word on the command line to a plan; a bundle that does not compile is reported on standard error."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.diagnostics import refuse
from gateway.cli.misuse import Misuse, bundle_folder
from manifests.compiler import Compiled, compile_bundle
from manifests.plan import Plan, loaded
from manifests.problems import Problem, Refused

PLAN_HINT = "`haul compile BUNDLE -o plan.json` writes one"


def examined(folder: Path) -> Plan | list[Problem]:
    """The plan of a bundle, or all that keeps it from being one."""
    verdict = whole(folder)
    return verdict if isinstance(verdict, list) else verdict.plan


def whole(folder: Path) -> Compiled | list[Problem]:
    """The same with all that its runs need."""
    try:
        return compile_bundle(folder)
    except Refused as refused:
        return refused.problems


def compiled(folder: Path, color: str) -> Plan | None:
    """The plan of a bundle; of one that does not compile every problem is told, and the command ends with status 1."""
    verdict = examined(folder)
    if isinstance(verdict, list):
        refuse(verdict, color)
        return None
    return verdict


def bundle_or_plan(text: str) -> Path:
    """The folder of a bundle, or a plan that was written before."""
    path = Path(text)
    return path if path.is_file() and path.suffix == ".json" else bundle_folder(text)


def plan_of(path: Path, color: str) -> Plan | None:
    """The plan of a bundle or of a file."""
    if path.is_dir():
        return compiled(path, color)
    try:
        return loaded(path.read_bytes())
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise Misuse(f"{str(path)!r} is not a plan that this haul reads ({reason}); {PLAN_HINT}") from None
