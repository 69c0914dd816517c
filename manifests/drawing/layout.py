"""Where everything goes: rows of boxes, bodies inside their boxes, arrows between borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from manifests.drawing.alignment import aligned
from manifests.drawing.crossings import untangle
from manifests.drawing.measures import HEADER, PADDING, box_size, flat, group_header_width, label_size
from manifests.drawing.picture import Arrow, Box, Direction, Group, Picture
from manifests.drawing.relaxation import relaxed
from manifests.drawing.rows import Rows, in_rows
from manifests.drawing.straightening import straightened

Point: TypeAlias = tuple[float, float]

BETWEEN = 26.0  # boxes side by side
BESIDE_BEND = 16.0
GAP = 44.0  # rows of boxes
LABEL_GAP = 20.0  # a row of labels and those around it
STEEP = 0.07  # how much wider a gap gets for each unit that an arrow goes sideways in it
MOST_GAP = 150.0
PORT = 16.0  # arrows at one side of a box


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def moved(self, x: float, y: float) -> Rect:
        return replace(self, x=self.x + x, y=self.y + y)


@dataclass(frozen=True, slots=True)
class Trace:
    """An arrow's points from border to border; between two of them it is straight along the flow, else a curve."""

    arrow: Arrow
    points: tuple[Point, ...]
    label: Rect | None = None

    def moved(self, x: float, y: float) -> Trace:
        points = tuple((each_x + x, each_y + y) for each_x, each_y in self.points)
        return Trace(self.arrow, points, self.label.moved(x, y) if self.label else None)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Boxes, the outer before the inner, and arrows, all in one system of coordinates."""

    width: float
    height: float
    direction: Direction
    boxes: tuple[tuple[Box, Rect], ...] = ()
    traces: tuple[Trace, ...] = ()

    def moved(self, x: float, y: float) -> Sheet:
        boxes = tuple((box, rect.moved(x, y)) for box, rect in self.boxes)
        return replace(self, boxes=boxes, traces=tuple(trace.moved(x, y) for trace in self.traces))


def laid_out(picture: Picture) -> Sheet:
    """The whole picture, its final box after the rest."""
    sheet = _sheet(picture.main, picture.direction)
    if picture.final is None:
        return sheet
    final = _sheet(Group((picture.final,)), picture.direction)
    if picture.direction == "down":
        width, height = max(sheet.width, final.width), sheet.height + GAP + final.height
        parts = [
            sheet.moved((width - sheet.width) / 2, 0),
            final.moved((width - final.width) / 2, sheet.height + GAP),
        ]
    else:
        width, height = sheet.width + GAP + final.width, max(sheet.height, final.height)
        parts = [
            sheet.moved(0, (height - sheet.height) / 2),
            final.moved(sheet.width + GAP, (height - final.height) / 2),
        ]
    return _joined(width, height, picture.direction, parts)


def _joined(width: float, height: float, direction: Direction, parts: Sequence[Sheet]) -> Sheet:
    boxes = tuple(each for part in parts for each in part.boxes)
    return Sheet(width, height, direction, boxes, tuple(trace for part in parts for trace in part.traces))


def _sheet(group: Group, direction: Direction) -> Sheet:
    inside = {box.id: _sheet(box.body, direction) for box in group.boxes if box.body}
    sizes = [_around(box, inside[box.id]) if box.id in inside else box_size(box) for box in group.boxes]
    level = _Level(group, sizes, direction)
    width, height, rects, traces = level.drawn()
    boxes: list[tuple[Box, Rect]] = []
    for box, rect in zip(group.boxes, rects, strict=True):
        boxes.append((box, rect))
        if box.id in inside:
            body = inside[box.id]
            body = body.moved(rect.x + (rect.width - body.width) / 2, rect.y + HEADER)
            boxes += body.boxes
            traces += body.traces
    return Sheet(width, height, direction, tuple(boxes), tuple(traces))


def _around(box: Box, body: Sheet) -> tuple[float, float]:
    return max(body.width + 2 * PADDING, group_header_width(box)), body.height + HEADER + PADDING


class _Level:
    """One graph. Inside, a place is (across, along): across the rows' flow and along it; outside it is (x, y)."""

    def __init__(self, group: Group, sizes: Sequence[tuple[float, float]], direction: Direction) -> None:
        self.group, self.direction = group, direction
        numbers = {box.id: number for number, box in enumerate(group.boxes)}
        self.pairs = [(numbers[arrow.source], numbers[arrow.target]) for arrow in group.arrows]
        labelled = [bool(arrow.label) for arrow in group.arrows]
        self.rows = in_rows(len(sizes), self.pairs, labelled, _detours(group))
        untangle(self.rows)
        self.sizes = [self._turned(size) for size in sizes]
        for vertex in range(len(sizes), len(self.rows.row)):
            label = self.rows.labels.get(vertex)
            self.sizes.append((0.0, 0.0) if label is None else self._turned(label_size(group.arrows[label].label)))
        centres = relaxed(self.rows, aligned(self.rows, self._distance), self._distance)
        self.centres = straightened(self.rows, centres, self._distance)
        self.lines = self._along()

    def drawn(self) -> tuple[float, float, list[Rect], list[Trace]]:
        start = min((self._edge(vertex, -1) for vertex in range(len(self.centres))), default=0.0)
        self.centres = [centre - start for centre in self.centres]
        across = max((self._edge(vertex, 1) for vertex in range(len(self.centres))), default=0.0)
        rects = [self._rect(vertex) for vertex in range(self.rows.count)]
        traces = list(self._traces())
        width, height = self._turned((across, self.lines[-1][1] if self.lines else 0.0))
        return width, height, rects, traces

    def _turned(self, pair: tuple[float, float]) -> tuple[float, float]:
        return pair if self.direction == "down" else (pair[1], pair[0])

    def _edge(self, vertex: int, side: int) -> float:
        return self.centres[vertex] + side * self.sizes[vertex][0] / 2

    def _distance(self, left: int, right: int) -> float:
        bends = self.rows.is_bend(left) or self.rows.is_bend(right)
        return (self.sizes[left][0] + self.sizes[right][0]) / 2 + (BESIDE_BEND if bends else BETWEEN)

    def _along(self) -> list[tuple[float, float]]:
        """Where each row begins and ends."""
        spoken = {self.rows.row[vertex] for vertex in self.rows.labels}
        lines: list[tuple[float, float]] = []
        at = 0.0
        for number, row in enumerate(self.rows.order):
            if number:
                plain = LABEL_GAP if {number, number - 1} & spoken else GAP
                sideways = max(self._sideways(row), default=0.0)
                at += min(plain + STEEP * sideways, MOST_GAP)
            thick = max((self.sizes[vertex][1] for vertex in row), default=0.0)
            lines.append((at, at + thick))
            at += thick
        return lines

    def _sideways(self, row: Iterable[int]) -> Iterator[float]:
        for vertex in row:
            for upper in self.rows.above[vertex]:
                yield abs(self.centres[vertex] - self.centres[upper])

    def _rect(self, vertex: int) -> Rect:
        begin, end = self.lines[self.rows.row[vertex]]
        (across, along), centre = self.sizes[vertex], self.centres[vertex]
        corner = self._turned((centre - across / 2, (begin + end - along) / 2))
        return Rect(*corner, *self._turned(self.sizes[vertex]))

    def _traces(self) -> Iterator[Trace]:
        ports = _Ports(self.rows, self.centres, [self._room(vertex) for vertex in range(self.rows.count)])
        leaving = ports.of(0)
        arriving = ports.of(-1)
        labels = {number: vertex for vertex, number in self.rows.labels.items()}
        for number, (arrow, chain) in enumerate(zip(self.group.arrows, self.rows.chains, strict=True)):
            points = list(self._points(chain, leaving[number], arriving[number]))
            if chain[0] != self.pairs[number][0]:
                points.reverse()
            label = self._rect(labels[number]) if number in labels else None
            yield Trace(arrow, tuple(map(self._turned, points)), label)

    def _room(self, vertex: int) -> float:
        """How far from its centre a box may be entered or left."""
        return max(self.sizes[vertex][0] / 2 - flat(self.group.boxes[vertex], self.direction), 0.0)

    def _points(self, chain: Sequence[int], first: float, last: float) -> Iterator[Point]:
        """Along the flow inside a row, where there is nothing else at this place, and across only between rows."""
        for vertex in chain:
            begin, end = self.lines[self.rows.row[vertex]]
            inset = (end - begin - self.sizes[vertex][1]) / 2
            if vertex == chain[0]:
                yield first, end - inset
                if inset:
                    yield first, end
            elif vertex == chain[-1]:
                if inset:
                    yield last, begin
                yield last, begin + inset
            else:
                yield self.centres[vertex], begin
                if end > begin:
                    yield self.centres[vertex], end


def _detours(group: Group) -> list[bool]:
    """For each arrow whether it gives way to others: failures, what only they lead to, and what is faint."""
    after: dict[str, list[str]] = {}
    for arrow in group.arrows:
        if arrow.sort != "failure" and not arrow.faint:
            after.setdefault(arrow.source, []).append(arrow.target)
    reached = {arrow.target for arrow in group.arrows if not arrow.faint}
    main = [box.id for box in group.boxes if box.id not in reached]
    seen = set(main)
    for box in main:
        fresh = [target for target in after.get(box, ()) if target not in seen]
        seen.update(fresh)
        main += dict.fromkeys(fresh)
    return [arrow.sort == "failure" or arrow.faint or arrow.source not in seen for arrow in group.arrows]


class _Ports:
    """Where arrows touch their boxes: side by side in the order of where they go, a straight one in the middle."""

    def __init__(self, rows: Rows, centres: Sequence[float], room: Sequence[float]) -> None:
        self.rows, self.centres, self.room = rows, centres, room

    def of(self, end: int) -> Mapping[int, float]:
        """By arrow, for the end of its chain with that index."""
        at: dict[int, list[tuple[float, int]]] = {}
        for number, chain in enumerate(self.rows.chains):
            at.setdefault(chain[end], []).append((self.centres[chain[1 if end == 0 else -2]], number))
        return {number: place for box, ways in at.items() for number, place in self._spread(box, sorted(ways)).items()}

    def _spread(self, box: int, ways: Sequence[tuple[float, int]]) -> dict[int, float]:
        centre, last = self.centres[box], len(ways) - 1
        nearest = min(range(len(ways)), key=lambda way: abs(ways[way][0] - centre))
        straight = abs(ways[nearest][0] - centre) < 1.0
        middle = float(nearest) if straight else last / 2
        step = min(PORT, self.room[box] / max(middle, last - middle, 1.0))
        return {number: centre + (way - middle) * step for way, (_, number) in enumerate(ways)}
