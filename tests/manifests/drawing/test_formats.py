"""Whatever a bundle calls its nodes stays text in every format."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from manifests.drawing.dot import dot
from manifests.drawing.lettering import fitted, plain, width
from manifests.drawing.mermaid import mermaid
from manifests.drawing.picture import Picture, pictured
from manifests.drawing.svg import svg
from manifests.plan import Edge, Node, Plan
from tests.manifests.drawing import plans

ANY = some.text(some.characters(), max_size=60)
# Lines of Mermaid and Graphviz with nothing in their strings that could end them.
MERMAID_STRING = re.compile(r'"(?:<b>|</b>|<br/>| &nbsp; |<small>|</small>|#[0-9]+;|[A-Za-z0-9 _,\u00a1-\U0010ffff])*"')
DOT_STRING = re.compile(r'"(?:[^"\\\n]|\\["\\n])*"')
SVG = "{http://www.w3.org/2000/svg}"


def hostile(text: str) -> Picture:
    """A picture where everything that an author words is this text."""
    nodes: list[Node] = [plans.gate(text, text), plans.decision(f"{text} "), plans.agent(f"{text}  ", text)]
    body = plans.spread(f"{text}   ", plans.graph(nodes, [Edge(source=nodes[1].id, target=nodes[2].id, when=text)]))
    return pictured(plans.plan(plans.graph([body]), name=text))


def expect_text(text: str) -> None:
    picture = hostile(text)
    chart, drawn = mermaid(picture), dot(picture)
    assert len(chart.splitlines()) == len(mermaid(hostile("calm")).splitlines())
    rest = "".join(MERMAID_STRING.sub("", line) for line in chart.split("\n") if "accTitle" not in line)
    assert not set('"%`<') & set(rest)
    assert drawn.count("\n") == dot(hostile("calm")).count("\n")
    assert '"' not in DOT_STRING.sub("", drawn)
    expect_one_tree(svg(picture), text)


def expect_one_tree(drawing: str, text: str) -> None:
    tree = ElementTree.fromstring(drawing)
    tags = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "path", "g", "text"}
    titles = [element.text or "" for element in tree.iter(f"{SVG}title")]
    assert not plain(text) or any(title.split("\n")[0] == plain(text) for title in titles)


@given(ANY)
@example("end")
@example('"] --> n9["')
@example("`**bold**`\n%%{init: {}}%%")
@example("1. first")
@example("#quot;&quot;]]></style><script>alert(1)</script>")
@example("\\")
@example('\\"')
@example("😀👩‍👩‍👧 مرحبا 你好 \u202egnp\x00\ud800")
def test_any_text_stays_text(text: str) -> None:
    expect_text(text)


def test_naughty_strings_stay_text(naughty: list[str]) -> None:
    for text in naughty:
        expect_text(text)


@pytest.mark.parametrize("plan", [plans.gremlin(), plans.nested(), plans.branches(), plans.every_kind()])
def test_svg_stands_alone(plan: Plan) -> None:
    drawing = svg(pictured(plan))
    tree = ElementTree.fromstring(drawing)
    assert not re.search(r"href|url\(|@import|<script|<image|foreignObject", drawing)
    assert drawing.count("://") == 1  # its namespace
    assert tree.attrib["role"] == "img"
    assert tree.attrib["viewBox"].startswith("0 0 ")
    assert [child.tag.removeprefix(SVG) for child in tree][:2] == ["title", "desc"]
    assert tree.attrib["aria-labelledby"].split() == [child.attrib["id"] for child in tree[:2]]
    assert "prefers-color-scheme:dark" in drawing


def test_the_same_plan_is_drawn_the_same_way() -> None:
    for write in (mermaid, dot, svg):
        assert write(pictured(plans.shuffled(80, 7))) == write(pictured(plans.shuffled(80, 7)))


def test_every_kind_has_a_glyph_of_its_own() -> None:
    tree = ElementTree.fromstring(svg(pictured(plans.every_kind())))
    glyphs = [path.attrib["d"] for path in tree.iter(f"{SVG}path") if "transform" in path.attrib]
    assert len(set(glyphs)) == 14


def test_a_failure_is_dashed() -> None:
    picture = pictured(plans.gremlin())
    assert ' -.->|"context, json"| ' in mermaid(picture)
    assert 'label="context, json"' in dot(picture)
    assert "style=dashed" in dot(picture)
    assert '<g class="arrow failure">' in svg(picture)


def test_arrows_at_bodies_are_cut_at_the_cluster() -> None:
    assert "ltail=cluster_" in dot(pictured(plans.nested()))
    assert "lhead=cluster_" in dot(pictured(plans.nested()))


@given(some.text(max_size=80), some.floats(20, 200))
def test_a_fitted_text_fits(text: str, most: float) -> None:
    assert width(fitted(text, most, 13), 13) <= most


def test_wide_characters_count_double() -> None:
    assert width("你好", 10) == pytest.approx(2 * width("xx", 10), rel=0.15)
    assert width("e\u0301", 10) == width("e", 10)
