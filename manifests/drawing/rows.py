"""A graph in rows, with a vertex in every row that an arrow passes: where it bends and where its label stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from manifests.drawing.ranks import Pair, ranks

MOST_BENDS = 30_000  # of one graph; its longest arrows beyond that go straight, whatever they cross


@dataclass
class Rows:
    """Vertices 0 to `count` are boxes, those after them bends; a chain is an arrow's way through them, downwards.

    `light` are the stretches of arrows that give way to others, both ways round; `labels` the bends that carry one,
    `only` those that are their arrow's only one.
    """

    count: int
    row: list[int]
    order: list[list[int]] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    labels: dict[int, int] = field(default_factory=dict)
    light: set[Pair] = field(default_factory=set)
    only: set[int] = field(default_factory=set)

    def is_bend(self, vertex: int) -> bool:
        return vertex >= self.count

    def bend(self, row: int) -> int:
        self.row.append(row)
        self.above.append([])
        self.below.append([])
        return len(self.row) - 1

    def join(self, chain: Sequence[int], light: bool) -> None:
        """Note as neighbours those of the chain that are in rows next to each other."""
        for upper, lower in pairwise(chain):
            if self.row[lower] == self.row[upper] + 1:
                self.below[upper].append(lower)
                self.above[lower].append(upper)
                if light:
                    self.light |= {(upper, lower), (lower, upper)}


def in_rows(count: int, pairs: Sequence[Pair], labelled: Sequence[bool], light: Sequence[bool]) -> Rows:
    """The vertices and pairs in rows; below a row that a labelled arrow leaves is one more, for the labels."""
    row = _with_room(ranks(count, pairs), pairs, labelled)
    rows = Rows(count, row, above=[[] for _ in row], below=[[] for _ in row], chains=[[] for _ in pairs])
    room = MOST_BENDS
    for number in sorted(range(len(pairs)), key=lambda number: (_length(row, pairs[number]), number)):
        upper, lower = sorted(pairs[number], key=row.__getitem__)
        stops = list(range(row[upper] + 1, row[lower]))
        if len(stops) > room:
            stops = stops[:1] if labelled[number] else []
        room -= len(stops)
        chain = [upper, *(rows.bend(stop) for stop in stops), lower]
        if len(chain) == 3:
            rows.only.add(chain[1])
        if labelled[number]:
            rows.labels[chain[1]] = number
        rows.chains[number] = chain
    for chain, gives_way in zip(rows.chains, light, strict=True):
        rows.join(chain, gives_way)
    rows.order = [[] for _ in range(max(rows.row, default=-1) + 1)]
    for vertex, place in enumerate(rows.row):
        rows.order[place].append(vertex)
    return rows


def _with_room(ranked: list[int], pairs: Sequence[Pair], labelled: Sequence[bool]) -> list[int]:
    """The rows again, numbered with the rows for labels and with no row left empty."""
    spoken = {min(ranked[a], ranked[b]) for (a, b), label in zip(pairs, labelled, strict=True) if label}
    numbers: dict[int, int] = {}
    following = 0
    for rank in sorted(set(ranked)):
        numbers[rank] = following
        following += 2 if rank in spoken else 1
    return [numbers[rank] for rank in ranked]


def _length(row: Sequence[int], pair: Pair) -> int:
    return abs(row[pair[0]] - row[pair[1]])
