"""Routes become ladders of concrete models, in the order that they are tried."""

from __future__ import annotations

from decimal import Decimal

from manifests.bundle import Bundle
from manifests.failures import expanded
from manifests.shape.models import Model


def ladder(bundle: Bundle, name: str) -> list[str]:
    """The concrete models behind a model or route, first choice first."""
    if name in bundle.models:
        return [name]
    route = bundle.routes[name].value
    rungs = list(dict.fromkeys(model for rung in route.ladder for model in ladder(bundle, rung)))
    match route.prefer:
        case "cheapest":
            # Sorting is stable: of equally cheap ones the author's order stays.
            rungs.sort(key=lambda rung: price(bundle.models[rung].value))
        case "largest_context":
            rungs.sort(key=lambda rung: -bundle.models[rung].value.context)
    return rungs


def climbs_on(bundle: Bundle, name: str) -> list[str]:
    """The failures that lead to the next rung."""
    if name in bundle.models:
        return []
    found = bundle.routes[name].value.on
    return list(dict.fromkeys(single for category in found for single in expanded(category)))


def price(model: Model) -> Decimal:
    """What a token in and a token out cost together."""
    return (model.price.input + model.price.output) / model.price.per if model.price else Decimal(0)
