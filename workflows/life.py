"""The life of a run: pinned to a plan, carried out, undone where it failed, finished, or handed on to an heir."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError

from activities.contracts import BLOB, Pinned, PinRequest
from manifests.values import DEEPEST, too_deep
from workflows import heirs, noting
from workflows.calls import go_on
from workflows.chart import SHELF
from workflows.closing import deeds_given_out, given_out
from workflows.details import details, mermaid
from workflows.failures import Failed, understood
from workflows.interpreter import Interpreter
from workflows.options import Options
from workflows.orders import ORDERS, Order, Refused, read
from workflows.parts import carry_out_part
from workflows.sizes import LARGEST_ESTATE, size_of
from workflows.together import ended, to_the_end
from workflows.values import has_blob
from workflows.walk import Walk

PINNING = timedelta(seconds=20)
# What could not be undone is said of so many deeds; a failure has to fit into one message.
MOST_LEFT = 20


class Life:
    def __init__(self) -> None:
        self._run: Interpreter | None = None
        self._early: list[tuple[str, list[Any]]] | None = []

    @property
    def interpreter(self) -> Interpreter | None:
        return self._run

    async def run(self, args: list[Any]) -> Any:
        """The output of the run; raises what Temporal shows as its failure."""
        given, options, saved = _read(args)
        # An heir has deeds to take back: it is told that it is cancelled once it knows of them.
        pinned = await (_pinned(given, options) if saved is None else to_the_end(_pinned(given, options)))
        plan = SHELF.plan(pinned.sha256, pinned.plan)
        given = given if pinned.input is None else pinned.input
        try:
            self._run = run = Interpreter(plan, {} if given is None else given, options, pinned)
        except Failed as failure:
            raise failure.as_temporal(None, {}) from None
        if saved is not None:
            heirs.take_up(run, saved)
        noting.begun(run)
        run.board.attributes = pinned.search_attributes
        if saved is None:
            self._listen_to_early()
        run.board.attributes_changed()
        return await self._lived(run)

    def _listen_to_early(self) -> None:
        early, self._early = self._early, None
        for name, brought in early or ():
            self.signalled(name, brought)

    async def _lived(self, run: Interpreter) -> Any:
        try:
            go_on()
            output = await given_out(run, await self._worked(run))
            await deeds_given_out(run)
        except Failed as failure:
            await to_the_end(self._ended(run, "failed", failure))
            raise failure.as_temporal(run.pipeline, run.ledger.bill()) from None
        except asyncio.CancelledError:
            cancelled = Failed("cancelled", "the run was cancelled")
            await to_the_end(self._ended(run, "cancelled", cancelled))
            if run.options.is_child and not run.ledger.is_untouched:
                # A cancellation has no details, and the parent must know what was spent.
                raise cancelled.as_temporal(run.pipeline, run.ledger.bill()) from None
            raise
        await to_the_end(self._ended(run, "completed", None))
        if not run.options.is_child:
            return output
        deeds = run.undoing.dump()
        return {"output": output, "spent": run.ledger.bill()} | ({"deeds": deeds} if deeds else {})

    async def _worked(self, run: Interpreter) -> Any:
        """The work itself. Where the history gets long, the run goes on as a new one once nothing is under way."""
        part = run.options.part
        work = asyncio.create_task(run.carry_out(run.main) if part is None else carry_out_part(run, part))
        try:
            if self._early is not None:
                # What an heir is told is about gates and nodes, which are open again only once it has begun.
                await workflow.wait_condition(lambda: True)
                self._listen_to_early()
            while not await self._quiet(run, work):
                estate = [run.input, heirs.options_for(run), heirs.estate_of(run)]
                if size_of(estate) <= LARGEST_ESTATE:
                    run.board.attributes_changed()
                    workflow.continue_as_new(args=estate)
                run.stay()
        except (asyncio.CancelledError, Failed):
            await ended([work])
            raise
        return work.result()

    @staticmethod
    async def _quiet(run: Interpreter, work: asyncio.Task[Any]) -> bool:
        """Waits until the run should be handed on and can be; true when its work is done."""
        await workflow.wait_condition(lambda: work.done() or run.must_hand_on())
        await workflow.wait_condition(lambda: work.done() or (run.is_quiet() and workflow.all_handlers_finished()))
        return work.done()

    async def _ended(self, run: Interpreter, how: str, failure: Failed | None) -> None:
        """What happens at every exit; a failure of `finally` is the run's unless it has one already."""
        self._listen_to_early()
        run.ledger.open_handed = True
        run.ending, run.steering.paused = True, False
        run.board.stage = "undoing" if failure else "finishing"
        if failure is not None:
            left = await run.undoing.all()
            if left:
                more = f"; and {len(left) - MOST_LEFT} more could not be undone" if len(left) > MOST_LEFT else ""
                failure.message += "; " + "; ".join(left[:MOST_LEFT]) + more
        error = failure.as_error() if failure else {}
        if run.chart.final is not None and run.options.part is None:
            await self._finally(run, error, failure)
        await workflow.wait_condition(workflow.all_handlers_finished)
        run.board.stage = how
        run.board.attributes_changed()

    async def _finally(self, run: Interpreter, error: dict[str, Any], failure: Failed | None) -> None:
        assert run.chart.final is not None
        scope = run.main.scope.new_child({"error": error})
        try:
            await run.carry_out(Walk(run.chart.final, scope, {}))
        except Failed as second:
            if failure is None:
                run.board.stage = "failed"
                run.board.attributes_changed()
                raise second.as_temporal(run.pipeline, run.ledger.bill()) from None
            failure.message += f"; and finally {second.node}: {second.message}"

    # --- steering

    def check(self, name: str, given: Any) -> None:
        """Raises `Refused`; before the plan is known nothing can be said against an order."""
        order = _order(name, given)
        if self._run is not None:
            self._run.steering.check(order)

    async def ordered(self, name: str, given: Any) -> dict[str, Any]:
        order = _order(name, given)
        await workflow.wait_condition(lambda: self._early is None)
        assert self._run is not None
        return self._run.steering.carry_out(order)

    def signalled(self, name: str, args: list[Any]) -> None:
        """A signal that a node waits for, or an order; what is neither is noted, for a signal cannot be refused."""
        run = self._run
        if self._early is not None or run is None:
            self._early = [*(self._early or ()), (name, args)]
            return
        brought = args[0] if args else None
        if isinstance(brought, Refused):
            run.steering.note("signal refused", "", f"{name!r}: {brought.message}")
        elif has_blob(brought):
            run.steering.note("signal refused", "", f"{name!r} has a field {BLOB!r}")
        elif name in run.awaited_signals:
            run.steering.signals.setdefault(name, []).append(brought)
        elif name in ORDERS:
            self._order_by_signal(run, name, brought)
        else:
            run.steering.note("signal ignored", "", f"nothing waits for {name!r}")

    @staticmethod
    def _order_by_signal(run: Interpreter, name: str, brought: Any) -> None:
        try:
            order = _order(name, brought)
            run.steering.carry_out(order)
        except Refused as refused:
            run.steering.note(f"{name} refused", "", refused.message)

    # --- looking

    def details(self) -> str:
        return details(self._run) if self._run else "the run is starting"

    def state(self) -> Any:
        return heirs.state_of(self._run) if self._run else {"status": "starting"}

    def checkpoint(self) -> Any:
        return heirs.checkpoint_of(self._run) if self._run else None

    def graph(self) -> str:
        return mermaid(self._run) if self._run else ""

    def decisions(self) -> Any:
        return self._run.steering.decisions if self._run else []

    def budget(self) -> Any:
        return self._run.ledger.as_json() if self._run else {}

    def gates(self) -> Any:
        return self._run.steering.gates.as_json() if self._run else []


def _order(name: str, given: Any) -> Order:
    """Raises `Refused`, also where an order could name by its hash what its author may not see."""
    if too_deep(given):
        raise Refused(f"{name}: it is nested deeper than {DEEPEST} levels")
    if has_blob(given):
        raise Refused(f"{name}: it may not have a field {BLOB!r}: that is how references are marked")
    return read(ORDERS[name], given, name)


def _read(args: list[Any]) -> tuple[Any, Options, dict[str, Any] | None]:
    """The input, the options, and what an earlier run of the same chain has handed on."""
    # What an earlier run hands on is the third; nobody else gives one.
    if len(args) > (3 if workflow.info().continued_run_id else 2):
        raise ApplicationError("a run takes its input and its options", type="input", non_retryable=True)
    given, said, saved = [*args, None, None, None][:3]
    options = read(Options, said, "options")
    if workflow.info().parent is None and not workflow.info().continued_run_id:
        _refuse_what_is_for_children(options)
    return given, options, saved


def _refuse_what_is_for_children(options: Options) -> None:
    if options.part is not None or options.is_child:
        raise Refused("options: `part` and `is_child` are what a run says to the child runs that it starts")
    if has_blob([order.model_dump() for order in options.overrides]):
        raise Refused(f"options: overrides may not have a field {BLOB!r}: that is how references are marked")


async def _pinned(given: Any, options: Options) -> Pinned:
    """Which plan this run carries out, for ever: the marker of this call in the history is the pin."""
    request = PinRequest(
        type=workflow.info().workflow_type,
        input=given,
        plan=options.plan,
        is_child=workflow.info().parent is not None,
        is_part=options.part is not None,
    )
    try:
        pinned: Pinned = await workflow.execute_local_activity(
            "plans.pin",
            request,
            result_type=Pinned,
            start_to_close_timeout=PINNING,
            retry_policy=RetryPolicy(maximum_attempts=3),
            summary="pin",
        )
    except FailureError as error:
        raise understood(error).as_temporal(None, {}) from None
    return pinned
