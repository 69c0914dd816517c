"""What calls of models come to, in numbers for whoever watches the workers."""

from __future__ import annotations

import time
from collections.abc import Callable

from temporalio import activity
from temporalio.common import MetricMeter

from activities.contracts import Usage
from activities.models.breaker import Breaker
from manifests.plan import ModelSpec

# Each metric with its labels; docs/gpu-pools.md has them as a table.
METRICS = {
    "haulage_model_calls": ("model, pool, outcome", "Calls; the outcome is `ok`, or the category of the failure."),
    "haulage_model_tokens": ("model, pool, kind", "Tokens; the kind is `in`, `out`, `cached` or `reasoning`."),
    "haulage_model_seconds": ("model, pool", "Seconds from a call to the end of its answer, as a histogram."),
    "haulage_model_first_seconds": ("model, pool", "Seconds from a call to the first piece of its answer."),
    "haulage_answers": ("model, pool, rung", "Answers that were read against a schema, by the step that did it."),
    "haulage_endpoint_resting": ("endpoint", "1 while an endpoint that failed again and again is left alone."),
    "haulage_pool_backlog": ("pool", "Calls that wait in the queue of the pool."),
    "haulage_pool_slots": ("pool", "Calls that the pool's model server takes at once from this worker; 0 if unwell."),
    "haulage_pool_used": ("pool", "Calls that the pool's model server is at work on for this worker."),
    "haulage_pool_healthy": ("pool", "1 while the pool's model server is well."),
}
# Seconds; those of the SDK end where a model is still thinking.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)


def _described(name: str) -> tuple[str, str]:
    return name, METRICS[name][1].replace("`", "")


def gauge(meter: MetricMeter, name: str, value: int, **labels: str) -> None:
    meter.create_gauge(*_described(name)).set(value, labels)


class Measured:
    """One call of a model, from now on."""

    def __init__(self, model: ModelSpec, breaker: Breaker) -> None:
        self._meter = activity.metric_meter()
        self._labels = {"model": model.model, "pool": model.pool}
        self._breaker = breaker
        self._began = time.monotonic()

    def listening(self, on_text: Callable[[str], None]) -> Callable[[str], None]:
        is_first = True

        def told(piece: str) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                self._seconds("haulage_model_first_seconds")
            on_text(piece)

        return told

    def ended(self, outcome: str, usage: Usage | None) -> None:
        self._count("haulage_model_calls", 1, outcome=outcome)
        self._seconds("haulage_model_seconds")
        used = usage or Usage()
        counts = {"in": used.tokens_in, "out": used.tokens_out, "cached": used.cached, "reasoning": used.reasoning}
        for kind, many in counts.items():
            self._count("haulage_model_tokens", many, kind=kind)
        gauge(self._meter, "haulage_endpoint_resting", int(self._breaker.is_open), endpoint=self._breaker.where)

    def _count(self, name: str, many: int, **labels: str) -> None:
        self._meter.create_counter(*_described(name)).add(many, {**self._labels, **labels})

    def _seconds(self, name: str) -> None:
        took = time.monotonic() - self._began
        self._meter.create_histogram_float(*_described(name), "s").record(took, self._labels)


def read_by(model: ModelSpec, rung: str) -> None:
    """An answer was read on this rung."""
    labels = {"model": model.model, "pool": model.pool, "rung": rung}
    activity.metric_meter().create_counter(*_described("haulage_answers")).add(1, labels)
