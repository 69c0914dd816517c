"""What an expression or a prompt reads must be there when it is read."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.analysis import Analysis
from manifests.dataflow import Use
from manifests.draft import Graph, Node
from manifests.flow import Flow
from manifests.problems import Problem, nearest
from manifests.shape import workflow as shapes


def nodes_are_read_after_they_ran(found: Analysis) -> Iterator[Problem]:
    for use in found.data.uses:
        yield from _checked(found, use, use.graph, use.reader)


def _checked(found: Analysis, use: Use, graph: Graph, reader: str | None) -> Iterator[Problem]:
    """Looks for the graph that the name belongs to, from the inside out."""
    after = use.after
    while use.read.root not in graph.nodes:
        if use.read.root == "error":
            yield from _error(found, use, graph, reader)
        owner = graph.owner
        if owner is None:
            if graph.role == "final" and not use.read.guarded and use.read.root == "error":
                yield _absent(use, "there is an error in `finally` only if something failed")
            if graph.role == "final" and not use.read.guarded and use.read.root in found.draft.graph.nodes:
                yield _absent(use, f"{use.read.root!r} may not have run when `finally` does")
            return
        graph, reader, after = owner.graph, owner.id, False
    flow = found.flows[graph]
    if flow.cycle is None and not graph.incomplete:
        yield from _in_flow(use, flow, reader, after)
        if graph is found.draft.graph:
            yield from _in_pipelines(found, use, reader, after)


def _in_flow(use: Use, flow: Flow, reader: str | None, after: bool) -> Iterator[Problem]:
    name = use.read.root
    if after and name == reader:
        return
    if not flow.is_before(name, reader):
        message = f"{reader!r} reads {name!r}, which does not run before it"
        fix = f"lead an edge from {name!r} to {reader!r}, or read another node"
        if reader == name:
            message, fix = f"{name!r} reads itself", "read a node before it, or `loop.NAME` inside a loop"
        yield Problem("HL310", use.at, message, "a node that runs before", fix)
    elif not _is_there(flow, name, reader) and not use.read.guarded:
        yield _absent(use, f"{name!r} may not have run here: it can be skipped, or fail and be handled")


def _is_there(flow: Flow, name: str, reader: str | None) -> bool:
    return flow.surely_ran(name, reader) or flow.graph.nodes[name].spec.when_skipped is not None


def _absent(use: Use, message: str) -> Problem:
    name = ".".join([use.read.root, *[str(step) for step in use.read.path[:1]]])
    if not use.read.path:
        fix = f"give {name!r} a `when_skipped`, or read a field of it behind has()"
    else:
        fix = f"write `has({name}) ? {name} : …`, or `{use.read.root}.?{use.read.path[0]}.orValue(…)`"
    return Problem("HL311", use.at, message, "has(…), an optional, or a node that surely ran", fix)


def _in_pipelines(found: Analysis, use: Use, reader: str | None, after: bool) -> Iterator[Problem]:
    name, main = use.read.root, found.flows[found.draft.graph]
    for pipeline, graph in found.draft.pipelines.items():
        flow = found.flows[graph]
        if use.read.guarded or flow.cycle is not None or (reader is not None and reader not in graph.nodes):
            continue
        if name not in graph.nodes and found.draft.graph.nodes[name].spec.when_skipped is not None:
            continue
        if name not in graph.nodes:
            yield _absent(use, f"pipeline {pipeline!r} leaves {name!r} out")
        elif after and name == reader:
            continue
        elif flow.is_before(name, reader) and _is_there(main, name, reader) and not _is_there(flow, name, reader):
            yield _absent(use, f"in pipeline {pipeline!r} {name!r} may not have run here")


def _error(found: Analysis, use: Use, graph: Graph, reader: str | None) -> Iterator[Problem]:
    flow = found.flows[graph]
    targets = {target for node in graph.nodes for target in flow.routes.after(node)}
    if reader in targets and not use.read.guarded and any(edge.normal for edge in graph.edges_into(reader)):
        yield _absent(use, f"{reader!r} is also reached when nothing failed, and then there is no error")


def prompts_get_what_they_want(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        name = _agent(node)
        contract = found.draft.contracts.agents.get(name or "")
        if contract is None or contract.prompt is None:
            continue
        for variable in sorted(contract.prompt.needs - node.spec.with_.keys()):
            at = node.at / "with" if node.spec.with_ else node.at.key
            fix = f"add `{variable}: …` under `with`"
            near = nearest(variable, [key for key in node.spec.with_ if key not in contract.prompt.knows])
            if near is not None:
                at, fix = (node.at / "with" / near).key, f"rename {near!r} to {variable!r}"
            message = f"the prompt of {name!r} wants {variable!r}, which {node.id!r} does not pass"
            where = contract.prompt.place_of(variable).span
            yield Problem("HL332", at, message, f"{variable!r}, read in {where.file}:{where.line}", fix)


def _agent(node: Node) -> str | None:
    match node.spec:
        case shapes.Agent(agent=name):
            return name
        case shapes.Plan(plan=planning):
            return planning.agent
    return None


CHECKS = (nodes_are_read_after_they_ran, prompts_get_what_they_want)
