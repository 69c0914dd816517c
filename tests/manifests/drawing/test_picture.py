"""What of a plan is drawn, and how it is worded."""

from __future__ import annotations

import pytest

from manifests.drawing.picture import Arrow, Picture, pictured
from manifests.failures import FAILS_IN, expanded
from manifests.plan import Edge, Node
from tests.manifests.drawing import plans


def arrow(picture: Picture, source: str, target: str) -> Arrow:
    return next(
        each
        for each in picture.whole.all_arrows()
        if each.source.endswith(f"/{source}") and each.target.endswith(f"/{target}")
    )


def failing(*categories: str) -> Arrow:
    nodes: list[Node] = [plans.agent("a"), plans.step("b")]
    return arrow(pictured(plans.plan(plans.graph(nodes, [], {"a": dict.fromkeys(categories, "b")}))), "a", "b")


def test_a_box_says_its_kind_and_what_it_runs() -> None:
    boxes = {box.name: box for box in pictured(plans.gremlin()).whole.walk()}
    assert boxes["plan"].lines == ("agent · planner",)
    assert boxes["sign_off"].lines == ("gate · within 1d", "Go ahead with this plan?")
    assert boxes["plan"].placement == "queue"


def test_bodies_are_inside_their_boxes() -> None:
    boxes = {box.name: box for box in pictured(plans.nested()).whole.walk()}
    rounds, proposal = boxes["rounds"].body, boxes["propose"].body
    assert rounds is not None
    assert [box.name for box in rounds.boxes] == ["list", "each", "all", "check"]
    assert proposal is not None
    assert len(proposal.boxes) == 6


def test_final_nodes_are_a_group_of_their_own() -> None:
    final = pictured(plans.gremlin()).final
    assert final is not None
    assert final.body is not None
    assert [box.name for box in final.body.boxes] == ["tell", "clean_up"]


def test_a_condition_is_shortened_and_kept_in_full() -> None:
    edge = Edge(source="a", target="b", when="input.files.all(file,\n  file.size < 1000 && file.owner == 'me')")
    nodes: list[Node] = [plans.decision("a"), plans.step("b")]
    found = arrow(pictured(plans.plan(plans.graph(nodes, [edge]))), "a", "b")
    assert (found.sort, found.label) == ("choice", "input.files.all(file, file.size <…")
    assert found.full == "input.files.all(file, file.size < 1000 && file.owner == 'me')"


def test_the_rest_is_called_else() -> None:
    found = arrow(pictured(plans.gremlin()), "verdict", "report")
    assert (found.sort, found.label) == ("else", "else")


@pytest.mark.parametrize(
    ("categories", "label"),
    [
        (FAILS_IN["agent"], "error"),
        (expanded("json"), "json"),
        (("timeout",), "timeout"),
        (("context", *expanded("json")), "context, json"),
        (("transient", "rate_limited", "timeout", "unavailable", "tool"), "transient, rate_limited, timeout +2"),
    ],
)
def test_failure_categories_are_grouped(categories: tuple[str, ...], label: str) -> None:
    found = failing(*categories)
    assert (found.sort, found.label) == ("failure", label)


def test_what_a_pipeline_leaves_out_is_faint() -> None:
    picture = pictured(plans.gremlin(), "quick")
    assert [box.name for box in picture.main.boxes if box.faint] == ["background", "sign_off"]
    assert not arrow(picture, "plan", "edit").faint
    assert arrow(picture, "plan", "sign_off").faint
    assert not arrow(picture, "edit", "edited").faint


def test_an_unknown_pipeline_is_refused() -> None:
    with pytest.raises(ValueError, match="'quik'"):
        pictured(plans.gremlin(), "quik")


def test_ids_are_unique() -> None:
    ids = [box.id for plan in (plans.gremlin(), plans.nested()) for box in pictured(plan).whole.walk()]
    assert len(set(ids)) == len(ids)
