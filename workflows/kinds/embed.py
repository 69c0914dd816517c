"""The tool `embed`: a call of a model, in its pool, with what it costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activities.contracts import Cap, Embed, Usage, Vectors
from manifests import plan as plans
from workflows.budget import NOTHING, Ledger, Spent
from workflows.failures import Failed
from workflows.purse import DENSE, Prospect, Takes
from workflows.sizes import size_of
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def called(
    run: Interpreter, walk: Walk, node: plans.Node, name: str, arguments: dict[str, Any], tag: str, key: str
) -> Any:
    """Raises `Failed`. How long texts are that are kept outside of the run, only their worker knows: it is told."""
    calls, chosen = run.calls, run.plan.tools[name].settings["model"]
    about = calls.call(walk, node, calls.number(name), key=key or f"{calls.key(walk, node)}/{tag}")
    request = Embed(**about, tool=name, model=chosen, texts=arguments.get("texts"))
    counted = run.plan.ir_version >= 2
    tokens_in = size_of(request.texts) // DENSE if counted else None
    takes = Takes(tag, calls)
    while True:
        try:
            found = await _asked(run, walk, node, request, takes.id, tokens_in)
            return run.noted(found.output)
        except Failed as failure:
            tokens_in = await takes.again(failure) or tokens_in


async def _asked(
    run: Interpreter, walk: Walk, node: plans.Node, request: Embed, id: str, tokens_in: int | None
) -> Vectors:
    """One call, for which so many tokens are set aside; older plans count nothing before it."""
    calls, model = run.calls, run.plan.models[request.model]
    if tokens_in is None:
        usd = Decimal("0.000001") if Decimal(model.input_price) else Decimal(0)
        reserved = await run.ledger.reserved_for(Spent(1, 1, usd))
    else:
        reserved = await run.ledger.reserved_for(Prospect(tokens_in, 0, 0).spent(model, 0))
        request.cap = _cap(run.ledger, reserved)
    used, unheard = Spent(calls=1), NOTHING
    queue = node.queue if isinstance(node, plans.Tool) and node.queue else f"haulage.models.{model.pool}"
    try:
        found = await calls.activity(
            node, "models.embed", request, Vectors, id=id, queue=queue,
            summary=f"{walk.at(node)}: {request.tool} on {request.model}", wait_ms=model.wait_ms,
            once=calls.repeats_lost and request.cap is not None,
        )  # fmt: skip
        used = _spent(found.usage)
    except Failed as failure:
        used = replace(_spent(Usage.model_validate(failure.usage)), calls=int(failure.was_made))
        unheard = reserved.beyond(used) if failure.lost and calls.repeats_lost else NOTHING
        raise
    finally:
        run.ledger.settle(reserved, used, unheard)
    return found


def _cap(ledger: Ledger, aside: Spent) -> Cap | None:
    if ledger.open_handed or (ledger.tokens is None and ledger.usd is None):
        return None
    return Cap(
        tokens=None if ledger.tokens is None else aside.tokens,
        usd=None if ledger.usd is None else format(aside.usd, "f"),
    )


def _spent(usage: Usage) -> Spent:
    return Spent(1, usage.tokens_in, Decimal(usage.usd))
