"""The outline of each kind of box, and its glyph: kinds are told apart without their colours too."""

from __future__ import annotations

from manifests.drawing.layout import Rect
from manifests.drawing.measures import POINTED, ROUND

_DRUM = "M2 3.5C2 0.9 14 0.9 14 3.5V12.5C14 15.1 2 15.1 2 12.5ZM2 3.5C2 6 14 6 14 3.5"

# In a square of 16 by 16; drawn as lines.
GLYPHS = {
    "agent": "M8 1.5C8.6 5.6 10.4 7.4 14.5 8C10.4 8.6 8.6 10.4 8 14.5C7.4 10.4 5.6 8.6 1.5 8C5.6 7.4 7.4 5.6 8 1.5Z",
    "tool": "M13.9 4.6a3.9 3.9 0 0 1-5.2 4.9L4.4 13.8a1.55 1.55 0 0 1-2.2-2.2L6.5 7.3a3.9 3.9 0 0 1 4.9-5.2L9.2 4.3"
    "l.4 2.1 2.1.4Z",
    "decision": "M8 1.5L14.5 8L8 14.5L1.5 8ZM8 5.2V8.6M8 10.8V10.9",
    "merge": "M3 1.5V4C3 7 8 6.5 8 10V14.5M13 1.5V4C13 7 8 6.5 8 10M5.5 12L8 14.5L10.5 12",
    "transform": "M6 2C3.5 2 5 5 4.4 6.6C4 7.6 3 8 2.5 8C3 8 4 8.4 4.4 9.4C5 11 3.5 14 6 14"
    "M10 2C12.5 2 11 5 11.6 6.6C12 7.6 13 8 13.5 8C13 8 12 8.4 11.6 9.4C11 11 12.5 14 10 14",
    "map": "M1.5 6H10V14.5H1.5ZM4 6V3.7H12.3V12H10M6.5 3.7V1.5H14.5V9.5H12.3",
    "loop": "M13.5 4.5A6.3 6.3 0 1 0 14.3 8M14 1.2V4.8H10.4",
    "workflow": "M1.5 2.5H14.5V13.5H1.5ZM4.3 2.5V13.5M11.7 2.5V13.5M6.4 6H9.6M6.4 9.5H9.6",
    "human": "M8 1.5A3 3 0 1 1 8 7.5A3 3 0 1 1 8 1.5ZM2 14.5C2 11.5 4.5 9.8 8 9.8C11.5 9.8 14 11.5 14 14.5",
    "wait": "M8 1.5A6.5 6.5 0 1 1 8 14.5A6.5 6.5 0 1 1 8 1.5ZM8 4.3V8L10.6 9.8",
    "recall": f"{_DRUM}M8 12V8M6.2 9.6L8 7.8L9.8 9.6",
    "remember": f"{_DRUM}M8 7.8V11.8M6.2 10L8 11.8L9.8 10",
    "emit": "M14.5 1.5L7 9M14.5 1.5L10 14.5L7 9L1.5 6Z",
    "plan": "M5.5 1.5H10.5V5H5.5ZM1.5 11H6V14.5H1.5ZM10 11H14.5V14.5H10ZM8 5V8M3.7 11V8H12.3V11",
    "finally": "M3 14.5V1.5M3 2.5H13L10.5 5.7L13 9H3",
}


def outline(kind: str, rect: Rect) -> str:
    """The path of a box's border."""
    if kind in POINTED:
        return _pointed(rect, *POINTED[kind])
    if kind in ROUND:
        return _rounded(rect, rect.height / 2)
    if kind == "human":
        return _cut(rect, 9.0)
    return _rounded(rect, 3.0 if kind in ("tool", "transform", "workflow") else 10.0)


def bars(rect: Rect) -> str:
    """The second pair of sides of a box that stands for a whole workflow."""
    top, bottom = f"{rect.y:.1f}", f"{rect.bottom:.1f}"
    return f"M{rect.x + 5:.1f} {top}V{bottom}M{rect.right - 5:.1f} {top}V{bottom}"


def _rounded(rect: Rect, radius: float) -> str:
    arc = f"a{radius:.1f} {radius:.1f} 0 0 1 "
    across, down = rect.width - 2 * radius, rect.height - 2 * radius
    return (
        f"M{rect.x + radius:.1f} {rect.y:.1f}h{across:.1f}{arc}{radius:.1f} {radius:.1f}v{down:.1f}"
        f"{arc}{-radius:.1f} {radius:.1f}h{-across:.1f}{arc}{-radius:.1f} {-radius:.1f}v{-down:.1f}"
        f"{arc}{radius:.1f} {-radius:.1f}z"
    )


def _pointed(rect: Rect, left: float, right: float) -> str:
    middle = rect.y + rect.height / 2
    corners = [
        (rect.x + left, rect.y),
        (rect.right - right, rect.y),
        (rect.right, middle),
        (rect.right - right, rect.bottom),
        (rect.x + left, rect.bottom),
        (rect.x, middle),
    ]
    return _through(corners)


def _cut(rect: Rect, corner: float) -> str:
    x, y, right, bottom = rect.x, rect.y, rect.right, rect.bottom
    corners = [
        *((x + corner, y), (right - corner, y), (right, y + corner), (right, bottom - corner)),
        *((right - corner, bottom), (x + corner, bottom), (x, bottom - corner), (x, y + corner)),
    ]
    return _through(corners)


def _through(corners: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "Z"
