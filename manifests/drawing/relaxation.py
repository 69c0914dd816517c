"""Where vertices stand in a graph so deep that straight lines would make it far too wide: near their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from manifests.drawing.alignment import Distance
from manifests.drawing.rows import Rows
from manifests.drawing.straightening import weighed, wish

SWEEPS = 8
TOO_WIDE = 2.5  # times the widest row


def relaxed(rows: Rows, centres: Sequence[float], distance: Distance) -> list[float]:
    """The centres, or when they are far too wide others: rows packed, then drawn to the medians of their neighbours."""
    apart = [[0.0, *(distance(left, right) for left, right in pairwise(row))] for row in rows.order]
    widest = max(map(sum, apart), default=0.0)
    if not centres or max(centres) - min(centres) <= TOO_WIDE * widest:
        return list(centres)
    found = _packed(rows, apart)
    near = [weighed(rows, vertex) for vertex in range(len(found))]
    for sweep in range(SWEEPS):
        for number in range(len(apart)) if sweep % 2 == 0 else reversed(range(len(apart))):
            row = rows.order[number]
            wishes = [wish(((found[other], weight) for other, weight in near[each]), found[each]) for each in row]
            weights = [1.0 + sum(weight for _, weight in near[each]) for each in row]
            for vertex, place in zip(row, _kept_apart(wishes, weights, apart[number]), strict=True):
                found[vertex] = place
    return found


def _packed(rows: Rows, apart: Sequence[Sequence[float]]) -> list[float]:
    """Every row as narrow as it can be, all with one middle."""
    found = [0.0] * len(rows.row)
    for row, distances in zip(rows.order, apart, strict=True):
        at = -sum(distances) / 2
        for vertex, step in zip(row, distances, strict=True):
            at += step
            found[vertex] = at
    return found


def _kept_apart(wishes: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Places in order and at their distances whose squared distances from the wishes are least: isotonic regression."""
    blocks: list[tuple[float, float, int]] = []
    offset, offsets = 0.0, []
    for wished, weight, step in zip(wishes, weights, apart, strict=True):
        offset += step
        offsets.append(offset)
        mean, mass, count = wished - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, more, number = blocks.pop()
            mean, mass, count = (mean * mass + other * more) / (mass + more), mass + more, count + number
        blocks.append((mean, mass, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
