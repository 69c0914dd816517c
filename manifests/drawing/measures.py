"""How large things are before anybody knows where they go."""

from __future__ import annotations

from manifests.drawing.lettering import fitted, width
from manifests.drawing.picture import Box, Direction

NAME_SIZE, LINE_SIZE, LABEL_SIZE = 13.0, 11.0, 10.5
NAME_HEIGHT, LINE_HEIGHT, LABEL_HEIGHT = 17.0, 14.5, 17.0
LEAST, MOST, MOST_AROUND = 112.0, 240.0, 380.0
GLYPH = 38.0  # what the glyph takes on the left of a box
BEYOND = 14.0  # the blank on the right
ABOVE = 9.5
SLANT = 15.0  # of the sides of a decision and the like
HEADER = 60.0  # of a box with a body
PADDING = 22.0
CORNER = 12.0

POINTED = {"decision": (SLANT, SLANT), "emit": (0.0, SLANT)}  # how far the left and right sides come to a point
ROUND = ("merge", "wait")


def box_size(box: Box) -> tuple[float, float]:
    left, right = margins(box)
    text = max([width(name(box), NAME_SIZE, bold=True), *(width(line, LINE_SIZE) for line in lines(box))])
    height = 2 * ABOVE + NAME_HEIGHT + LINE_HEIGHT * len(box.lines)
    return max(LEAST, text + left + right), height


def margins(box: Box) -> tuple[float, float]:
    """What of a box is left and right of its text."""
    left, right = POINTED.get(box.kind, (0.0, 0.0))
    more = 4.0 if box.kind in ROUND or box.kind == "workflow" else 0.0
    return GLYPH + left / 2 + more, BEYOND + right / 2 + more


def name(box: Box) -> str:
    return fitted(box.name, _room(box), NAME_SIZE, bold=True)


def lines(box: Box) -> list[str]:
    return [fitted(line, _room(box), LINE_SIZE) for line in box.lines]


def _room(box: Box) -> float:
    return (MOST_AROUND if box.body else MOST) - GLYPH - BEYOND


def label_size(label: str) -> tuple[float, float]:
    return width(label, LABEL_SIZE) + 12.0, LABEL_HEIGHT


def group_header_width(box: Box) -> float:
    text = max([width(name(box), NAME_SIZE, bold=True), *(width(line, LINE_SIZE) for line in lines(box))])
    return text + GLYPH + 2 * BEYOND


def flat(box: Box, direction: Direction) -> float:
    """How much of each end of the side where arrows leave and arrive is not flat."""
    if box.body:
        return CORNER
    if direction == "down":
        return SLANT + 2 if box.kind in POINTED else CORNER + (10.0 if box.kind in ROUND else 0.0)
    # A side that is a point or a half circle is met in its middle.
    return 1000.0 if box.kind in POINTED or box.kind in ROUND else CORNER
