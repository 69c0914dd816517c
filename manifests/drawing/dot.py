"""A picture as Graphviz DOT."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.drawing import palette
from manifests.drawing.lettering import clipped
from manifests.drawing.picture import Arrow, Box, Group, Picture

LABEL = 48  # characters of a line in a box

_SHAPES = {
    "agent": ("box", "rounded,filled"),
    "decision": ("hexagon", "filled"),
    "merge": ("ellipse", "filled"),
    "transform": ("note", "filled"),
    "workflow": ("box", "filled"),
    "human": ("octagon", "filled"),
    "wait": ("ellipse", "filled"),
    "recall": ("cylinder", "filled"),
    "remember": ("cylinder", "filled"),
    "emit": ("cds", "filled"),
    "plan": ("box", "filled,dashed"),
}
_FAINT = "#c3c8cf"


def dot(picture: Picture) -> str:
    """The text of the graph."""
    return "\n".join([*_graph(picture), ""])


def quoted(*lines: str) -> str:
    """The lines as one string of DOT; Graphviz reads backslashes and HTML entities in it."""
    return '"' + "\\n".join(map(_escaped, lines)) + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _graph(picture: Picture) -> Iterator[str]:
    whole = picture.whole
    ids = {box.id: f"n{number}" for number, box in enumerate(whole.walk())}
    yield "digraph plan {"
    yield f"  label={quoted(picture.title)}; labelloc=t; charset=utf8; compound=true; fontname=Helvetica; fontsize=12;"
    yield f"  rankdir={'TB' if picture.direction == 'down' else 'LR'}; nodesep=0.35; ranksep=0.5;"
    yield f'  node [fontname="Helvetica", fontsize=11, fontcolor="{palette.TEXT}", margin="0.16,0.08"];'
    yield (
        f'  edge [fontname="Helvetica", fontsize=9, color="{palette.ARROW}", fontcolor="{palette.SOFT_TEXT}", '
        "arrowsize=0.7];"
    )
    yield from _group(whole, ids, "  ")
    inside = {box.id: box.body for box in whole.walk() if box.body}
    yield from (f"  {_arrow(arrow, ids, inside)}" for arrow in whole.all_arrows())
    yield "}"


def _group(group: Group, ids: dict[str, str], indent: str) -> Iterator[str]:
    for box in group.boxes:
        ink = palette.ink(box.kind)
        paint = f'color="{_FAINT if box.faint else ink.line}", fillcolor="{ink.fill}"'
        if box.body:
            style = "dashed" if box.kind in ("finally", "plan") else "rounded"
            yield f"{indent}subgraph cluster_{ids[box.id]} {{"
            yield f'{indent}  graph [label={_label(box)}, tooltip={_tooltip(box)}, style="{style},filled", {paint}];'
            yield from _group(box.body, ids, f"{indent}  ")
            yield f"{indent}}}"
            continue
        shape, style = _SHAPES.get(box.kind, ("box", "filled"))
        more = ", peripheries=2" if box.kind in ("workflow", "map", "loop") else ""
        faint = f', fontcolor="{_FAINT}"' if box.faint else ""
        yield (
            f'{indent}{ids[box.id]} [label={_label(box)}, tooltip={_tooltip(box)}, shape={shape}, style="{style}", '
            f"{paint}{more}{faint}];"
        )


def _label(box: Box) -> str:
    return quoted(*(clipped(line, LABEL) for line in (box.name, *box.lines)))


def _tooltip(box: Box) -> str:
    return quoted(*filter(None, (box.name, *box.lines, box.about, box.placement)))


def _arrow(arrow: Arrow, ids: dict[str, str], inside: dict[str, Group]) -> str:
    """An arrow at a body goes to a box in it and is cut at the border: Graphviz joins no clusters."""
    parts = [f"label={quoted(arrow.label)}, tooltip={quoted(arrow.full)}"] if arrow.label else []
    if arrow.sort == "failure":
        parts.append(f'style=dashed, color="{palette.FAILURE}", fontcolor="{palette.FAILURE}"')
    if arrow.faint:
        parts.append(f'color="{_FAINT}", fontcolor="{_FAINT}"')
    source, target = arrow.source, arrow.target
    if source in inside:
        parts.append(f"ltail=cluster_{ids[source]}")
    if target in inside:
        parts.append(f"lhead=cluster_{ids[target]}")
    while source in inside:
        source = inside[source].boxes[-1].id
    while target in inside:
        target = inside[target].boxes[0].id
    said = f" [{', '.join(parts)}]" if parts else ""
    return f"{ids[source]} -> {ids[target]}{said};"
