"""A picture as SVG: one file that needs nothing else, on light paper or dark, as the reader has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from manifests.drawing import palette
from manifests.drawing.layout import Rect, Sheet, Trace, laid_out
from manifests.drawing.lettering import fitted
from manifests.drawing.measures import (
    ABOVE,
    GLYPH,
    LABEL_SIZE,
    LINE_HEIGHT,
    LINE_SIZE,
    NAME_HEIGHT,
    NAME_SIZE,
    lines,
    margins,
    name,
)
from manifests.drawing.outlines import GLYPHS, bars, outline
from manifests.drawing.picture import Box, Picture

MARGIN = 24.0
TITLE = 40.0
LEAST_WIDTH = 260.0
HEAD = 7.0  # of an arrow
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"


def svg(picture: Picture) -> str:
    """The text of the file."""
    return "\n".join([*_document(picture, laid_out(picture)), ""])


def _document(picture: Picture, sheet: Sheet) -> Iterator[str]:
    across, down = max(sheet.width, LEAST_WIDTH) + 2 * MARGIN, sheet.height + 2 * MARGIN + TITLE
    sheet = sheet.moved((across - sheet.width) / 2, MARGIN + TITLE)
    title = picture.title + (f" · pipeline {picture.pipeline}" if picture.pipeline else "")
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="haulage" role="img" viewBox="0 0 {across:.0f} {down:.0f}" '
        f'width="{across:.0f}" height="{down:.0f}" aria-labelledby="haulage-title haulage-about">'
    )
    yield f'<title id="haulage-title">{escape(title)}</title>'
    yield f'<desc id="haulage-about">{escape(_told(picture))}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="paper" width="{across:.0f}" height="{down:.0f}" rx="10"/>'
    yield (
        f'<text class="title" x="{MARGIN:.0f}" y="{MARGIN + 12:.0f}">'
        f"{escape(fitted(title, across - 2 * MARGIN, 15, bold=True))}</text>"
    )
    for box, rect in sheet.boxes:
        if box.body:
            yield from _box(box, rect)
    for trace in sheet.traces:
        yield from _arrow(trace, sheet)
    for box, rect in sheet.boxes:
        if not box.body:
            yield from _box(box, rect)
    for trace in sheet.traces:
        yield from _label(trace)
    yield "</svg>"


def _told(picture: Picture) -> str:
    """What a reader who does not see the picture wants first."""
    kinds = Counter(box.kind for box in picture.whole.walk() if box.kind != "finally")
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    arrows = sum(1 for _ in picture.whole.all_arrows())
    return " ".join(filter(None, [picture.about, f"A graph of {counts or 'no nodes'}; {arrows} arrows."]))


def _box(box: Box, rect: Rect) -> Iterator[str]:
    classes = [
        "box",
        box.kind if box.kind in palette.INKS else "other",
        f"at-{box.placement}",
        "faint" if box.faint else "",
    ]
    yield f'<g class="{" ".join(filter(None, ["body" if box.body else "", *classes]))}">'
    yield f"<title>{escape(_tooltip(box))}</title>"
    yield f'<path class="line" d="{outline(box.kind, rect)}"/>'
    if box.kind == "workflow":
        yield f'<path class="glyph" d="{bars(rect)}"/>'
    left, _ = margins(box)
    height = NAME_HEIGHT + LINE_HEIGHT * len(box.lines)
    top = rect.y + (ABOVE if box.body else (rect.height - height) / 2)
    middle = top + height / 2 - 8
    corner = f"{rect.x + left - GLYPH + 13:.1f} {middle:.1f}"
    yield f'<path class="glyph" transform="translate({corner})" d="{_glyph(box)}"/>'
    x = f"{rect.x + left:.1f}"
    yield f'<text class="name" x="{x}" y="{top + 12.8:.1f}">{escape(name(box))}</text>'
    for number, line in enumerate(lines(box), 1):
        y = f"{top + 12.5 + LINE_HEIGHT * number:.1f}"
        yield f'<text class="line-{min(number, 2)}" x="{x}" y="{y}">{escape(line)}</text>'
    yield "</g>"


def _glyph(box: Box) -> str:
    return GLYPHS.get(box.kind, GLYPHS["transform"])


def _tooltip(box: Box) -> str:
    placed = f"placement: {box.placement}" if box.placement else ""
    left_out = "left out by the pipeline" if box.faint else ""
    return "\n".join(filter(None, [box.name, *box.lines, box.about, placed, left_out]))


def _arrow(trace: Trace, sheet: Sheet) -> Iterator[str]:
    arrow = trace.arrow
    down = sheet.direction == "down"
    (x, y), (before_x, before_y) = trace.points[-1], trace.points[-2]
    back = HEAD if ((y - before_y) if down else (x - before_x)) >= 0 else -HEAD
    path = [f"M{trace.points[0][0]:.1f} {trace.points[0][1]:.1f}"]
    stops = _shortened(trace, back, down)
    path += [_stretch(one, other, down) for one, other in pairwise(stops)]
    half = HEAD * 0.55
    sides = [(x - half, y - back), (x + half, y - back)] if down else [(x - back, y - half), (x - back, y + half)]
    head = f"M{x:.1f} {y:.1f}" + "".join(f"L{a:.1f} {b:.1f}" for a, b in sides) + "Z"
    yield f'<g class="arrow {arrow.sort}{" faint" if arrow.faint else ""}">'
    yield f'<path class="way" d="{"".join(path)}"/><path class="head" d="{head}"/></g>'


def _shortened(trace: Trace, back: float, down: bool) -> list[tuple[float, float]]:
    """The points, the last ones drawn back so that the line ends, straight, in the arrow's head."""
    stops = list(trace.points)
    end = stops.pop()
    stop = (end[0], end[1] - back) if down else (end[0] - back, end[1])
    if len(stops) > 1 and abs(stops[-1][1 - down] - stop[1 - down]) < 0.05:
        last = stops[-1]
        reach = (last[1] - stop[1]) if down else (last[0] - stop[0])
        if reach * back > 0:
            stops.pop()
    return [*stops, stop]


def _stretch(one: tuple[float, float], other: tuple[float, float], down: bool) -> str:
    (x, y), (to_x, to_y) = one, other
    if abs(x - to_x) < 0.05 if down else abs(y - to_y) < 0.05:
        return f"L{to_x:.1f} {to_y:.1f}"
    if down:
        return f"C{x:.1f} {(y + to_y) / 2:.1f} {to_x:.1f} {(y + to_y) / 2:.1f} {to_x:.1f} {to_y:.1f}"
    return f"C{(x + to_x) / 2:.1f} {y:.1f} {(x + to_x) / 2:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"


def _label(trace: Trace) -> Iterator[str]:
    if trace.label is None:
        return
    arrow, rect = trace.arrow, trace.label
    yield f'<g class="label {arrow.sort}{" faint" if arrow.faint else ""}"><title>{escape(arrow.full)}</title>'
    yield (
        f'<rect x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}" '
        f'rx="{rect.height / 2:.1f}"/>'
    )
    yield (
        f'<text x="{rect.x + rect.width / 2:.1f}" y="{rect.y + rect.height / 2 + LABEL_SIZE * 0.35:.1f}">'
        f"{escape(arrow.label)}</text></g>"
    )


def _rules(dark: bool) -> Iterator[str]:
    """What differs between light and dark paper."""
    paper = palette.DARK_PAPER if dark else palette.PAPER
    text, soft = (palette.DARK_TEXT, palette.DARK_SOFT_TEXT) if dark else (palette.TEXT, palette.SOFT_TEXT)
    arrow, failure = (palette.DARK_ARROW, palette.DARK_FAILURE) if dark else (palette.ARROW, palette.FAILURE)
    yield f".haulage .paper,.haulage .label rect{{fill:{paper}}}"
    yield f".haulage text{{fill:{text}}}.haulage .line-1,.haulage .line-2{{fill:{soft}}}"
    yield f".haulage .way{{stroke:{arrow}}}.haulage .head{{fill:{arrow}}}.haulage .label text{{fill:{soft}}}"
    yield f".haulage .failure .way{{stroke:{failure}}}.haulage .failure .head,.haulage .failure text{{fill:{failure}}}"
    for kind, ink in [*palette.INKS.items(), ("other", palette.PLAIN)]:
        fill, line = (ink.dark_fill, ink.dark_line) if dark else (ink.fill, ink.line)
        yield f".haulage .{kind} .line{{fill:{fill};stroke:{line}}}.haulage .{kind} .glyph{{stroke:{line}}}"


_STYLE = "\n".join(
    [
        "",
        f".haulage{{font-family:{FONT};font-size:{LINE_SIZE}px}}",
        f".haulage .name{{font-size:{NAME_SIZE}px;font-weight:600}}.haulage .title{{font-size:15px;font-weight:600}}",
        f".haulage .label text{{font-size:{LABEL_SIZE}px;text-anchor:middle}}.haulage .line-2{{font-style:italic}}",
        ".haulage .line{stroke-width:1.5}.haulage .at-inline .line{stroke-width:1}",
        ".haulage .plan .line,.haulage .finally .line{stroke-dasharray:6 4}",
        ".haulage .glyph{fill:none;stroke-width:1.4;stroke-linecap:round;stroke-linejoin:round}",
        ".haulage .way{fill:none;stroke-width:1.5}.haulage .failure .way{stroke-dasharray:5 4}",
        ".haulage .faint{opacity:.3}.haulage .label.faint{opacity:1}.haulage .label.faint text{opacity:.4}",
        *_rules(dark=False),
        "@media (prefers-color-scheme:dark){",
        *_rules(dark=True),
        "}",
        "",
    ]
)
