"""What people and programs change about a run while it runs; who did, when and why is kept on the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from manifests.problems import did_you_mean
from workflows.budget import Spent
from workflows.calls import heard
from workflows.failures import Failed
from workflows.gates import Gates
from workflows.kinds.inline import INLINE, settle_inline
from workflows.orders import (
    Answer,
    Approve,
    ExtendBudget,
    Order,
    Override,
    Pause,
    Refused,
    Reject,
    Resume,
    Say,
    SetMode,
    iteration_misfit,
)
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

Place = tuple[str, str]
# The book is carried from run to run; what is older stands in the history.
LONGEST_BOOK = 200


class Steering:
    SETTLED = object()

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self.paused = False
        self.decisions: list[dict[str, Any]] = []
        self.signals: dict[str, list[Any]] = {}
        self._nodes = _by_name(run.plan)
        self.gates = Gates({name: gates for name in self._nodes if (gates := self._gates(name))})
        self._waiting: dict[Place, Override] = {}
        self._changes: dict[Place, Override] = {}
        for order in run.options.overrides:
            self._override(order)

    def _gates(self, name: str) -> list[plans.Human]:
        return [node for node in self._nodes[name] if isinstance(node, plans.Human)]

    # --- orders

    def check(self, order: Order) -> None:
        """Raises `Refused` for an order that makes no sense now, and changes nothing."""
        match order:
            case Answer():
                self._check_run(self.gates.node(order))
                self.gates.check(order)
            case Override():
                self._checked(order)
            case Pause() if self.paused:
                raise Refused("the run is paused already")
            case Resume() if not self.paused:
                raise Refused("the run is not paused")
            case ExtendBudget() if not (order.calls or order.tokens or Decimal(order.usd) or order.time_ms):
                raise Refused("say by how much: calls, tokens, usd or time_ms")
            case Say() if not self._run.plan.agents:
                raise Refused("this run has no agents")
            case Say(agent=agent) if agent is not None and agent not in self._run.plan.agents:
                raise Refused(f"no agent {agent!r}; {did_you_mean(agent, self._run.plan.agents, 'agent')}")

    def carry_out(self, order: Order) -> dict[str, Any]:
        """Does what was ordered, writes it down, and says what came of it; raises `Refused`."""
        self.check(order)
        match order:
            case Approve() | Reject():
                how = self.gates.take(order)
                self._note_order(order, f"{order.node}: {how}")
                self._run.wake()
                return {"node": order.node, "answer": how}
            case Override():
                self._override(order)
            case Pause():
                self.paused = True
            case Resume():
                self.paused = False
            case SetMode():
                self._run.run_facts["mode"] = order.mode
            case ExtendBudget():
                self._run.ledger.extend(Spent(order.calls, order.tokens, Decimal(order.usd)))
                self._run.clock.extend(order.time_ms)
            case Say():
                self._run.mail(order.agent, {"from": order.actor or "a person", "text": order.text})
        self._note_order(order, _spelt(order))
        self._run.wake()
        self._run.board.attributes_changed()
        return {"done": _name(order)}

    def _note_order(self, order: Order, what: str) -> None:
        self.note(_name(order), order.actor, what, order.reason)

    def note(self, event: str, actor: str, what: str, reason: str = "") -> None:
        at = self._run.now().isoformat().replace("+00:00", "Z")
        self.decisions.append({"at": at, "event": event, "actor": actor, "what": what, "reason": reason})
        del self.decisions[:-LONGEST_BOOK]

    # --- overrides

    def _checked(self, order: Override) -> plans.Node:
        found = self._nodes.get(order.node, [])
        if not found:
            raise Refused(f"no node {order.node!r}; {did_you_mean(order.node, self._nodes, 'node')}")
        if len(found) > 1:
            paths = ", ".join(node.path for node in found)
            raise Refused(f"several nodes are called {order.node!r}: say which one: {paths}")
        node = found[0]
        self._check_run(node)
        wrong = _misfit(self._run, node, order) or iteration_misfit(node, self._place(node, order)[1])
        if wrong:
            raise Refused(wrong)
        walk = self._walk_at(self._place(node, order))
        if walk is not None and node.id not in walk.cursor.state:
            raise Refused(f"{order.node!r} is left out by the pipeline of this run")
        if walk is not None and walk.cursor.state[node.id] not in ("waiting", "running"):
            raise Refused(f"{order.node!r} is {walk.cursor.state[node.id]} already")
        return node

    def _check_run(self, node: plans.Node) -> None:
        """Raises `Refused` where another run carries this node out: parts of large maps are child runs."""
        part = self._run.options.part
        if part is not None and not node.path.startswith(f"{part.node}/"):
            raise Refused(f"this run carries out a part of {part.node!r} and nothing else: tell its parent")
        steps = node.path.split("/")
        for owner in ("/".join(steps[:depth]) for depth in range(1, len(steps))):
            above = self._nodes[owner][0]
            mine = part is not None and part.node == owner
            if isinstance(above, plans.Map) and above.partition is not None and not mine:
                id = f"{self._run.run_facts['id']}/{owner}#"
                raise Refused(f"{node.id!r} is carried out by child runs: tell the one whose id begins with {id!r}")

    def _place(self, node: plans.Node, order: Override) -> Place:
        """Where a node is; without an iteration it is the one that is under way, when there is only one."""
        if order.iteration or "/" not in node.path:
            return node.path, order.iteration
        keys = [walk.key for walk in self._run.walks if walk.ground.nodes.get(node.id) is node]
        if len(keys) > 1:
            raise Refused(f"{order.node!r} is in several iterations: say which one: {', '.join(keys)}")
        return node.path, keys[0] if keys else ""

    def _walk_at(self, place: Place) -> Walk | None:
        """The walk that a node of this path and iteration is in, if it goes on now."""
        for walk in (self._run.main, *self._run.walks):
            if walk.key == place[1] and any(node.path == place[0] for node in walk.ground.nodes.values()):
                return walk
        return None

    def _override(self, order: Override) -> None:
        node = self._checked(order)
        place = self._place(node, order)
        order = order.model_copy(update={"iteration": place[1]})
        self._waiting[place] = order
        walk = self._walk_at(place)
        if walk is not None and node.id in walk.tasks:
            walk.tasks[node.id].cancel()

    def touches(self, walk: Walk, node: plans.Node) -> bool:
        return bool(self._waiting) and (node.path, walk.key) in self._waiting

    async def under_orders(self, walk: Walk, node: plans.Node, work: Callable[[], Awaitable[Any]]) -> Any:
        """The node's output, or `SETTLED` when an override has decided what becomes of it."""
        place = (node.path, walk.key)
        while True:
            order = self._waiting.pop(place, None)
            if order is not None and self._settles(walk, node, order):
                return self.SETTLED
            try:
                if isinstance(node, INLINE):
                    settle_inline(self._run, walk, node)
                    return self.SETTLED
                output = await work()
                if not self.has_word(walk, node):
                    return output
                # It ended before it could be stopped: what it did may have to be taken back, the order holds.
                self._run.undoing.remember(walk, node, output)
            except (asyncio.CancelledError, Failed):
                if not self.has_word(walk, node):
                    raise
            heard()

    def has_word(self, walk: Walk, node: plans.Node) -> bool:
        """Whether there is an order for a node that still has a say in what becomes of it."""
        return not walk.over and self.touches(walk, node)

    def _settles(self, walk: Walk, node: plans.Node, order: Override) -> bool:
        run = self._run
        match order.action:
            case "skip":
                run.skipped(walk, node)
            case "output":
                run.completed(walk, node, order.output)
            case "goto":
                assert order.to is not None
                if order.to in [edge.target for edge in walk.ground.topology.edges[node.id]]:
                    run.completed(walk, node, {"to": [order.to]}, [order.to])
                else:
                    walk.errors[order.to] = Failed("cancelled", order.reason or "overridden", node=node.id).as_error()
                    walk.cursor.fail(node.id, order.to)
            case "retry" | "input":
                self._changes[node.path, walk.key] = order
                return False
        return True

    def inputs(self, walk: Walk, node: plans.Node) -> dict[str, Any] | None:
        """The inputs that somebody gave a node in place of its own."""
        order = self._changes.get((node.path, walk.key)) if self._changes else None
        if order is None or order.input is None:
            return None
        own: dict[str, Any] = self._run.value(walk, node, node.inputs)
        return {**own, **order.input}

    def models(self, walk: Walk, node: plans.Node) -> list[str] | None:
        """The model that somebody asked for in place of the node's own."""
        order = self._changes.get((node.path, walk.key)) if self._changes else None
        return [order.model] if order is not None and order.model is not None else None

    # --- across continue-as-new

    def dump(self) -> dict[str, Any]:
        return {
            "paused": self.paused,
            "decisions": self.decisions,
            "signals": self.signals,
            "gates": self.gates.dump(),
            "waiting": [order.model_dump() for order in self._waiting.values()],
            "changes": [[*place, order.model_dump()] for place, order in self._changes.items()],
        }

    def load(self, data: dict[str, Any]) -> None:
        self.paused, self.decisions, self.signals = data["paused"], data["decisions"], data["signals"]
        self.gates.load(data["gates"])
        self._waiting.clear()
        for order in data["waiting"]:
            # What it was about may have been skipped since: then there is nothing left to decide.
            with suppress(Refused):
                self._override(Override.model_validate(order))
        for path, key, order in data["changes"]:
            self._changes[path, key] = Override.model_validate(order)


def _by_name(plan: plans.Plan) -> dict[str, list[plans.Node]]:
    """Every node, by its name and by its path."""
    found: dict[str, list[plans.Node]] = {}
    for graph in (plan.graph, plan.final):
        for node in graph.walk() if graph else ():
            for name in dict.fromkeys((node.id, node.path)):
                found.setdefault(name, []).append(node)
    return found


def _misfit(run: Interpreter, node: plans.Node, order: Override) -> str:
    """What is missing for this override to make sense for this node; empty when nothing is."""
    match order.action:
        case "retry" if order.model is not None and order.model not in run.plan.models:
            return f"no model {order.model!r}; {did_you_mean(order.model, run.plan.models, 'model')}"
        case "retry" if isinstance(node, INLINE | plans.Human | plans.Wait):
            return f"a {node.kind} is not tried again; use `output`, `skip` or `goto`"
        case "output" if isinstance(node, plans.Decision):
            return "a decision gives nothing, it chooses; use `goto`"
        case "input" if order.input is None:
            return '`input` wants the inputs: {"input": {…}}'
        case "input" if not node.inputs and isinstance(
            node, INLINE | plans.Human | plans.Wait | plans.Map | plans.Loop
        ):
            return f"a {node.kind} has no inputs"
        case "goto":
            return _no_way(run, node, order.to)
    return ""


def _no_way(run: Interpreter, node: plans.Node, to: str | None) -> str:
    ground = run.ground_of(node)
    edges = [edge.target for edge in ground.topology.edges.get(node.id, ())] if isinstance(node, plans.Decision) else []
    ways = dict.fromkeys([*edges, *ground.topology.rescues.get(node.id, ())])
    if to in ways:
        return ""
    return f"no way from {node.id!r} to {to!r}; ways: {', '.join(ways) or 'none but the one it takes anyway'}"


def _name(order: Order) -> str:
    names = {"SetMode": "set_mode", "ExtendBudget": "extend_budget", "Say": "message"}
    return names.get(type(order).__name__, type(order).__name__.lower())


def _spelt(order: Order) -> str:
    said = order.model_dump(exclude={"actor", "reason"}, exclude_none=True, exclude_defaults=True)
    return ", ".join(f"{name} {value}" for name, value in said.items())[:200]
