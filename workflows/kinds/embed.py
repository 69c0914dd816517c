"""The tool `embed`: a call of a model, in its pool, with what it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activities.contracts import Embed, Usage, Vectors
from manifests import plan as plans
from workflows.budget import Spent
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter


async def called(
    run: Interpreter, walk: Walk, node: plans.Node, name: str, arguments: dict[str, Any], tag: str, key: str
) -> Any:
    """Raises `Failed`."""
    calls, chosen = run.calls, run.plan.tools[name].settings["model"]
    model = run.plan.models[chosen]
    about = calls.call(walk, node, calls.number(name), key=key or f"{calls.key(walk, node)}/{tag}")
    request = Embed(**about, tool=name, model=chosen, texts=arguments.get("texts"))
    usd = Decimal("0.000001") if Decimal(model.input_price) else Decimal(0)
    reserved = await run.ledger.reserved_for(Spent(1, 1, usd))
    used = Spent(calls=1)
    queue = node.queue if isinstance(node, plans.Tool) and node.queue else f"haulage.models.{model.pool}"
    try:
        found = await calls.activity(
            node, "models.embed", request, Vectors, id=tag, queue=queue,
            summary=f"{walk.at(node)}: {name} on {chosen}", wait_ms=model.wait_ms,
        )  # fmt: skip
        used = _spent(found.usage)
    except Failed as failure:
        used = _spent(Usage.model_validate(failure.usage))
        raise
    finally:
        run.ledger.settle(reserved, used)
    return run.noted(found.output)


def _spent(usage: Usage) -> Spent:
    return Spent(1, usage.tokens_in, Decimal(usage.usd))
