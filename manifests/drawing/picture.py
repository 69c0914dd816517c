"""A plan as boxes and arrows, before any format: what Mermaid, Graphviz and SVG are written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from manifests.drawing.captions import caption, remarks
from manifests.drawing.lettering import clipped, plain
from manifests.drawing.ranks import ranks
from manifests.failures import CATEGORIES, FAILS_IN, GROUPS, JSON
from manifests.plan import Edge, Graph, Node, Plan, Ways, body_of

Sort: TypeAlias = Literal["normal", "choice", "else", "failure"]
Direction: TypeAlias = Literal["down", "right"]

LABEL = 34  # characters of a condition that are shown
SHOWN_CATEGORIES = 3
WIDE = 8  # boxes side by side from which a picture may turn
ASPECT = 5  # and how many times more they must be than the steps of the graph


@dataclass(frozen=True, slots=True)
class Box:
    """A node; `id` is unique in the picture. A box with a `body` is drawn around it."""

    id: str
    kind: str
    name: str
    lines: tuple[str, ...] = ()
    placement: str = ""
    about: str = ""
    faint: bool = False
    body: Group | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way from box to box; `full` is the label before it was shortened."""

    source: str
    target: str
    sort: Sort = "normal"
    label: str = ""
    full: str = ""
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()

    def walk(self) -> Iterator[Box]:
        """Every box, those of bodies after the box they are in."""
        for box in self.boxes:
            yield box
            if box.body:
                yield from box.body.walk()

    def all_arrows(self) -> Iterator[Arrow]:
        """Every arrow, those of bodies too, outer ones first."""
        yield from self.arrows
        for box in self.boxes:
            if box.body:
                yield from box.body.all_arrows()


@dataclass(frozen=True, slots=True)
class Picture:
    """`final`, a box with a body, holds what runs on every exit."""

    title: str
    about: str
    main: Group
    final: Box | None = None
    pipeline: str | None = None
    direction: Direction = "down"

    @property
    def whole(self) -> Group:
        """Everything, with the final box last."""
        return Group((*self.main.boxes, self.final), self.main.arrows) if self.final else self.main


def pictured(plan: Plan, pipeline: str | None = None) -> Picture:
    """The picture of a plan; what a pipeline leaves out is faint."""
    chosen = next((each for each in plan.pipelines if each.name == pipeline), None)
    if pipeline is not None and chosen is None:
        raise ValueError(f"plan {plan.name!r} has no pipeline {pipeline!r}")
    main = _group(plan.graph, "main", chosen.ways if chosen else None)
    final = None
    if plan.final and plan.final.nodes:
        final = Box("final", "finally", "finally", ("on every exit",), body=_group(plan.final, "final"))
    return Picture(
        title=plain(f"{plan.name} {plan.version}"),
        about=plain(plan.description or ""),
        main=main,
        final=final,
        pipeline=plain(chosen.name) if chosen else None,
        direction=_direction(main),
    )


def _group(graph: Graph, place: str, chosen: Ways | None = None, faint: bool = False) -> Group:
    """`chosen` are the ways of a pipeline; those of the graph that it leaves out are faint."""
    kept = set(chosen.nodes) if chosen else set()
    arrows = dict.fromkeys(_arrows(graph, chosen or graph.ways, place, faint))
    if chosen:
        told = {(arrow.source, arrow.target, arrow.sort, arrow.full) for arrow in arrows}
        rest = _arrows(graph, graph.ways, place, faint=True)
        arrows |= dict.fromkeys(a for a in rest if (a.source, a.target, a.sort, a.full) not in told)
    boxes = [_box(node, place, faint or (chosen is not None and node.id not in kept)) for node in graph.nodes]
    return Group(tuple(boxes), tuple(arrows))


def _box(node: Node, place: str, faint: bool) -> Box:
    path = f"{place}/{node.id}"
    body = body_of(node)
    return Box(
        id=path,
        kind=node.kind,
        name=plain(node.id),
        lines=tuple(plain(line) for line in [caption(node), *remarks(node)]),
        placement=node.placement,
        about=plain(node.description or ""),
        faint=faint,
        body=_group(body, path, faint=faint) if body and body.nodes else None,
    )


def _arrows(graph: Graph, ways: Ways, place: str, faint: bool) -> Iterator[Arrow]:
    for edge in ways.edges:
        if _is_drawn(graph, edge.source, edge.target):
            sort, full = _said(edge)
            yield Arrow(f"{place}/{edge.source}", f"{place}/{edge.target}", sort, clipped(full, LABEL), full, faint)
    for source, handled in ways.failures.items():
        for target in dict.fromkeys(handled.values()):
            if _is_drawn(graph, source, target):
                labels = _categories(graph.by_id[source].kind, handled, target)
                yield Arrow(
                    f"{place}/{source}", f"{place}/{target}", "failure", _listed(labels), ", ".join(labels), faint
                )


def _is_drawn(graph: Graph, source: str, target: str) -> bool:
    return source != target and source in graph.by_id and target in graph.by_id


def _said(edge: Edge) -> tuple[Sort, str]:
    if edge.otherwise:
        return "else", "else"
    return ("choice", plain(edge.when)) if edge.when else ("normal", "")


def _categories(kind: str, handled: Mapping[str, str], target: str) -> list[str]:
    """The failures that lead to the target: `error` for all or all others, `json` for its three."""
    mine = [category for category in handled if handled[category] == target]
    if set(FAILS_IN.get(kind, CATEGORIES)) & set(GROUPS["error"]) <= handled.keys() and 2 * len(mine) > len(handled):
        return ["error"]
    if set(JSON) <= set(mine):
        mine = [*(category for category in mine if category not in JSON), "json"]
    order = [*CATEGORIES, "json"]
    return sorted(mine, key=lambda category: order.index(category) if category in order else len(order))


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - SHOWN_CATEGORIES
    if more > 1:
        return f"{', '.join(labels[:SHOWN_CATEGORIES])} +{more}"
    return ", ".join(labels)


def _direction(group: Group) -> Direction:
    """Down, as one reads; to the right when the picture would be a very wide strip."""
    numbers = {box.id: number for number, box in enumerate(group.boxes)}
    if not group.arrows:
        return "down"
    found = ranks(len(numbers), [(numbers[arrow.source], numbers[arrow.target]) for arrow in group.arrows])
    breadth = max(found.count(rank) for rank in set(found))
    return "right" if breadth >= WIDE and breadth > ASPECT * len(set(found)) else "down"
