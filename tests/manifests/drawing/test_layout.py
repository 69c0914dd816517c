"""Boxes keep apart and arrows join them, whatever the graph."""

from __future__ import annotations

import time
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from manifests.drawing.layout import Rect, Sheet, laid_out
from manifests.drawing.measures import flat
from manifests.drawing.picture import Arrow, Box, Direction, Group, Picture, pictured
from tests.manifests.drawing import plans

SLACK = 0.01
DIRECTIONS: some.SearchStrategy[Direction] = some.sampled_from(["down", "right"])
SAMPLES = [plans.gremlin(), plans.nested(), plans.branches(), plans.every_kind(), plans.shuffled(80, 3, reach=15)]


@some.composite
def pictures(draw: some.DrawFn) -> Picture:
    """Any graph, cycles and doubled arrows too: the layout must not rely on a compiler to refuse them."""
    kinds = some.sampled_from(["agent", "tool", "decision", "merge", "wait", "emit", "human"])
    count = draw(some.integers(1, 12))
    names = some.text(some.characters(codec="utf-8"), max_size=12)
    inner = Group((Box("x/a", "tool", "a"), Box("x/b", "agent", "b")), (Arrow("x/a", "x/b", "choice", "one"),))
    boxes = [
        Box(str(n), draw(kinds), draw(names), ("line",) * draw(some.integers(0, 2)), body=inner if n == 3 else None)
        for n in range(count)
    ]
    ends = some.tuples(some.integers(0, count - 1), some.integers(0, count - 1)).filter(lambda pair: pair[0] != pair[1])
    pairs = draw(some.lists(ends, max_size=24)) if count > 1 else []
    arrows = [
        Arrow(str(a), str(b), label=draw(some.sampled_from(["", "", "error", "a long condition"]))) for a, b in pairs
    ]
    return Picture("test", "", Group(tuple(boxes), tuple(arrows)), direction=draw(DIRECTIONS))


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.right - SLACK
        and other.x < one.right - SLACK
        and one.y < other.bottom - SLACK
        and other.y < one.bottom - SLACK
    )


def holds(outer: Rect, inner: Rect) -> bool:
    return (
        outer.x <= inner.x + SLACK
        and outer.y <= inner.y + SLACK
        and inner.right <= outer.right + SLACK
        and inner.bottom <= outer.bottom + SLACK
    )


def expect_boxes_apart(sheet: Sheet) -> None:
    inside = {box.id: {each.id for each in box.body.walk()} if box.body else set() for box, _ in sheet.boxes}
    for (box, rect), (other, other_rect) in combinations(sheet.boxes, 2):
        if other.id in inside[box.id]:
            assert holds(rect, other_rect), f"{other.id} leaves {box.id}"
        else:
            assert not overlap(rect, other_rect), f"{box.id} and {other.id}"
    paper = Rect(0, 0, sheet.width, sheet.height)
    assert all(holds(paper, rect) for _, rect in sheet.boxes)


def expect_labels_free(sheet: Sheet) -> None:
    labels = [trace.label for trace in sheet.traces if trace.label]
    assert not any(overlap(one, other) for one, other in combinations(labels, 2))
    leaves = [rect for box, rect in sheet.boxes if not box.body]
    assert not any(overlap(label, rect) for label in labels for rect in leaves)


def expect_arrows_joined(sheet: Sheet) -> None:
    boxes = {box.id: (box, rect) for box, rect in sheet.boxes}
    for trace in sheet.traces:
        for end, place in ((trace.arrow.source, trace.points[0]), (trace.arrow.target, trace.points[-1])):
            expect_at_border(sheet, *boxes[end], place)


def expect_at_border(sheet: Sheet, box: Box, rect: Rect, place: tuple[float, float]) -> None:
    x, y = place
    if sheet.direction == "down":
        assert min(abs(y - rect.y), abs(y - rect.bottom)) < SLACK
        assert abs(x - rect.x - rect.width / 2) <= max(rect.width / 2 - flat(box, "down"), 0) + SLACK
    else:
        assert min(abs(x - rect.x), abs(x - rect.right)) < SLACK
        assert abs(y - rect.y - rect.height / 2) <= max(rect.height / 2 - flat(box, "right"), 0) + SLACK


@given(pictures())
def test_boxes_keep_apart_and_arrows_meet_borders(picture: Picture) -> None:
    sheet = laid_out(picture)
    assert len(sheet.boxes) == len(list(picture.whole.walk()))
    assert len(sheet.traces) == len(list(picture.whole.all_arrows()))
    expect_boxes_apart(sheet)
    expect_labels_free(sheet)
    expect_arrows_joined(sheet)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_plans_are_laid_out_cleanly(number: int) -> None:
    sheet = laid_out(pictured(SAMPLES[number]))
    expect_boxes_apart(sheet)
    expect_labels_free(sheet)
    expect_arrows_joined(sheet)
    expect_no_box_crossed(sheet)


def expect_no_box_crossed(sheet: Sheet) -> None:
    """An arrow goes across the flow only between rows, so its stretches along the flow are all that could cross."""
    down = sheet.direction == "down"
    for trace in sheet.traces:
        for (x, y), (to_x, to_y) in pairwise(trace.points):
            stretch = Rect(min(x, to_x), min(y, to_y), abs(x - to_x), abs(y - to_y))
            if (stretch.width if down else stretch.height) > SLACK:
                continue
            for box, rect in sheet.boxes:
                assert trace.arrow.source.startswith(f"{box.id}/") or not _cut(rect, stretch), (
                    f"{trace.arrow} crosses {box.id}"
                )


def _cut(rect: Rect, line: Rect) -> bool:
    return (
        rect.x + SLACK < line.right
        and line.x < rect.right - SLACK
        and (rect.y + SLACK < line.bottom and line.y < rect.bottom - SLACK)
    )


def test_a_chain_is_a_straight_line() -> None:
    names = [f"step_{number}" * (1 + number % 3) for number in range(9)]
    sheet = laid_out(pictured(plans.plan(plans.graph([plans.step(name) for name in names], plans.chain(*names)))))
    assert len({round(rect.x + rect.width / 2, 3) for _, rect in sheet.boxes}) == 1


def test_the_way_on_is_straight_beside_its_detours() -> None:
    middles = {box.name: round(rect.x + rect.width / 2, 1) for box, rect in laid_out(pictured(plans.gremlin())).boxes}
    assert middles["background"] == middles["plan"] == middles["sign_off"] == middles["edit"]
    assert middles["edited"] == middles["check"] == middles["verdict"]


def test_parallel_branches_turn_the_picture_before_it_becomes_a_strip() -> None:
    picture = pictured(plans.branches(40))
    sheet = laid_out(picture)
    assert picture.direction == "right"
    assert len({rect.x for box, rect in sheet.boxes if box.name.startswith("branch")}) == 1


def test_a_thousand_nodes_take_seconds_at_most() -> None:
    picture = pictured(plans.shuffled(1_000, 1))
    begun = time.process_time()
    sheet = laid_out(picture)
    assert time.process_time() - begun < 5  # 0.3 s on a laptop
    assert sheet.width < 10_000


def test_the_same_picture_is_laid_out_the_same_way() -> None:
    assert laid_out(pictured(plans.shuffled(60, 5))) == laid_out(pictured(plans.shuffled(60, 5)))
