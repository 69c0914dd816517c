"""Which row each box goes to: below all that lead to it, and no further than needed from what it leads to."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from math import isqrt
from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]

LONE = 4  # boxes without arrows that share a row before they are stacked in a square


def ranks(count: int, pairs: Sequence[Pair]) -> list[int]:
    """A row for each of the vertices 0 to `count`; an arrow that would close a cycle leads up."""
    order = _order(count, pairs)
    place = [0] * count
    for position, vertex in enumerate(order):
        place[vertex] = position
    after: list[set[int]] = [set() for _ in range(count)]
    before: list[set[int]] = [set() for _ in range(count)]
    for source, target in pairs:
        if place[source] > place[target]:
            source, target = target, source
        after[source].add(target)
        before[target].add(source)
    rows = [0] * count
    for vertex in order:
        rows[vertex] = max((rows[each] + 1 for each in before[vertex]), default=0)
    for vertex in reversed(order):
        if len(after[vertex]) > len(before[vertex]):
            rows[vertex] = min(rows[each] for each in after[vertex]) - 1
    _stack([vertex for vertex in range(count) if not after[vertex] and not before[vertex]], rows)
    return rows


def _order(count: int, pairs: Iterable[Pair]) -> list[int]:
    """Topological, ties by number; where a cycle is left, its lowest number goes first."""
    after: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for source, target in pairs:
        after[source].append(target)
        waits[target] += 1
    ready = [vertex for vertex in range(count) if not waits[vertex]]
    order: list[int] = []
    done = [False] * count
    lowest = 0
    while len(order) < count:
        if not ready:
            while done[lowest]:
                lowest += 1
            ready.append(lowest)
        vertex = heapq.heappop(ready)
        if done[vertex]:
            continue
        done[vertex] = True
        order.append(vertex)
        for target in after[vertex]:
            waits[target] -= 1
            if not waits[target] and not done[target]:
                heapq.heappush(ready, target)
    return order


def _stack(lone: Sequence[int], rows: list[int]) -> None:
    if len(lone) > LONE:
        across = isqrt(len(lone) - 1) + 1
        for number, vertex in enumerate(lone):
            rows[vertex] = number // across
