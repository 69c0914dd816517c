"""The compiler: a folder in, a Plan out, or every problem there is."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from manifests import bundle as bundles
from manifests import contracts, schemas
from manifests.analysis import analysed
from manifests.archive import archived
from manifests.bundle import Bundle
from manifests.checks import (
    budgets,
    conditions,
    effects,
    failures,
    gates,
    graph,
    names,
    reads,
    scenarios,
    secrets,
    times,
)
from manifests.draft import Draft, Graph, Node, drawn
from manifests.expressions.types import Type
from manifests.failures import routes
from manifests.lowering import lower
from manifests.plan import Plan
from manifests.problems import Problem, Refused, did_you_mean
from manifests.shape import workflow as shapes
from manifests.source import Place

if TYPE_CHECKING:
    from manifests.shape.pipelines import Pipeline

ON_DRAFT = (*names.CHECKS, *secrets.CHECKS)
ON_ANALYSIS = (
    *graph.CHECKS,
    *conditions.CHECKS,
    *reads.CHECKS,
    *failures.CHECKS,
    *effects.CHECKS,
    *gates.CHECKS,
    *times.CHECKS,
    *scenarios.CHECKS,
)
ON_PLAN = (*budgets.CHECKS, effects.nothing_for_good_is_left_to_several_models)


@dataclass(frozen=True)
class Compiled:
    """A plan, the bundle that it came from, the type of what its runs give, and the bundles beside it that it runs.

    `archive` holds all of them, where an agent of the plan may propose graphs: those are compiled with it.
    """

    plan: Plan
    bundle: Bundle
    output: Type
    beside: tuple[Bundle, ...] = ()
    archive: bytes | None = None


@dataclass(frozen=True)
class _Progress:
    """The folders that are being compiled, from the outside in, and what came of those that were."""

    under_way: tuple[Path, ...] = ()
    done: dict[Path, Compiled | Refused] = field(default_factory=dict)


def compile_bundle(folder: Path) -> Compiled:
    """The plan of a bundle; raises `Refused` with all problems."""
    with _collector_paused():
        return _compiled(folder, _Progress())


@contextmanager
def _collector_paused() -> Iterator[None]:
    # A compilation makes a few hundred thousand objects that all live to its end: looking for garbage among them
    # again and again takes a third of its time.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # All of them are young now, and would be looked through at once: this makes them old, at no cost.
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()


def _compiled(folder: Path, progress: _Progress) -> Compiled:
    problems: list[Problem] = []
    bundle = bundles.load(folder, problems)
    draft = _draft(bundle, problems, replace(progress, under_way=(*progress.under_way, folder.resolve())))
    problems += (problem for check in ON_DRAFT for problem in check(draft))
    found = analysed(draft)
    problems += found.data.problems
    problems += (problem for check in ON_ANALYSIS for problem in check(found))
    if problems:
        raise Refused(problems)
    plan = lower(found)
    problems += (problem for check in ON_PLAN for problem in check(found, plan))
    if problems:
        raise Refused(problems)
    beside = tuple(each for child in draft.children.values() for each in (child.bundle, *child.beside))
    if not any(isinstance(node.spec, shapes.Plan) for node in draft.nodes()):
        return Compiled(plan, bundle, found.data.output, beside)
    archive = archived(bundle, beside)
    plan = plan.model_copy(update={"archive": hashlib.sha256(archive).hexdigest()})
    return Compiled(plan, bundle, found.data.output, beside, archive)


def _draft(bundle: Bundle, problems: list[Problem], progress: _Progress) -> Draft:
    """Names, prompts and schemas looked up, graphs drawn."""
    workflow = bundle.workflow.value
    main = drawn(workflow, bundle.workflow.at, problems, None)
    draft = Draft(bundle, main, contracts.resolved(bundle, problems))
    if workflow.finally_ is not None:
        at = bundle.workflow.at / "finally"
        draft.finally_ = drawn(workflow.finally_, at, problems, None, role="final")
        problems += _clashes(draft.finally_, main)
    for name, pipeline in bundle.pipelines.items():
        left_out = _left_out(pipeline.value, main)
        named = {*(pipeline.value.only or ()), *(pipeline.value.skip or ())}
        if left_out and named <= main.nodes.keys():
            draft.pipelines[name] = _way(main, left_out, name, bundle)
    for node in draft.nodes():
        _schemas(node, draft, problems)
        _children(node, draft, problems, progress)
    return draft


def _clashes(final: Graph, main: Graph) -> Iterator[Problem]:
    for node in final.nodes.values():
        if node.id in main.nodes:
            message = f"node {node.id!r} stands in `nodes` too"
            yield Problem("HL201", node.at.key, message, "a name of its own", "rename one of them")


def _way(main: Graph, left_out: set[str], name: str, bundle: Bundle) -> Graph:
    """The graph of a pipeline, without the nodes that only a fallback led to which no longer happens."""
    way = main.without(left_out, name)
    reached = {target for targets in routes(way, bundle.fallbacks).targets.values() for target in targets.values()}
    only_fallbacks = {cell.value.to for cell in bundle.fallbacks if not main.edges_into(cell.value.to)}
    lost = (only_fallbacks & way.nodes.keys()) - reached
    return main.without(left_out | lost, name) if lost else way


def _left_out(pipeline: Pipeline, graph: Graph) -> set[str]:
    if pipeline.only is not None:
        return set(graph.nodes) - set(pipeline.only)
    return set(pipeline.skip or ()) & set(graph.nodes)


def _schemas(node: Node, draft: Draft, problems: list[Problem]) -> None:
    written: list[tuple[dict[str, object] | str | None, Place]] = []
    match node.spec:
        case shapes.Human(human=gate):
            written.append((gate.form, node.at / "human" / "form"))
        case shapes.Wait(wait=waiting):
            written.append((waiting.payload, node.at / "wait" / "schema"))
        case shapes.Plan(plan=planning):
            written.append((planning.output, node.at / "plan" / "output"))
    for schema, at in written:
        found = None if schema is None else schemas.found(draft.bundle.workflow, schema, at, problems)
        if found is not None:
            draft.schemas[at] = found.value


def _children(node: Node, draft: Draft, problems: list[Problem], progress: _Progress) -> None:
    above = progress.under_way
    for name, at in node.sub_runs():
        if name in draft.children:
            continue
        root = draft.bundle.folder.resolve().parent
        folder = (root / name).resolve()
        if folder.parent != root:
            message = f"the bundle {name!r} is a link that leads elsewhere"
            problems.append(Problem("HL012", at, message, "a bundle beside this one", "copy the bundle"))
            continue
        if not (folder / "workflow.yaml").is_file():
            beside = [path.parent.name for path in sorted(folder.parent.glob("*/workflow.yaml"))]
            fix = did_you_mean(name, [each for each in beside if each != draft.bundle.folder.name], "bundle")
            problems.append(Problem("HL205", at, f"no bundle {name!r} beside this one", "the name of a bundle", fix))
        elif folder in above:
            trail = " -> ".join(path.name for path in (*above[above.index(folder) :], folder))
            message = f"a workflow cannot run itself: {trail}"
            problems.append(Problem("HL206", at, message, "a sub-run that ends", "use a loop"))
        else:
            found = _child(folder, progress)
            if isinstance(found, Compiled):
                draft.children[name] = found
                continue
            first = found.problems[0]
            message = f"the workflow {name!r} does not compile: {first.span.file}:{first.span.line}: {first.message}"
            fix = f"run `haul check {folder.name}`"
            problems.append(Problem("HL207", at, message, "a workflow that compiles", fix))


def _child(folder: Path, progress: _Progress) -> Compiled | Refused:
    """Compiled once, however often it is named."""
    if folder not in progress.done:
        try:
            progress.done[folder] = _compiled(folder, progress)
        except Refused as refused:
            progress.done[folder] = refused
    return progress.done[folder]
