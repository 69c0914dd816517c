"""The worst that one run can come to, and the least that it must: events, bytes, calls, tokens, money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from manifests import plan
from manifests.lowering.nodes import waits_ms
from manifests.lowering.specs import money

# Measured on the embedded server: events and bytes that a step costs in history.
RUN_EVENTS = 12
QUEUE_EVENTS = 6
LOCAL_EVENTS = 1
WAIT_EVENTS = 8
CHILD_EVENTS = 12
EVENT_BYTES = 140
# An output above this travels as a reference.
INLINE_BYTES = 16 * 1024
# Beyond this many events a map hands its items to child runs, well before Temporal suggests to continue as new.
EVENTS_IN_ONE_RUN = 2_000


@dataclass(frozen=True)
class Load:
    """What something costs at most."""

    events: int = 0
    activities: int = 0
    bytes: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)

    def __add__(self, other: Load) -> Load:
        return Load(*(mine + theirs for mine, theirs in zip(self._all(), other._all(), strict=True)))  # type: ignore[arg-type]

    def __mul__(self, times: int) -> Load:
        return Load(*(mine * times for mine in self._all()))  # type: ignore[arg-type]

    def _all(self) -> tuple[int | Decimal, ...]:
        return self.events, self.activities, self.bytes, self.model_calls, self.tool_calls, self.tokens, self.usd


class Bounds:
    def __init__(
        self,
        agents: Mapping[str, plan.AgentSpec],
        models: Mapping[str, plan.ModelSpec],
        children: Mapping[str, plan.Plan],
    ) -> None:
        self._agents = agents
        self._models = models
        self._children = children

    def run(self, graphs: list[plan.Graph]) -> Load:
        total = Load(events=RUN_EVENTS, bytes=RUN_EVENTS * EVENT_BYTES)
        for graph in graphs:
            total += self.graph(graph)
        return total

    def graph(self, graph: plan.Graph) -> Load:
        total = Load()
        for node in graph.nodes:
            total += self.node(node)
        return total

    def node(self, node: plan.Node) -> Load:
        match node:
            case plan.Agent():
                return self._agent(node.agent, tries(node), node.cheaper)
            case plan.Tool() | plan.Recall() | plan.Remember() | plan.Emit():
                return _call(node)
            case plan.Map():
                return self._each(node, node.most) + Load(events=1)
            case plan.Loop():
                return self._each(node, node.most)
            case plan.Subflow():
                return self._child(node.workflow) * tries(node)
            case plan.Planning():
                return self._planned(node)
            case plan.Human() | plan.Wait():
                return Load(events=WAIT_EVENTS, bytes=WAIT_EVENTS * EVENT_BYTES + INLINE_BYTES)
            case _:
                return Load()

    def _agent(self, name: str, times: int, cheaper: list[str] | None = None) -> Load:
        spec = self._agents[name]
        rungs = list(dict.fromkeys([*spec.ladder, *(cheaper or [])]))
        calls = times * (spec.max_turns + spec.ask_again) * len(rungs)
        tool_calls = times * (spec.max_turns - 1) * spec.calls_per_turn if spec.tools else 0
        return _activities(calls + tool_calls) + Load(
            bytes=times * len(rungs) * plan.TOLD_BYTES if spec.context else 0,
            model_calls=calls,
            tool_calls=tool_calls,
            tokens=calls * max(self._models[rung].context for rung in rungs),
            usd=calls * max(_price(self._models[rung], spec.max_output) for rung in rungs),
        )

    def _each(self, node: plan.Map | plan.Loop, times: int) -> Load:
        body = self.graph(node.body) if node.body else self._child(node.workflow or "")
        return body * times

    def _child(self, name: str) -> Load:
        bounds = self._children[name].bounds
        return Load(
            events=bounds.events + CHILD_EVENTS,
            activities=bounds.activities,
            bytes=bounds.bytes + CHILD_EVENTS * EVENT_BYTES,
            model_calls=bounds.model_calls,
            tool_calls=bounds.tool_calls,
            tokens=bounds.tokens,
            usd=Decimal(bounds.usd),
        )

    def _planned(self, node: plan.Planning) -> Load:
        """Any template may be used for every node of the proposed graph, so the dearest one counts."""
        each = [self.node(template) for template in node.templates.nodes]
        dearest = Load(*(max(column) for column in zip(*(load._all() for load in each), strict=True)))
        return self._agent(node.agent, tries(node)) + dearest * node.max_nodes + Load(events=CHILD_EVENTS)


def partition(events_of_body: int, most: int) -> int | None:
    """How many items of a map go to one child run, if they do not all fit into this one."""
    if events_of_body * most <= EVENTS_IN_ONE_RUN:
        return None
    return max(1, EVENTS_IN_ONE_RUN // max(1, events_of_body))


def tries(node: plan.Base) -> int:
    return node.retry.attempts if node.retry else 1


def worst_ms(node: plan.Base) -> int:
    """The longest a node can take: every try to its end, and the waits between them."""
    return tries(node) * (node.timeout_ms or 0) + waits_ms(node.retry)


def stated(load: Load, least_tokens: int, least_ms: int) -> plan.Bounds:
    return plan.Bounds(
        events=load.events, activities=load.activities, bytes=load.bytes, model_calls=load.model_calls,
        tool_calls=load.tool_calls, tokens=load.tokens, usd=money(load.usd), least_tokens=least_tokens,
        least_ms=least_ms,
    )  # fmt: skip


def _call(node: plan.Base) -> Load:
    called = Load(tool_calls=tries(node)) if isinstance(node, plan.Tool) else Load()
    if node.placement == "local":
        times = tries(node)
        return called + Load(times * LOCAL_EVENTS, times, times * (EVENT_BYTES * 3 + INLINE_BYTES))
    return called + _activities(tries(node))


def _activities(count: int) -> Load:
    return Load(
        events=count * QUEUE_EVENTS, activities=count, bytes=count * (QUEUE_EVENTS * EVENT_BYTES + INLINE_BYTES)
    )


def _price(model: plan.ModelSpec, max_output: int) -> Decimal:
    """The dearest call: the context full, and as much of it as may be in the answer."""
    answer = min(max_output, model.context)
    into, out = Decimal(model.input_price), Decimal(model.output_price)
    return max(into * model.context, into * (model.context - answer) + out * answer) / model.per
