"""A bundle as graphs of nodes and edges, with every name looked up: what is checked and lowered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from manifests.problems import Problem, did_you_mean
from manifests.shape import workflow as shapes
from manifests.source import Place

if TYPE_CHECKING:
    from manifests.bundle import Bundle
    from manifests.compiler import Compiled
    from manifests.contracts import Contracts

N = TypeVar("N", bound=shapes.Common)

RESERVED = frozenset(
    """
    input run error item index loop inputs output LOOP true false null in as break const continue else for function
    if import let package namespace return var void while
    """.split()  # noqa: SIM905
)
_LINK = re.compile(r"\s*->\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(eq=False)
class Node:
    """A node, in the graph that it stands in; `bodies` are the graphs inside it."""

    id: str
    spec: shapes.Common
    at: Place
    graph: Graph
    bodies: list[Graph] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return _KIND_NAMES[type(self.spec)]

    @cached_property
    def path(self) -> str:
        owner = self.graph.owner
        return f"{owner.path}/{self.id}" if owner else self.id

    @property
    def own_names(self) -> tuple[str, ...]:
        """What means another thing inside it than around it."""
        return (self.spec.map.as_, "index") if isinstance(self.spec, shapes.Map) else ("loop", "index")

    def sub_runs(self) -> Iterator[tuple[str, Place]]:
        """The workflows that it runs, each with the place that names it."""
        match self.spec:
            case shapes.Subflow(workflow=name):
                yield name, self.at / "workflow"
            case shapes.Map(map=mapping) if isinstance(mapping.do, shapes.Run):
                yield mapping.do.workflow, self.at / "map" / "do" / "workflow"
            case shapes.Loop(loop=looping) if isinstance(looping.do, shapes.Run):
                yield looping.do.workflow, self.at / "loop" / "do" / "workflow"


_KIND_NAMES = {model: name for name, model in shapes.NODE_KINDS.items()}


@dataclass(eq=False, frozen=True)
class Edge:
    """A way from one node to another: normal, chosen by a decision, or taken on failure."""

    source: str
    target: str
    at: Place
    from_at: Place
    to_at: Place
    when: str | None = None
    otherwise: bool = False
    on: tuple[str, ...] = ()

    @property
    def normal(self) -> bool:
        return not self.on


@dataclass(eq=False)
class Graph:
    """Nodes and edges of a workflow, of the body of a map or loop, or of what remains of them in a pipeline."""

    at: Place
    nodes: dict[str, Node]
    edges: list[Edge]
    output: Any = None
    owner: Node | None = None
    pipeline: str | None = None
    role: str = "main"
    # Some edge could not be drawn: what follows from the shape of the graph is not worth saying.
    incomplete: bool = False

    @cached_property
    def _into(self) -> dict[str, list[Edge]]:
        return self._grouped("target")

    @cached_property
    def _out_of(self) -> dict[str, list[Edge]]:
        return self._grouped("source")

    def _grouped(self, end: str) -> dict[str, list[Edge]]:
        groups: dict[str, list[Edge]] = {}
        for edge in self.edges:
            groups.setdefault(getattr(edge, end), []).append(edge)
        return groups

    def edges_into(self, node: str) -> list[Edge]:
        return self._into.get(node, [])

    def edges_out_of(self, node: str) -> list[Edge]:
        return self._out_of.get(node, [])

    def brings(self, edge: Edge) -> bool:
        """Whether a way in has something for a merge; decisions choose and give nothing, and neither do failures."""
        return edge.normal and not isinstance(self.nodes[edge.source].spec, shapes.Decision)

    def entries(self) -> list[str]:
        return [node for node in self.nodes if not self.edges_into(node)]

    def last(self) -> list[str]:
        """Nodes after which nothing normally follows."""
        return [node for node in self.nodes if not any(edge.normal for edge in self.edges_out_of(node))]

    def nodes_of(self, model: type[N]) -> Iterator[tuple[Node, N]]:
        for node in self.nodes.values():
            if isinstance(node.spec, model):
                yield node, node.spec

    def without(self, left_out: set[str], pipeline: str) -> Graph:
        """The graph in which what led to a node that is left out leads to what follows it."""
        orphans = self._orphans(left_out)
        nodes = {name: node for name, node in self.nodes.items() if name not in left_out | orphans}
        edges: dict[tuple[Any, ...], Edge] = {}
        for edge in self.edges:
            if edge.source in left_out | orphans:
                continue
            for target in self._next_kept(edge.target, left_out):
                key = (edge.source, target, edge.when, edge.otherwise, edge.on)
                edges.setdefault(key, edge if target == edge.target else replace(edge, target=target))
        kept = list(edges.values())
        return Graph(self.at, nodes, kept, self.output, self.owner, pipeline, self.role, self.incomplete)

    def _orphans(self, left_out: set[str]) -> set[str]:
        """Nodes that only failures of left-out nodes lead to, and those that only they lead to."""
        orphans: set[str] = set()
        while True:
            more = {
                node
                for node in self.nodes.keys() - left_out - orphans
                if self.edges_into(node)
                and all(e.source in orphans or (e.source in left_out and e.on) for e in self.edges_into(node))
            }
            if not more:
                return orphans
            orphans |= more

    def _next_kept(self, node: str, left_out: set[str]) -> list[str]:
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [node]
        while waiting:
            current = waiting.pop(0)
            if current not in left_out:
                found[current] = None
            elif current not in seen:
                seen.add(current)
                waiting += [edge.target for edge in self.edges_out_of(current) if edge.normal]
        return list(found)


@dataclass(eq=False)
class Draft:
    """The resolved bundle; `broken` names the files that could not be read, whose names nobody should miss."""

    bundle: Bundle
    graph: Graph
    contracts: Contracts
    finally_: Graph | None = None
    pipelines: dict[str, Graph] = field(default_factory=dict)
    children: dict[str, Compiled] = field(default_factory=dict)
    schemas: dict[Place, dict[str, Any]] = field(default_factory=dict)

    def schema_at(self, at: Place) -> dict[str, Any] | None:
        """The schema written at a place of a node, if it can be read."""
        return self.schemas.get(at)

    def graphs(self) -> Iterator[Graph]:
        """Every graph: the main one, `finally`, and the bodies, from the outside in."""
        waiting = [self.graph, *([self.finally_] if self.finally_ else [])]
        while waiting:
            graph = waiting.pop(0)
            yield graph
            for node in graph.nodes.values():
                waiting += node.bodies

    def nodes(self) -> Iterator[Node]:
        for graph in self.graphs():
            yield from graph.nodes.values()


def drawn(
    body: shapes.Body | shapes.WorkflowFile, at: Place, problems: list[Problem], owner: Node | None, role: str = "main"
) -> Graph:
    """The graph of a workflow or a body, with edges between nodes that exist and bodies drawn in turn."""
    graph = Graph(at, {}, [], body.output, owner, role=role)
    nodes_at = at / ("templates" if role == "templates" else "nodes")
    for name, spec in body.nodes.items():
        node = Node(name, spec, nodes_at / name, graph)
        graph.nodes[name] = node
        problems.extend(_name_problems(node))
        problems.extend(_element_problems(node))
        for inner, inner_at in _bodies(node):
            role = "templates" if isinstance(spec, shapes.Plan) else "body"
            node.bodies.append(drawn(inner, inner_at, problems, node, role))
    for index, written in enumerate(body.edges):
        drawn_edges = list(_edges(written, at / "edges" / index, problems))
        graph.incomplete |= not drawn_edges
        for edge in drawn_edges:
            if _ends_exist(edge, graph, problems):
                graph.edges.append(edge)
            else:
                graph.incomplete = True
    return graph


def _bodies(node: Node) -> Iterator[tuple[shapes.Body, Place]]:
    match node.spec:
        case shapes.Map(map=spec) if isinstance(spec.do, shapes.Body):
            yield spec.do, node.at / "map" / "do"
        case shapes.Loop(loop=looping) if isinstance(looping.do, shapes.Body):
            yield looping.do, node.at / "loop" / "do"
        case shapes.Plan(plan=planning):
            yield shapes.Body.model_construct(nodes=planning.templates), node.at / "plan"


def _name_problems(node: Node) -> Iterator[Problem]:
    if node.id in RESERVED:
        fix = f"call it {node.id.lower()}_ or something better"
        yield Problem("HL202", node.at.key, f"{node.id!r} means something in expressions", "another name", fix)
    owner = node.graph.owner
    while owner:
        if node.id in owner.graph.nodes:
            outer = owner.graph.nodes[node.id].at.key.span
            message = f"node {node.id!r} hides the one in line {outer.line}"
            yield Problem("HL201", node.at.key, message, "a name of its own", "rename one of them")
        owner = owner.graph.owner


def _element_problems(node: Node) -> Iterator[Problem]:
    """The element of a map is a name like any other inside its body."""
    if not isinstance(node.spec, shapes.Map) or node.spec.map.as_ == "item":
        return
    name, at = node.spec.map.as_, node.at / "map" / "as"
    if name in RESERVED:
        yield Problem("HL202", at, f"{name!r} means something in expressions", "another name", f"call it {name}_")
    graph: Graph | None = node.graph
    while graph:
        if name in graph.nodes:
            yield Problem("HL201", at, f"{name!r} is the name of a node", "a name of its own", "rename one of them")
        graph = graph.owner.graph if graph.owner else None


def _edges(written: shapes.Arrow | str, at: Place, problems: list[Problem]) -> Iterator[Edge]:
    if isinstance(written, shapes.Arrow):
        on = (written.on,) if isinstance(written.on, str) else tuple(written.on or ())
        ends = (at / "from", at / "to")
        yield Edge(written.from_, written.to, at, *ends, when=written.when, otherwise=bool(written.else_), on=on)
        return
    names: list[tuple[str, Place]] = []
    start = 0
    for link in [*_LINK.finditer(written), None]:
        end = link.start() if link else len(written)
        name = written[start:end].strip()
        lead = len(written[start:end]) - len(written[start:end].lstrip())
        names.append((name, at.within(start + lead, max(end, start + lead + 1))))
        start = link.end() if link else end
    if len(names) < 2 or not all(_NAME.fullmatch(name) for name, _ in names):
        fix = _several(names) or "write it like `a -> b`, or as `{from: a, to: b}`"
        problems.append(Problem("HL203", at, f"{written!r} is not an edge", "names joined by ->", fix))
        return
    for (source, from_at), (target, to_at) in pairwise(names):
        yield Edge(source, target, to_at, from_at, to_at)


def _several(names: list[tuple[str, Place]]) -> str:
    """The way out where a link of a chain is a list of names."""
    links = [[name.strip() for name in text.strip("[]() ").split(",")] for text, _ in names]
    if max(len(link) for link in links) == 1 or not all(_NAME.fullmatch(name) for link in links for name in link):
        return ""
    ways = [f"`- {start} -> {end}`" for starts, ends in pairwise(links) for start in starts for end in ends]
    shown = ", ".join(ways[:6]) + (", …" if len(ways) > 6 else "")
    return f"an edge leads from one node to one; write several: {shown}" if ways else ""


def _ends_exist(edge: Edge, graph: Graph, problems: list[Problem]) -> bool:
    missing = [
        (end, at) for end, at in ((edge.source, edge.from_at), (edge.target, edge.to_at)) if end not in graph.nodes
    ]
    for end, at in missing:
        fix = did_you_mean(end, graph.nodes, "node")
        problems.append(Problem("HL204", at, f"no node {end!r} here", "a node of the same graph", fix))
    return not missing
