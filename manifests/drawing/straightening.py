"""The last touch to where vertices stand: whatever moves freely moves to where its arrows are straightest.

Single vertices and straight lines of them take turns; a move never makes the weighted length across any longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from manifests.drawing.alignment import Distance
from manifests.drawing.rows import Rows

ROUNDS = 6
FEW_ROUNDS, FEW_ABOVE = 2, 6_000
STRAIGHT = 0.01
PUSHES_BELOW = 2_500  # vertices
TRIED = 6  # places that a line may push its way to


def straightened(rows: Rows, centres: Sequence[float], distance: Distance) -> list[float]:
    """The centres again; neighbours in a row stay at least their distance apart."""
    lines = _Lines(rows, list(centres), distance)
    for _ in range(ROUNDS if len(centres) < FEW_ABOVE else FEW_ROUNDS):
        lines.move([vertex] for vertex in range(len(centres)))
        lines.move(lines.straight())
        if len(centres) < PUSHES_BELOW:
            lines.push(lines.straight())
    return lines.centres


def weighed(rows: Rows, vertex: int) -> list[tuple[int, int]]:
    """The neighbours, and how much it matters to stand straight with each: the way on most, detours least."""
    found = []
    for other in (*rows.above[vertex], *rows.below[vertex]):
        bends = sum(rows.is_bend(end) and end not in rows.only for end in (vertex, other))
        light = (vertex, other) in rows.light
        found.append((other, 32 if bends == 2 else 1 if light else 3 if bends else 8))
    return found


def wish(near: Iterable[tuple[float, int]], now: float) -> float:
    """The place nearest to this one among those that are equally short ways from the neighbours."""
    ways = sorted(near)
    half = sum(weight for _, weight in ways) / 2
    low = None
    for place, weight in ways:
        half -= weight
        if half <= 0 and low is None:
            low = place
        if half < 0:
            return min(max(now, place if low is None else low), place)
    return now if low is None else min(max(now, low), ways[-1][0])


class _Lines:
    def __init__(self, rows: Rows, centres: list[float], distance: Distance) -> None:
        self.rows, self.centres = rows, centres
        self.near = [weighed(rows, vertex) for vertex in range(len(centres))]
        self.left: dict[int, tuple[int, float]] = {}
        self.right: dict[int, tuple[int, float]] = {}
        for row in rows.order:
            for one, other in pairwise(row):
                apart = distance(one, other)
                self.right[one], self.left[other] = (other, apart), (one, apart)

    def straight(self) -> list[list[int]]:
        """What hangs together by straight stretches, one vertex in a row."""
        found: list[list[int]] = []
        seen = [False] * len(self.centres)
        for first in range(len(self.centres)):
            line = [] if seen[first] else [first]
            seen[first] = True
            for vertex in line:
                for other, _ in self.near[vertex]:
                    if not seen[other] and abs(self.centres[other] - self.centres[first]) < STRAIGHT:
                        seen[other] = True
                        line.append(other)
            if len(line) > 1:
                found.append(line)
        return found

    def push(self, lines: Sequence[Sequence[int]]) -> None:
        """Move each line where it would rather be together with all that is in its way, if that makes things better."""
        line_of = {vertex: line for line in lines for vertex in line}
        for line in lines:
            ways = sorted({way for way, _ in self._ways(line) if abs(way) > STRAIGHT}, key=abs)[:TRIED]
            moves = [self._pushed(line, way, line_of) for way in ways]
            gain, best = min(((self._change(move), number) for number, move in enumerate(moves)), default=(0.0, 0))
            if gain < -STRAIGHT:
                for vertex, way in moves[best].items():
                    self.centres[vertex] += way

    def _pushed(self, line: Sequence[int], way: float, line_of: Mapping[int, Sequence[int]]) -> dict[int, float]:
        """How far everything goes when the line goes this way; whoever is pushed takes its own line along."""
        side, beside = (1, self.right) if way > 0 else (-1, self.left)
        moved = dict.fromkeys(line, way)
        todo = list(line)
        for vertex in todo:
            if vertex not in beside:
                continue
            other, apart = beside[vertex]
            short = apart - (self.centres[other] - self.centres[vertex] - moved[vertex]) * side
            if short > abs(moved.get(other, 0.0)):
                for each in line_of.get(other, (other,)):
                    if short > abs(moved.get(each, 0.0)):
                        moved[each] = short * side
                        todo.append(each)
        return moved

    def _change(self, moved: Mapping[int, float]) -> float:
        """By how much the weighted length across grows."""
        change = 0.0
        for vertex, way in moved.items():
            for other, weight in self.near[vertex]:
                if other not in moved or vertex < other:
                    apart = self.centres[vertex] - self.centres[other]
                    change += weight * (abs(apart + way - moved.get(other, 0.0)) - abs(apart))
        return change

    def _ways(self, line: Sequence[int]) -> list[tuple[float, int]]:
        """How far it is to be straight with each neighbour outside, and how much that matters."""
        inside = set(line)
        return [
            (self.centres[other] - self.centres[vertex], weight)
            for vertex in line
            for other, weight in self.near[vertex]
            if other not in inside
        ]

    def move(self, lines: Iterable[Sequence[int]]) -> None:
        for line in lines:
            way = wish(self._ways(line), 0.0)
            if way < -STRAIGHT:
                way = max(way, -min(self._room(vertex, self.left, -1) for vertex in line))
            elif way > STRAIGHT:
                way = min(way, min(self._room(vertex, self.right, 1) for vertex in line))
            for vertex in line:
                self.centres[vertex] += way

    def _room(self, vertex: int, beside: dict[int, tuple[int, float]], side: int) -> float:
        if vertex not in beside:
            return float("inf")
        other, apart = beside[vertex]
        return max((self.centres[other] - self.centres[vertex]) * side - apart, 0.0)
