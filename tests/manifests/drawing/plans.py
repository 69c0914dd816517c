"""Plans made by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from manifests.failures import FAILS_IN, expanded
from manifests.plan import (
    Agent,
    Bounds,
    Budget,
    Decision,
    Edge,
    Emit,
    Graph,
    Human,
    Loop,
    Map,
    Merge,
    Node,
    Pipeline,
    Plan,
    Planning,
    Recall,
    Remember,
    Subflow,
    Tool,
    Transform,
    Wait,
    Ways,
)


def chain(*names: str) -> list[Edge]:
    return [Edge(source=one, target=other) for one, other in pairwise(names)]


def graph(
    nodes: Sequence[Node], edges: Iterable[Edge] = (), failures: Mapping[str, dict[str, str]] | None = None
) -> Graph:
    ways = Ways(nodes=[node.id for node in nodes], edges=list(edges), failures=dict(failures or {}))
    return Graph(nodes=list(nodes), ways=ways)


def plan(main: Graph, final: Graph | None = None, pipelines: Sequence[Pipeline] = (), name: str = "test") -> Plan:
    bounds = Bounds(events=0, activities=0, bytes=0, model_calls=0, tool_calls=0, tokens=0, usd="0")
    return Plan(
        name=name, version="1", input={}, graph=main, final=final, pipelines=list(pipelines),
        budget=Budget(), parallel=8, bounds=bounds,
    )  # fmt: skip


def agent(id: str, name: str = "worker") -> Agent:
    return Agent(id=id, path=id, placement="queue", agent=name)


def tool(id: str, name: str = "run_checks") -> Tool:
    return Tool(id=id, path=id, placement="local", tool=name)


def step(id: str) -> Transform:
    return Transform(id=id, path=id, placement="inline", value=1)


def merge(id: str) -> Merge:
    return Merge(id=id, path=id, placement="inline", policy="object")


def decision(id: str) -> Decision:
    return Decision(id=id, path=id, placement="inline", many=False)


def gate(id: str, ask: str = "Go ahead with this plan?") -> Human:
    return Human(id=id, path=id, placement="wait", ask=ask, within_ms=86_400_000, on_timeout="reject")


def loop(id: str, body: Graph) -> Loop:
    return Loop(id=id, path=id, placement="inline", until="check.passed", most=5, carry={}, body=body)


def spread(id: str, body: Graph) -> Map:
    return Map(
        id=id, path=id, placement="inline", over="input.files", element="file", concurrency=8, most=40, on_error="drop",
        body=body,
    )  # fmt: skip


def gremlin() -> Plan:
    """The shape of the example `code-gremlin`, with a pipeline and a final node."""
    nodes: list[Node] = [
        Recall(id="background", path="background", placement="queue", source="store", name="project"),
        agent("plan", "planner"),
        gate("sign_off"),
        agent("edit", "editor"),
        agent("smaller_edit", "editor"),
        Merge(id="edited", path="edited", placement="inline", policy="first"),
        tool("check"),
        decision("verdict"),
        Remember(id="lesson", path="lesson", placement="queue", store="project"),
        step("report"),
    ]
    edges = [
        *chain("background", "plan", "sign_off", "edit", "edited", "check", "verdict"),
        *chain("smaller_edit", "edited"),
        Edge(source="verdict", target="lesson", when="check.passed && check.failures == 0"),
        Edge(source="verdict", target="report", otherwise=True),
        *chain("lesson", "report"),
    ]
    failures = {
        "edit": dict.fromkeys(["context", *expanded("json")], "smaller_edit"),
        "sign_off": dict.fromkeys(["rejected", "expired"], "report"),
    }
    kept = [node.id for node in nodes if node.id not in ("sign_off", "background")]
    quick = Ways(
        nodes=kept,
        edges=[*chain("plan", "edit"), *edges[3:]],
        failures={"edit": failures["edit"]},
    )
    final = graph([Emit(id="tell", path="tell", placement="queue", plugin="slack"), tool("clean_up", "rm")])
    return plan(graph(nodes, edges, failures), final, [Pipeline(name="quick", ways=quick)], "code-gremlin")


def nested() -> Plan:
    """A map in a loop, and templates."""
    files = graph(
        [agent("review", "reviewer"), tool("lint"), merge("both"), decision("enough"), agent("again"), step("file")],
        [
            *chain("review", "both", "enough"),
            *chain("lint", "both"),
            Edge(source="enough", target="again", when="both.review.confidence < 0.5"),
            Edge(source="enough", target="file", otherwise=True),
            *chain("again", "file"),
        ],
        {"review": dict.fromkeys(FAILS_IN["agent"], "file")},
    )
    rounds = graph(
        [tool("list"), spread("each", files), merge("all"), tool("check")], chain("list", "each", "all", "check")
    )
    templates = graph([agent(f"template_{number}") for number in range(6)])
    proposal = Planning(
        id="propose", path="propose", placement="child", agent="architect", templates=templates, max_nodes=12
    )
    return plan(
        graph(
            [
                Wait(id="pause", path="pause", placement="wait", for_ms=90_000),
                proposal,
                loop("rounds", rounds),
                Subflow(id="publish", path="publish", placement="child", workflow="publisher"),
                Emit(id="announce", path="announce", placement="local", plugin="slack"),
                gate("rescue", "The reviewers gave up. What now?"),
                step("summary"),
            ],
            [*chain("pause", "propose", "rounds", "publish", "announce", "summary"), *chain("pause", "publish")],
            {"rounds": dict.fromkeys(FAILS_IN["loop"], "rescue")},
        ),
        name="nested",
    )


def branches(count: int = 40) -> Plan:
    """As many agents side by side."""
    middle = [agent(f"branch_{number}") for number in range(count)]
    edges = [edge for node in middle for edge in chain("split", node.id, "joined")]
    return plan(graph([step("split"), *middle, merge("joined")], edges), name="branches")


def every_kind() -> Plan:
    """One node of each kind, in a row of rows."""
    nodes: list[Node] = [
        agent("agent"), tool("tool"), decision("decision"), merge("merge"), step("transform"), gate("human"),
        Map(id="map", path="map", placement="child", over="input.files", element="file", concurrency=8, most=40,
            on_error="drop", workflow="publisher"),
        loop("loop", graph([tool("once")])),
        Subflow(id="workflow", path="workflow", placement="child", workflow="publisher"),
        Wait(id="wait", path="wait", placement="wait", signal="payment"),
        Recall(id="recall", path="recall", placement="queue", source="layer", name="profile"),
        Remember(id="remember", path="remember", placement="queue", store="project"),
        Emit(id="emit", path="emit", placement="queue", agent="planner"),
        Planning(id="plan", path="plan", placement="child", agent="architect", templates=graph([]), max_nodes=9),
    ]  # fmt: skip
    return plan(graph(nodes), name="every-kind")


def shuffled(count: int, seed: int, more: float = 0.4, reach: int = 60) -> Plan:
    """A random graph without cycles: each node after one or more of those up to `reach` before it."""
    chance = random.Random(seed)
    kinds: list[Callable[[str], Node]] = [agent, tool, step, merge, decision]
    nodes: list[Node] = [chance.choice(kinds)(f"node_{number}") for number in range(count)]
    edges: list[Edge] = []
    failures: dict[str, dict[str, str]] = {}
    for number in range(1, count):
        ways = 1 + (chance.random() < more)
        near = range(max(0, number - reach), number)
        for before in chance.sample(near, min(ways, len(near))):
            source, target = nodes[before], nodes[number]
            if source.kind == "decision":
                edges.append(Edge(source=source.id, target=target.id, when=f"{source.id}.score > {number}"))
            elif chance.random() < 0.1:
                failures.setdefault(source.id, {})["timeout"] = target.id
            else:
                edges.append(Edge(source=source.id, target=target.id))
    return plan(graph(nodes, edges, failures), name=f"shuffled-{count}")
