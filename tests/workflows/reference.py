"""What a bundle of random pieces gives, by the rules of the language alone: one node after the other, no Temporal."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from activities.models.scripted import least
from activities.tools.pure import PURE
from manifests import plan as plans
from manifests.expressions.evaluation import Evaluator, ExpressionFailed

EVALUATOR = Evaluator()


class Fails(Exception):
    """A node that failed as `input`, the only way in which these bundles do."""


def evaluated(plan: plans.Plan, graph: plans.Graph, scope: Mapping[str, Any]) -> Any:
    """What a graph gives; raises `Fails`."""
    outputs: dict[str, Any] = {node.id: {} for node in graph.nodes}
    ran: dict[str, bool] = {}
    live: set[str] = set()
    errors: dict[str, Any] = {}
    for name in graph.ways.nodes:
        node = graph.by_id[name]
        edges = [edge for edge in graph.ways.edges if edge.source == name]
        starts = not any(name == edge.target for edge in graph.ways.edges) and not _is_rescue(graph, name)
        ran[name] = False
        if not (starts or name in live):
            continue
        here = ChainMap({"error": errors[name]} if name in errors else {}, outputs, dict(scope))
        try:
            outputs[name] = _gives(plan, graph, node, edges, here, ran)
        except (Fails, ExpressionFailed) as error:
            rescue = graph.ways.failures.get(name, {}).get("input")
            if rescue is None:
                raise Fails(str(error)) from None
            live.add(rescue)
            errors[rescue] = {"category": "input", "message": str(error), "node": name, "attempt": 1, "cost": 0.0}
            continue
        ran[name] = True
        live.update(outputs[name]["to"] if isinstance(node, plans.Decision) else [edge.target for edge in edges])
    if graph.output is not None:
        return EVALUATOR.render(graph.output, ChainMap(outputs, dict(scope)))
    (last,) = [name for name in graph.ways.nodes if not any(edge.source == name for edge in graph.ways.edges)]
    return outputs[last]


def _is_rescue(graph: plans.Graph, name: str) -> bool:
    return any(name in routes.values() for routes in graph.ways.failures.values())


def _gives(
    plan: plans.Plan, graph: plans.Graph, node: plans.Node, edges: list[plans.Edge], scope: Mapping[str, Any],
    ran: Mapping[str, bool],
) -> Any:  # fmt: skip
    match node:
        case plans.Transform():
            return EVALUATOR.render(node.value, scope)
        case plans.Tool():
            spec = plan.tools[node.tool]
            return PURE[spec.uses](**EVALUATOR.render(node.inputs, scope))
        case plans.Agent():
            return least(plan.agents[node.agent].output)
        case plans.Human():
            return {"choice": node.on_timeout, "by": "", "reason": "nobody answered"}
        case plans.Decision():
            true = [edge.target for edge in edges if edge.when and EVALUATOR.evaluate(edge.when, scope)]
            return {"to": (true if node.many else true[:1]) or [edge.target for edge in edges if edge.otherwise]}
        case plans.Merge():
            into = {edge.source for edge in graph.ways.edges if edge.target == node.id}
            came = {name: scope[name] for name in graph.ways.nodes if name in into and ran[name]}
            return {"object": came, "list": [*came.values()], "first": next(iter(came.values()), None)}[node.policy]
        case plans.Map():
            return _mapped(plan, node, scope)
        case plans.Loop():
            return _looped(plan, node, scope)
    raise AssertionError(node.kind)


def _mapped(plan: plans.Plan, node: plans.Map, scope: Mapping[str, Any]) -> Any:
    assert node.body is not None
    ok, failed = list[Any](), list[Any]()
    for index, item in enumerate(EVALUATOR.evaluate(node.over, scope)):
        try:
            ok.append(evaluated(plan, node.body, {**scope, node.element: item, "index": index}))
        except Fails:
            if node.on_error == "fail":
                raise
            failed.append(index)
    return {"ok": ok, "failed": failed} if node.on_error == "partition" else ok


def _looped(plan: plans.Plan, node: plans.Loop, scope: Mapping[str, Any]) -> Any:
    """The random loops look at what they carry alone."""
    assert node.body is not None
    carried = {name: EVALUATOR.render(each.first, scope) for name, each in node.carry.items()}
    output: Any = None
    for index in range(node.most):
        inside = {**scope, "loop": carried, "index": index}
        output = evaluated(plan, node.body, inside)
        if EVALUATOR.evaluate(node.until, inside):
            break
        carried = {name: EVALUATOR.render(each.next, inside) for name, each in node.carry.items()}
    return output
