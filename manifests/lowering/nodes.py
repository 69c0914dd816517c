"""Nodes and graphs as the Plan freezes them: placement, queues, timeouts, retries."""

from __future__ import annotations

from typing import Any

from manifests import plan
from manifests.analysis import Analysis
from manifests.draft import Graph, Node
from manifests.failures import FAILS_IN, RETRYABLE, expanded
from manifests.lowering.ladders import ladder
from manifests.outputs import choices_of
from manifests.shape import workflow as shapes
from manifests.shape.base import Retry

MODEL_CALL_MS = 600_000
MEMORY_CALL_MS = 30_000
# What a tool may take is its own limit; starting its sandbox and reporting back come on top.
TOOL_GRACE_MS = 10_000
QUEUES = {"tool": "haulage.tools", "recall": "haulage.memory", "remember": "haulage.memory", "emit": "haulage.tools"}


class Lowering:
    def __init__(self, found: Analysis) -> None:
        self._found = found
        self._draft = found.draft
        self._reads = _reads(found)

    def graph(self, graph: Graph) -> plan.Graph:
        flow = self._found.flows[graph]
        nodes = [self.node(graph.nodes[name]) for name in flow.order]
        return plan.Graph(nodes=nodes, ways=self.ways(graph), output=graph.output)

    def ways(self, graph: Graph) -> plan.Ways:
        flow = self._found.flows[graph]
        edges = [
            plan.Edge(source=edge.source, target=edge.target, when=edge.when, otherwise=edge.otherwise)
            for name in flow.order
            for edge in graph.edges_out_of(name)
            if edge.normal
        ]
        return plan.Ways(nodes=flow.order, edges=edges, failures=dict(sorted(flow.routes.targets.items())))

    def node(self, node: Node) -> plan.Node:
        common = self._common(node)
        match node.spec:
            case shapes.Agent(agent=name):
                return plan.Agent(agent=name, **common)
            case shapes.Tool(tool=name):
                return plan.Tool(tool=name, **common)
            case shapes.Decision(decision=choosing):
                return plan.Decision(many=choosing.many, **common)
            case shapes.Merge(merge=merge, by=by):
                own = "${" in merge
                policy: Any = "value" if own else merge
                return plan.Merge(policy=policy, by=by, value=merge if own else None, **common)
            case shapes.Transform(transform=value):
                return plan.Transform(value=value, **common)
            case shapes.Map() | shapes.Loop() | shapes.Subflow() | shapes.Plan():
                return self._nested(node, common)
            case _:
                return self._outside(node, common)

    def _nested(self, node: Node, common: dict[str, Any]) -> plan.Node:
        body = self.graph(node.bodies[0]) if node.bodies else None
        match node.spec:
            case shapes.Map(map=spec):
                child = spec.do.workflow if isinstance(spec.do, shapes.Run) else None
                return plan.Map(
                    over=spec.over, element=spec.as_, concurrency=spec.concurrency, most=spec.max,
                    on_error=spec.on_error, body=body, workflow=child, **common,
                )  # fmt: skip
            case shapes.Loop(loop=looping):
                child = looping.do.workflow if isinstance(looping.do, shapes.Run) else None
                carry = {name: plan.Carried(first=each.first, next=each.next) for name, each in looping.carry.items()}
                return plan.Loop(
                    until=looping.until, most=looping.max, carry=carry, body=body, workflow=child, **common
                )
            case shapes.Plan(plan=planning) if body is not None:
                schema = self._draft.schema_at(node.at / "plan" / "output")
                return plan.Planning(
                    agent=planning.agent, templates=body, max_nodes=planning.max_nodes, output=schema, **common
                )
            case shapes.Subflow(workflow=name):
                return plan.Subflow(workflow=name, **common)
        raise AssertionError(node.kind)

    def _outside(self, node: Node, common: dict[str, Any]) -> plan.Node:
        match node.spec:
            case shapes.Human(human=gate):
                form = self._draft.schema_at(node.at / "human" / "form")
                return plan.Human(
                    ask=gate.ask, show=gate.show, choices=None if form else choices_of(gate), form=form, to=gate.to,
                    within_ms=gate.within, escalate_after_ms=gate.escalate and gate.escalate.after,
                    escalate_to=gate.escalate and gate.escalate.to, on_timeout=gate.on_timeout, **common,
                )  # fmt: skip
            case shapes.Wait(wait=waiting):
                payload = self._draft.schema_at(node.at / "wait" / "schema")
                return plan.Wait(
                    for_ms=waiting.for_, until=waiting.until, signal=waiting.signal, within_ms=waiting.within,
                    payload=payload, **common,
                )  # fmt: skip
            case shapes.Recall(recall=name):
                return plan.Recall(source=self._memory(name), name=name, **common)
            case shapes.Remember(remember=name):
                return plan.Remember(store=name, **common)
            case shapes.Emit(emit=message):
                return plan.Emit(**{key: getattr(message, key) for key in type(message).model_fields}, **common)
        raise AssertionError(node.kind)

    def _memory(self, name: str) -> Any:
        if name in self._draft.bundle.stores:
            return "store"
        return "profile" if name in self._draft.bundle.profiles else "layer"

    def _common(self, node: Node) -> dict[str, Any]:
        spec = node.spec
        placement = self.placement(node)
        retry = _retry(spec.retry, node.kind) if spec.retry else None
        cheaper = (
            ladder(self._draft.bundle, spec.on_budget.model)
            if isinstance(spec.on_budget, shapes.CheaperModel)
            else None
        )
        return {
            "id": node.id,
            "path": node.path,
            "description": spec.description,
            "placement": placement,
            "inputs": spec.with_,
            "reads": sorted(self._reads.get((node.graph, node.id), ())),
            "queue": spec.queue or (self._queue(node) if placement == "queue" else None),
            "priority": spec.priority or 3,
            "timeout_ms": spec.timeout or self._timeout(node, placement, retry),
            "retry": retry,
            "undo": spec.undo or self._undo(node),
            "on_budget": "cheaper" if cheaper else spec.on_budget or "fail",
            "cheaper": cheaper,
            "has_default": spec.when_skipped is not None,
            "default": spec.when_skipped,
        }

    def _queue(self, node: Node) -> str | None:
        """Of whom its calls are; an agent's are in the pool of the model that is asked."""
        if isinstance(node.spec, shapes.Tool):
            tool = self._draft.contracts.tools[node.spec.tool].tool
            if tool.uses == "embed":
                return f"haulage.models.{self._draft.bundle.models[str(tool.with_['model'])].value.pool}"
        return QUEUES.get(node.kind)

    def placement(self, node: Node) -> plan.Placement:
        match node.spec:
            case shapes.Decision() | shapes.Merge() | shapes.Transform() | shapes.Map() | shapes.Loop():
                return "inline"
            case shapes.Human() | shapes.Wait():
                return "wait"
            case shapes.Subflow() | shapes.Plan():
                return "child"
            case shapes.Tool(tool=name):
                contract = self._draft.contracts.tools[name]
                in_process = contract.builtin is not None and contract.builtin.in_process
                return "local" if in_process and node.spec.queue is None else "queue"
            case shapes.Emit(emit=message) if message.plugin is None and node.spec.queue is None:
                return "local"
        return "queue"

    def _timeout(self, node: Node, placement: plan.Placement, retry: plan.Retry | None) -> int | None:
        """The time of one try that nobody stated: what its kind is given, but no more than the run's budget has."""
        if isinstance(node.spec, shapes.Tool):
            own = self._draft.contracts.tools[node.spec.tool].tool.limits.time + TOOL_GRACE_MS
        elif isinstance(node.spec, shapes.Agent):
            own = MODEL_CALL_MS
        else:
            own = MEMORY_CALL_MS if placement in ("queue", "local") else 0
        budget = self._draft.bundle.workflow.value.budget
        if own and budget and budget.time:
            share = (budget.time - waits_ms(retry)) // (retry.attempts if retry else 1)
            own = max(1, min(own, share))
        return own or None

    def _undo(self, node: Node) -> str | None:
        return self._draft.contracts.tools[node.spec.tool].tool.undo if isinstance(node.spec, shapes.Tool) else None


def _reads(found: Analysis) -> dict[tuple[Graph, str], set[str]]:
    """Who reads whom, so that nobody has to parse an expression to know it."""
    reads: dict[tuple[Graph, str], set[str]] = {}
    for use in found.data.uses:
        if use.reader is not None and not use.after:
            reads.setdefault((use.graph, use.reader), set()).add(use.read.root)
    return reads


def waits_ms(retry: plan.Retry | None) -> int:
    """All waits of a ladder together."""
    total, wait = 0.0, float(retry.initial_ms) if retry else 0.0
    for _ in range(retry.attempts - 1 if retry else 0):
        assert retry is not None
        wait = min(wait, retry.max_ms)
        total += wait
        wait *= retry.backoff
    return int(total)


def _retry(written: Retry, kind: str) -> plan.Retry:
    said = written.on or RETRYABLE
    on = [single for category in said for single in expanded(category) if single in FAILS_IN[kind]]
    return plan.Retry(
        attempts=written.attempts,
        initial_ms=written.initial,
        backoff=written.backoff,
        max_ms=written.max,
        on=list(dict.fromkeys(on)),
    )
