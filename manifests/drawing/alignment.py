"""Where in its row each vertex stands, so that chains are straight: Brandes and Köpf's method, with widths.

Four extreme placements (towards upper or lower neighbours, packed to the left or right), and the mean of the middle
two of them for each vertex; every placement keeps the distances, so their mean does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

from manifests.drawing.ranks import Pair
from manifests.drawing.rows import Rows

Distance: TypeAlias = Callable[[int, int], float]


def aligned(rows: Rows, distance: Distance) -> list[float]:
    """The centre of each vertex; neighbours in a row are at least their distance apart."""
    conflicts = _conflicts(rows)
    placements = []
    for downwards in (True, False):
        for leftwards in (True, False):
            order = [row if leftwards else row[::-1] for row in (rows.order if downwards else rows.order[::-1])]
            near = rows.above if downwards else rows.below
            centres = _packed(order, _blocks(order, _strong(near, rows.light), conflicts), distance)
            placements.append(centres if leftwards else [-centre for centre in centres])
    return _balanced(placements)


def _conflicts(rows: Rows) -> set[Pair]:
    """Arrows that cross a stretch between two bends: the bends stay straight, the arrows give way."""
    place = [0] * len(rows.row)
    for row in rows.order:
        for position, vertex in enumerate(row):
            place[vertex] = position
    found: set[Pair] = set()
    for upper, lower in pairwise(rows.order):
        first, start = -1, 0
        for end, vertex in enumerate(lower):
            inner = next((each for each in rows.above[vertex] if _is_inner(rows, each, vertex)), None)
            if inner is None and end < len(lower) - 1:
                continue
            last = len(upper) if inner is None else place[inner]
            for crossed in lower[start : end + 1]:
                for each in rows.above[crossed]:
                    if not first <= place[each] <= last and not _is_inner(rows, each, crossed):
                        found.add((each, crossed))
            first, start = last, end + 1
    return found


def _is_inner(rows: Rows, upper: int, lower: int) -> bool:
    return rows.is_bend(upper) and rows.is_bend(lower)


def _strong(near: Sequence[Sequence[int]], light: set[Pair]) -> list[list[int]]:
    """The neighbours to stand straight with: those by arrows that give way only where there are no others."""
    found = []
    for vertex, ways in enumerate(near):
        strong = [way for way in ways if (vertex, way) not in light]
        found.append(strong or list(ways))
    return found


def _blocks(order: Sequence[Sequence[int]], near: Sequence[Sequence[int]], conflicts: set[Pair]) -> list[int]:
    """For each vertex the first one of the straight line it is in."""
    count = len(near)
    place = [0] * count
    for row in order:
        for position, vertex in enumerate(row):
            place[vertex] = position
    root = list(range(count))
    taken = [False] * count
    for row in order:
        rightmost = -1
        for vertex in row:
            ways = sorted(near[vertex], key=place.__getitem__)
            if not ways:
                continue
            middle = (len(ways) - 1) // 2
            for way in ways[middle : len(ways) // 2 + 1]:
                free = (way, vertex) not in conflicts and (vertex, way) not in conflicts
                if root[vertex] == vertex and free and not taken[way] and place[way] > rightmost:
                    root[vertex] = root[way]
                    taken[way] = True
                    rightmost = place[way]
    return root


def _packed(order: Sequence[Sequence[int]], root: list[int], distance: Distance) -> list[float]:
    """Every block as far to the left as those before it allow, then as near to those after it as they allow."""
    after: dict[int, dict[int, float]] = {block: {} for block in root}
    waits = dict.fromkeys(after, 0)
    for row in order:
        for left, right in pairwise(row):
            apart, ways = distance(left, right), after[root[left]]
            if root[right] not in ways:
                waits[root[right]] += 1
            ways[root[right]] = max(apart, ways.get(root[right], 0.0))
    ready = [block for block in after if not waits[block]]
    centre = dict.fromkeys(after, 0.0)
    for block in ready:
        for right, apart in after[block].items():
            centre[right] = max(centre[right], centre[block] + apart)
            waits[right] -= 1
            if not waits[right]:
                ready.append(right)
    for block in reversed(ready):
        if after[block]:
            centre[block] = max(centre[block], min(centre[right] - apart for right, apart in after[block].items()))
    return [centre[block] for block in root]


def _balanced(placements: Sequence[Sequence[float]]) -> list[float]:
    """The four brought to the edges of the narrowest, then the mean of the middle two."""
    if not placements[0]:
        return []
    spans = [(min(each), max(each)) for each in placements]
    low, high = min(spans, key=lambda span: span[1] - span[0])
    shifts = [(low - span[0]) if number % 2 == 0 else (high - span[1]) for number, span in enumerate(spans)]
    centres = []
    for places in zip(*placements, strict=True):
        middle = sorted(place + shift for place, shift in zip(places, shifts, strict=True))[1:3]
        centres.append((middle[0] + middle[1]) / 2)
    return centres
