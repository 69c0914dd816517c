"""A picture as a Mermaid flowchart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manifests.drawing import palette
from manifests.drawing.lettering import clipped
from manifests.drawing.picture import Arrow, Box, Group, Picture

LABEL = 48  # characters of a line in a box

# Around the quoted label of a box; a kind that is not here is a rectangle.
_SHAPES = {
    "agent": ("(", ")"),
    "decision": ("{{", "}}"),
    "merge": ("([", "])"),
    "transform": ("[/", "/]"),
    "workflow": ("[[", "]]"),
    "map": ("[[", "]]"),
    "loop": ("[[", "]]"),
    "human": ("[\\", "/]"),
    "wait": ("([", "])"),
    "recall": ("[(", ")]"),
    "remember": ("[(", ")]"),
    "emit": (">", "]"),
}
_DASHED = ("plan", "finally")

# Every other character becomes its number: Mermaid has comments, directives, Markdown and entities inside labels.
_SAFE = re.compile(r"[^A-Za-z0-9 _,\u00a1-\U0010ffff]")


def mermaid(picture: Picture) -> str:
    """The text of the chart."""
    return "\n".join([*_chart(picture), ""])


def quoted(text: str) -> str:
    """The text as a label that Mermaid shows and never reads."""
    # A blank alone would be no label.
    return f'"{_escaped(text) or " "}"'


def _escaped(text: str) -> str:
    return _SAFE.sub(lambda match: f"#{ord(match[0])};", text)


def _chart(picture: Picture) -> Iterator[str]:
    whole = picture.whole
    boxes = list(whole.walk())
    ids = {box.id: f"n{number}" for number, box in enumerate(boxes)}
    yield f"flowchart {'TD' if picture.direction == 'down' else 'LR'}"
    yield f"    accTitle: {re.sub('[^A-Za-z0-9 _,.-]', ' ', picture.title).strip() or 'plan'}"
    yield from _group(whole, ids, "    ")
    arrows = list(whole.all_arrows())
    yield from (f"    {_arrow(arrow, ids)}" for arrow in arrows)
    if picture.final and picture.main.boxes:
        yield f"    {ids[_last(picture.main)]} ~~~ {ids[picture.final.id]}"
    yield from _styles(boxes, arrows, ids)


def _group(group: Group, ids: dict[str, str], indent: str) -> Iterator[str]:
    for box in group.boxes:
        label = _worded(box)
        if box.body:
            yield f"{indent}subgraph {ids[box.id]}[{label}]"
            yield f"{indent}    direction TB"
            yield from _group(box.body, ids, f"{indent}    ")
            yield f"{indent}end"
        else:
            begin, end = _SHAPES.get(box.kind, ("[", "]"))
            yield f"{indent}{ids[box.id]}{begin}{label}{end}"


def _worded(box: Box) -> str:
    """The name of the box and, smaller, what it is; around a body on one line, as Mermaid leaves room for no more."""
    first, *more = [_escaped(clipped(line, LABEL)) for line in (box.name, *box.lines)]
    between = " &nbsp; " if box.body else "<br/>"
    return f'"{between.join([f"<b>{first}</b>", *(f"<small>{line}</small>" for line in more)])}"'


def _arrow(arrow: Arrow, ids: dict[str, str]) -> str:
    way = "-.->" if arrow.sort == "failure" else "-->"
    label = f"|{quoted(arrow.label)}|" if arrow.label else ""
    return f"{ids[arrow.source]} {way}{label} {ids[arrow.target]}"


def _last(group: Group) -> str:
    """A box that nothing follows, for what runs on every exit to stand below."""
    sources = {arrow.source for arrow in group.arrows}
    return next((box.id for box in reversed(group.boxes) if box.id not in sources), group.boxes[-1].id)


def _styles(boxes: list[Box], arrows: list[Arrow], ids: dict[str, str]) -> Iterator[str]:
    """Dark letters on light paint, and bodies without any, so that all is readable whatever the page behind is."""
    for kind, is_body in dict.fromkeys((box.kind, box.body is not None) for box in boxes):
        ink = palette.ink(kind)
        paint = "fill:none" if is_body else f"fill:{ink.fill},color:{palette.TEXT}"
        dashes = ",stroke-dasharray:6 4" if kind in _DASHED else ""
        # Some kinds are words of Mermaid's own, as `loop` is in another sort of its charts.
        name = f"{'body' if is_body else 'kind'}_{kind}"
        members = ",".join(ids[box.id] for box in boxes if box.kind == kind and (box.body is not None) == is_body)
        yield f"    classDef {name} {paint},stroke:{ink.line}{dashes}"
        yield f"    class {members} {name}"
    if any(box.faint for box in boxes):
        yield "    classDef faint opacity:0.35"
        yield f"    class {','.join(ids[box.id] for box in boxes if box.faint)} faint"
    for style, numbers in (
        (f"stroke:{palette.DARK_FAILURE}", [n for n, arrow in enumerate(arrows) if arrow.sort == "failure"]),
        ("opacity:0.35", [n for n, arrow in enumerate(arrows) if arrow.faint]),
    ):
        if numbers:
            yield f"    linkStyle {','.join(map(str, numbers))} {style}"
