"""Carries a plan out: starts what is ready, settles what has ended, and says what became of it."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from temporalio import workflow

from manifests import plan as plans
from manifests.expressions.evaluation import Evaluator
from manifests.plan import Budget, Plan
from workflows import chart as charts
from workflows import pipelines
from workflows.board import Board
from workflows.budget import Ledger
from workflows.calls import Calls
from workflows.chart import Ground
from workflows.clock import Clock
from workflows.ending import Afterwards
from workflows.failures import Failed
from workflows.kinds import perform
from workflows.kinds.inline import INLINE, settle_inline
from workflows.kinds.segment import perform_segment
from workflows.options import Options, Origin
from workflows.sizes import LAST_BYTES, LAST_EVENTS, Breath
from workflows.steering import Steering
from workflows.together import ended
from workflows.undoing import Undoing
from workflows.values import Values, has_blob, is_held
from workflows.walk import Walk

_EVALUATOR = Evaluator()
# Kinds whose state is kept on the walk, so that an heir can take them up where they stand.
RESUMABLE = plans.Map | plans.Loop | plans.Human | plans.Wait


class Interpreter:
    """One run. What it knows is in its walks, its ledger and its steering; all of it can be carried to an heir."""

    def __init__(self, plan: Plan, given: Any, options: Options, pinned: Any) -> None:
        self._info = info = workflow.info()
        self.plan = plan
        self.sha256: str = pinned.sha256
        self.options = options
        self.input = given
        self.started_at = info.start_time
        self.run_facts = _facts(info, options, self.started_at)
        self.values = Values(_EVALUATOR)
        self.pipeline = pipelines.chosen(plan, self.values, self.root_scope(), options.pipeline)
        self.chart = charts.charted(self.sha256, self.pipeline)
        budget = _budget(plan, options)
        self.ledger = Ledger(budget)
        self.clock = Clock(workflow.now, budget.time_ms)
        self.calls = Calls(self, pinned)
        self.undoing = Undoing(self)
        self.board = Board(self)
        self.main = Walk(self.chart.main, self.root_scope(), {})
        self.walks: list[Walk] = []
        self.steering = Steering(self)
        self.mailboxes: dict[str, list[dict[str, Any]]] = {}
        self.part_state: dict[str, Any] = {"results": {}, "bodies": {}}
        self.awaited_signals = {n.signal for n in _nodes(plan) if isinstance(n, plans.Wait) and n.signal}
        self.ending = False
        self.breath = Breath()
        self._stays_for = 0
        self._held: list[asyncio.Future[None]] = []
        if options.origin is not None:
            self._go_on_from(options.origin)

    def _go_on_from(self, origin: Origin) -> None:
        try:
            self.main.load(origin.walk)
            self.noted(origin.walk, deep=True)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            said = f"options: origin.walk: it is not how a walk through {self.plan.name!r} stands: {error!r}"
            raise Failed("input", said) from None

    def root_scope(self) -> dict[str, Any]:
        return {"input": self.input, "run": self.run_facts, "error": {}}

    def now(self) -> datetime:
        return workflow.now()

    # --- walking

    async def carry_out(self, walk: Walk) -> Any:
        """Every node of a walk that is to run, and then what the graph gives; raises `Failed`."""
        self.walks.append(walk)
        try:
            await self._go(walk)
        except GeneratorExit:
            raise  # put out of memory: nothing has ended
        except BaseException:
            await self._leave(walk)
            raise
        await self._leave(walk)
        return self._output(walk)

    async def _go(self, walk: Walk) -> None:
        while not walk.cursor.finished:
            if walk.crash is not None:
                raise walk.crash
            if walk.failure is not None:
                raise walk.failure
            node = walk.cursor.start() if walk.cursor.has_ready and self.may_start() else None
            if node is not None:
                self._begin(walk, walk.node(node))
                if self.breath.spent():
                    await self.breath.drawn()
            elif walk.cursor.stalled:
                raise Failed("engine", "nothing can go on, and not everything is done")
            else:
                await walk.news()

    async def _leave(self, walk: Walk) -> None:
        walk.over = True
        await ended(list(walk.tasks.values()))
        self.walks.remove(walk)

    def may_start(self) -> bool:
        return not (self.steering.paused or self.must_hand_on())

    async def clear_to_start(self) -> None:
        """Waits while the run is paused, or about to be handed on."""
        while not self.may_start():
            held = asyncio.get_running_loop().create_future()
            self._held.append(held)
            await held

    def wake(self) -> None:
        for walk in self.walks:
            walk.wake()
        held, self._held = self._held, []
        for future in held:
            if not future.done():
                future.set_result(None)

    def _begin(self, walk: Walk, node: plans.Node) -> None:
        if isinstance(node, INLINE) and not self.steering.touches(walk, node):
            try:
                settle_inline(self, walk, node)
            except Failed as failure:
                self.failed(walk, node, failure)
            return
        chain = walk.ground.segments.get(node.id)
        if chain and not any(self.steering.touches(walk, walk.node(each)) for each in chain):
            work = perform_segment(self, walk, chain)
        else:
            work = self.perform_alone(walk, node)
        walk.tasks[node.id] = asyncio.create_task(self._watched(walk, node, work))

    async def _watched(self, walk: Walk, node: plans.Node, work: Any) -> None:
        """A bug in here must stop the run's task and be seen, not be lost with an asyncio task."""

        def over() -> None:
            walk.tasks.pop(node.id, None)
            walk.wake()

        with Afterwards(over):
            try:
                await work
            except Failed as failure:
                self.failed(walk, node, failure)
            except (asyncio.CancelledError, GeneratorExit):
                raise
            except BaseException as error:
                walk.crash = error

    async def perform_alone(self, walk: Walk, node: plans.Node) -> None:
        resumable = isinstance(node, RESUMABLE)
        with nullcontext() if resumable else self.calls.at_work():
            output = await self.steering.under_orders(walk, node, lambda: perform(self, walk, node))
        if output is not self.steering.SETTLED:
            self.completed(walk, node, output)

    # --- settling

    def completed(self, walk: Walk, node: plans.Node, output: Any, chosen: list[str] | None = None) -> None:
        walk.outputs[node.id] = output
        walk.inside.pop(node.id, None)
        walk.cursor.complete(node.id, chosen)
        self._fill_in_defaults(walk)
        if not isinstance(node, INLINE):
            self.undoing.remember(walk, node, output)
            self.board.completed(walk, node)

    def skipped(self, walk: Walk, node: plans.Node) -> None:
        walk.inside.pop(node.id, None)
        walk.cursor.skip(node.id)
        self._fill_in_defaults(walk)

    def failed(self, walk: Walk, node: plans.Node, failure: Failed) -> None:
        """The failure takes its way out, or it is that of the walk."""
        if failure.category == "budget" and node.on_budget == "skip":
            self.skipped(walk, node)
            return
        failure = failure.at(node.id, node.kind)
        rescue = walk.ground.topology.routes.get(node.id, {}).get(failure.category)
        self.board.failed(walk, node, failure)
        # What is cancelled because its walk is over has not failed: a run that goes on from here starts it again.
        swept_away = walk.over and failure.category == "cancelled"
        if rescue is None or swept_away:
            if not swept_away:
                walk.cursor.give_up(node.id)
            walk.failure = walk.failure or failure
            return
        walk.inside.pop(node.id, None)
        walk.errors[rescue] = failure.as_error()
        walk.cursor.fail(node.id, rescue)
        self._fill_in_defaults(walk)

    def _fill_in_defaults(self, walk: Walk) -> None:
        """What others read of a skipped node that says so."""
        for name in walk.cursor.newly_skipped():
            node = walk.node(name)
            if node.has_default:
                walk.outputs[name] = self.values.render(node.default, walk.scope_of(name))

    def _output(self, walk: Walk) -> Any:
        if walk.ground.graph.output is not None:
            return self.values.render(walk.ground.graph.output, walk.scope)
        last = walk.ground.last
        return walk.outputs[last[0]] if len(last) == 1 else None

    # --- expressions and values

    def value(self, walk: Walk, node: plans.Node, template: Any, names: Mapping[str, Any] | None = None) -> Any:
        scope = walk.scope_of(node.id)
        return self.values.render(template, scope if names is None else ChainMap(dict(names), *scope.maps))

    def evaluate(self, walk: Walk, node: plans.Node, text: str) -> Any:
        return self.values.evaluate(text, walk.scope_of(node.id))

    def noted(self, value: Any, deep: bool = False) -> Any:
        """A value from the world; from now on expressions watch out for what is kept outside."""
        if not self.values.holds_blobs:
            self.values.holds_blobs = has_blob(value) if deep or not isinstance(value, dict) else is_held(value)
        return value

    # --- mail to agents

    def mail(self, agent: str | None, letter: dict[str, Any]) -> None:
        for name in [agent] if agent is not None else sorted(self.plan.agents):
            self.mailboxes.setdefault(name, []).append(letter)

    def mail_for(self, agent: str) -> list[dict[str, Any]]:
        return self.mailboxes.pop(agent, [])

    def mail_back(self, agent: str, letters: list[dict[str, Any]]) -> None:
        """What nobody has read is there for the next who asks."""
        if letters:
            self.mailboxes[agent] = [*letters, *self.mailboxes.get(agent, [])]

    # --- where things are

    def ground_of(self, node: plans.Node) -> Ground:
        owner = node.path.rpartition("/")[0]
        if owner:
            return self.chart.bodies[owner]
        final = self.chart.final
        return (
            final
            if final is not None and node.id in final.nodes and node.id not in self.chart.main.nodes
            else self.chart.main
        )

    # --- handing on

    def must_hand_on(self) -> bool:
        """The history gets long: nothing new is started, so that the run can go on as a new one.

        A paused run stays where it is while it can: its heir would not open its gates again before it is resumed.
        """
        if self.ending or not self._info.is_continue_as_new_suggested():
            return False
        length = self._info.get_current_history_length()
        return length >= (LAST_EVENTS if self.steering.paused else self._stays_for)

    def stay(self) -> None:
        """What an heir would be given is too much: the run goes on here for as long again, if its history has room."""
        length, size = self._info.get_current_history_length(), self._info.get_current_history_size()
        if length > LAST_EVENTS or size > LAST_BYTES:
            raise Failed("input", f"a history of {length:,} events and {size:,} bytes, and what is known is too large")
        self._stays_for = min(length * 2, LAST_EVENTS + 1)
        self.wake()

    def is_quiet(self) -> bool:
        return self.calls.busy == 0 and all(walk.crash is None for walk in self.walks)


def _facts(info: workflow.Info, options: Options, started_at: datetime) -> dict[str, Any]:
    return {
        "id": info.workflow_id,
        "mode": options.mode,
        "tags": options.tags,
        "tenant": options.tenant,
        "actor": options.actor,
        "started_at": started_at.isoformat().replace("+00:00", "Z"),
    }


def _nodes(plan: Plan) -> Iterator[plans.Node]:
    for graph in (plan.graph, plan.final):
        yield from graph.walk() if graph else ()


def _budget(plan: Plan, options: Options) -> Budget:
    """The manifest's, with what the person who started the run said in its place."""
    said = options.budget.model_dump(exclude_none=True) if options.budget else {}
    return plan.budget.model_copy(update=said)
