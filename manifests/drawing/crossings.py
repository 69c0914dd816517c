"""The order of the boxes in each row, so that few arrows cross: barycentres, a fixed number of sweeps."""

from __future__ import annotations

from bisect import bisect_right, insort

from manifests.drawing.rows import Rows

SWEEPS = 12
# A large picture is swept less: each sweep costs as much again, and the first ones bring nearly all there is.
FEW_SWEEPS, FEW_ABOVE = 4, 12_000
SWAPS_BELOW = 400


def untangle(rows: Rows) -> None:
    """Put the order with the fewest crossings that the sweeps find into the rows."""
    place = [0] * len(rows.row)
    for row in rows.order:
        _note(row, place)
    _sweep(rows, place, down=True)
    best, least = _copy(rows), crossings(rows)
    for sweep in range(SWEEPS if len(rows.row) < FEW_ABOVE else FEW_SWEEPS):
        if not least:
            break
        _sweep(rows, place, down=sweep % 2 == 1)
        if len(rows.row) < SWAPS_BELOW:
            _swap(rows, place)
        if (found := crossings(rows)) < least:
            best, least = _copy(rows), found
    rows.order = best


def crossings(rows: Rows) -> int:
    """How many pairs of arrows cross between rows."""
    place = [0] * len(rows.row)
    for row in rows.order:
        _note(row, place)
    return sum(_crossed(rows, row, place) for row in rows.order)


def _crossed(rows: Rows, row: list[int], place: list[int]) -> int:
    count = 0
    seen: list[int] = []
    for vertex in row:
        ends = sorted(place[below] for below in rows.below[vertex])
        count += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def _sweep(rows: Rows, place: list[int], down: bool) -> None:
    """Sort each row by the mean place of the neighbours in the row before; who has none keeps its place."""
    neighbours = rows.above if down else rows.below
    for row in rows.order if down else reversed(rows.order):
        means = {}
        for vertex in row:
            near = neighbours[vertex]
            means[vertex] = sum(place[each] for each in near) / len(near) if near else float(place[vertex])
        row.sort(key=means.__getitem__)
        _note(row, place)


def _swap(rows: Rows, place: list[int]) -> None:
    """Exchange neighbours in a row wherever that leaves fewer crossings."""
    for row in rows.order:
        for left in range(len(row) - 1):
            one, other = row[left], row[left + 1]
            if _between(rows, one, other, place) > _between(rows, other, one, place):
                row[left], row[left + 1] = other, one
                place[one], place[other] = left + 1, left


def _between(rows: Rows, left: int, right: int, place: list[int]) -> int:
    return sum(
        place[one] > place[other] for near in (rows.above, rows.below) for one in near[left] for other in near[right]
    )


def _note(row: list[int], place: list[int]) -> None:
    for position, vertex in enumerate(row):
        place[vertex] = position


def _copy(rows: Rows) -> list[list[int]]:
    return [row[:] for row in rows.order]
