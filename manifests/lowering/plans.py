"""The Plan, put together."""

from __future__ import annotations

from manifests import plan
from manifests.analysis import Analysis
from manifests.draft import Draft, Graph, Node
from manifests.lowering import specs
from manifests.lowering.bounds import CHILD_EVENTS, Bounds, partition, stated
from manifests.lowering.nodes import Lowering
from manifests.shape import workflow as shapes


def lower(found: Analysis) -> plan.Plan:
    """The plan of a draft that has passed every check."""
    draft, workflow = found.draft, found.draft.bundle.workflow.value
    agents, models = specs.agents(draft), specs.models(draft.bundle)
    children = {name: child.plan for name, child in sorted(draft.children.items())}
    lowering, bounds = Lowering(found), Bounds(agents, models, children)
    graph = _partitioned(lowering.graph(draft.graph), bounds)
    final = _partitioned(lowering.graph(draft.finally_), bounds) if draft.finally_ else None
    load = bounds.run([graph, *([final] if final else [])])
    return plan.Plan(
        name=workflow.name,
        version=workflow.version,
        description=workflow.description,
        input=draft.contracts.input,
        graph=graph,
        final=final,
        pipelines=_pipelines(draft, lowering),
        budget=specs.budget(workflow.budget),
        parallel=workflow.limits.parallel,
        call_limit=workflow.limits.calls,
        agents=agents,
        tools=specs.tools(draft),
        models=models,
        stores=specs.stores(draft.bundle),
        profiles=specs.profiles(draft.bundle),
        plugins=specs.plugins(draft.bundle),
        safe_modes=_safe_modes(draft),
        gates={risk: gate for file in draft.bundle.policies for risk, gate in file.value.gates.items()},
        segments=[segment for each in draft.graphs() for segment in _segments(each, lowering)],
        projections=_projections(found),
        children=children,
        bounds=stated(load, *_least(found)),
    )


def _partitioned(graph: plan.Graph, bounds: Bounds) -> plan.Graph:
    """Maps that would fill a history hand their items to child runs, so many to each."""
    nodes: list[plan.Node] = []
    for node in graph.nodes:
        if isinstance(node, plan.Map | plan.Loop) and node.body:
            node = node.model_copy(update={"body": _partitioned(node.body, bounds)})
        if isinstance(node, plan.Map):
            inside = bounds.graph(node.body).events if node.body else CHILD_EVENTS
            size = partition(inside, node.most)
            if size is not None:
                node = node.model_copy(update={"partition": size, "placement": "child"})
        nodes.append(node)
    return graph.model_copy(update={"nodes": nodes})


def _pipelines(draft: Draft, lowering: Lowering) -> list[plan.Pipeline]:
    return [
        plan.Pipeline(
            name=name,
            description=defined.value.description,
            when=defined.value.when,
            score=defined.value.score,
            ways=lowering.ways(draft.pipelines.get(name, draft.graph)),
        )
        for name, defined in sorted(draft.bundle.pipelines.items())
    ]


def _safe_modes(draft: Draft) -> dict[str, list[str]]:
    modes: dict[str, list[str]] = {"analysis_only": ["pure"], "dry_run": ["pure"]}
    for file in draft.bundle.policies:
        modes.update({mode: list(said.effects) for mode, said in file.value.modes.items()})
    return modes


def _segments(graph: Graph, lowering: Lowering) -> list[list[str]]:
    """Chains of neighbours that one local activity can carry out."""
    local = {name for name, node in graph.nodes.items() if lowering.placement(node) == "local"}
    after = {name: follower for name in sorted(local) if (follower := _only_follower(graph, name)) in local}
    segments: list[list[str]] = []
    for name in sorted(after.keys() - set(after.values())):
        chain = [name]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        segments.append([graph.nodes[each].path for each in chain])
    return segments


def _only_follower(graph: Graph, name: str) -> str:
    """The node that follows this one and nothing else, if there is just one."""
    out = graph.edges_out_of(name)
    if len(out) != 1 or not out[0].normal or len(graph.edges_into(out[0].target)) != 1:
        return ""
    return out[0].target


def _projections(found: Analysis) -> dict[str, list[str]]:
    """Per node the fields of its output that expressions read; an empty path is the whole of it."""
    read: dict[str, set[str]] = {}
    for use in found.data.uses:
        graph: Graph | None = use.graph
        while graph and use.read.root not in graph.nodes:
            graph = graph.owner.graph if graph.owner else None
        if graph:
            node: Node = graph.nodes[use.read.root]
            read.setdefault(node.path, set()).add(_fields(use.read.path))
    return {path: sorted(fields) for path, fields in sorted(read.items())}


def _fields(path: tuple[str | int, ...]) -> str:
    """The named fields from the root on; an index reads the list as a whole."""
    named: list[str] = []
    for step in path:
        if not isinstance(step, str):
            break
        named.append(step)
    return ".".join(named)


def _least(found: Analysis) -> tuple[int, int]:
    """Tokens and milliseconds that every run needs, whatever way and whichever pipeline it takes."""
    draft = found.draft
    ways = [draft.pipelines.get(name, draft.graph) for name in draft.bundle.pipelines] or [draft.graph]
    each = [_least_of(found, way) for way in ways]
    return min(tokens for tokens, _ in each), min(waiting for _, waiting in each)


def _least_of(found: Analysis, graph: Graph) -> tuple[int, int]:
    tokens = waiting = 0
    for name in found.flows[graph].surely_begun():
        spec = graph.nodes[name].spec
        if isinstance(spec, shapes.Agent) and spec.on_budget != "skip":
            prompt = found.draft.contracts.agents[spec.agent].prompt
            tokens += prompt.least_words + 1 if prompt else 1
        if isinstance(spec, shapes.Wait):
            waiting = max(waiting, spec.wait.for_ or 0)
    return tokens, waiting
