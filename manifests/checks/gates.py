"""What cannot be taken back waits for a person who says yes."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.analysis import Analysis
from manifests.checks.effects import name_of, tools_of
from manifests.draft import Edge, Graph, Node
from manifests.expressions.syntax import Malformed, parse
from manifests.expressions.tree import Call, Const, ListExpr, path_of
from manifests.expressions.tree import Node as Term
from manifests.flow import Flow
from manifests.outputs import choices_of
from manifests.problems import Problem
from manifests.shape import workflow as shapes


def nothing_for_good_without_a_person(found: Analysis) -> Iterator[Problem]:
    """In the graph as it is written, and in what each pipeline leaves of it."""
    draft = found.draft
    said: set[tuple[Node, str]] = set()
    for main in [draft.graph, *([draft.finally_] if draft.finally_ else []), *draft.pipelines.values()]:
        for node, graph in _within(main):
            for tool, why, code in _asks(found, node):
                if (node, tool) not in said and not _gated(found, node, graph, main):
                    said.add((node, tool))
                    yield _ungated(found, node, graph, f"tool {tool!r} {why}", code, main.pipeline)


def _within(graph: Graph) -> Iterator[tuple[Node, Graph]]:
    for node in graph.nodes.values():
        yield node, graph
        for body in node.bodies:
            yield from _within(body)


def _asks(found: Analysis, node: Node) -> Iterator[tuple[str, str, str]]:
    """The tools of a node that want a gate, why, and the code of their lack of one."""
    wanting = {
        risk for file in found.draft.bundle.policies for risk, gate in file.value.gates.items() if gate == "human"
    }
    for contract in tools_of(found, node):
        if contract.tool.effect == "irreversible":
            yield name_of(contract), "is irreversible", "HL403"
        elif contract.tool.risk in wanting:
            yield name_of(contract), f"is of {contract.tool.risk} risk", "HL412"
    for child, _ in node.sub_runs():
        plan = found.draft.children[child].plan if child in found.draft.children else None
        for name, tool in plan.tools.items() if plan else ():
            if tool.risk in wanting and plan and plan.gates.get(tool.risk) != "human":
                yield name, f"of {child!r} is of {tool.risk} risk", "HL412"


def _ungated(found: Analysis, node: Node, graph: Graph, what: str, code: str, pipeline: str | None) -> Problem:
    flow = found.flows[graph]
    weak = [gate.id for gate, _ in graph.nodes_of(shapes.Human) if flow.surely_ran(gate.id, node.id)]
    if weak:
        how = f"may run whatever {weak[0]!r} is answered"
        fix = (
            f"let {weak[0]!r} have `choices: [approve, reject]` and no yes in `on_timeout`, or lead to {node.id!r} "
            f'only by `when: {weak[0]}.choice == "…"`'
        )
    else:
        how = "can be reached without a human gate"
        fix = f"put a gate before {node.id!r} that can be rejected and whose `on_timeout` is not a yes"
    where = f" in pipeline {pipeline!r}" if pipeline else ""
    at = node.at / "tool" if isinstance(node.spec, shapes.Tool) else node.at.key
    return Problem(code, at, f"{what}, and {node.id!r} {how}{where}", "a `human` node on every way to it", fix)


def _gated(found: Analysis, node: Node, graph: Graph, main: Graph) -> bool:
    """Whether some gate surely said yes before the node, here or around it."""
    flow = found.flows[graph]
    if flow.cycle is not None or graph.incomplete:
        return True
    if any(_says_yes(gate, node, graph, flow) for gate, _ in graph.nodes_of(shapes.Human)):
        return True
    owner = graph.owner
    if owner is None:
        return False
    return _gated(found, owner, main if owner.id in main.nodes and owner.graph.owner is None else owner.graph, main)


def _says_yes(gate: Node, node: Node, graph: Graph, flow: Flow) -> bool:
    """Whether the node runs only after a yes: the one answer that is not `reject`, or one that an edge names."""
    assert isinstance(gate.spec, shapes.Human)
    asked = gate.spec.human
    choices = [] if asked.form is not None else choices_of(asked)
    # Silence is not leave.
    if asked.on_timeout in ("expire", "reject") and "reject" in choices and len(choices) == 2:
        return flow.surely_ran(gate.id, node.id)
    failing = {target for other in graph.nodes for target in flow.routes.after(other)}
    leaves = [
        name
        for name in graph.nodes
        if name not in failing
        and graph.edges_into(name)
        and all(_names_a_yes(edge, gate.id, asked.on_timeout) for edge in graph.edges_into(name))
    ]
    return any(leave == node.id or flow.surely_ran(leave, node.id) for leave in leaves)


def _names_a_yes(edge: Edge, gate: str, silence: str) -> bool:
    if edge.when is None:
        return False
    try:
        root = parse(edge.when).root
    except Malformed:
        return True  # said already, where the expression stands
    return any(_is_an_answer(term, gate, silence) for term in _terms(root))


def _terms(term: Term) -> Iterator[Term]:
    """What must be true for the whole to be true."""
    if isinstance(term, Call) and term.function == "_&&_":
        for each in term.args:
            yield from _terms(each)
    else:
        yield term


def _is_an_answer(term: Term, gate: str, silence: str) -> bool:
    """An answer that somebody gave: `gate.choice` is this, or a field of the form is so."""
    if (
        isinstance(term, Call)
        and term.function in ("_==_", "@in", "_>_", "_>=_", "_<_", "_<=_")
        and len(term.args) == 2
    ):
        left, right = term.args
        path = path_of(left)
        if path is None or path[0] != gate:
            return False
        values = right.elements if isinstance(right, ListExpr) else (right,)
        return all(isinstance(value, Const) and value.value not in (silence, False) for value in values)
    path = path_of(term)
    return path is not None and path[:2] == (gate, "form") and len(path) > 2


CHECKS = (nothing_for_good_without_a_person,)
