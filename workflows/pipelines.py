"""Which way through the graph a run takes: the pipeline with the highest score among those that may be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifests.plan import Pipeline, Plan
from manifests.problems import did_you_mean
from workflows.failures import Failed
from workflows.values import Values


def chosen(plan: Plan, values: Values, scope: Mapping[str, Any], asked_for: str | None) -> str | None:
    """The pipeline that was asked for, or the best one, ties by name; None where the manifest has no pipelines."""
    names = [pipeline.name for pipeline in plan.pipelines]
    if asked_for is not None:
        if asked_for not in names:
            raise Failed("input", f"no pipeline {asked_for!r}; {did_you_mean(asked_for, names, 'pipeline')}")
        return asked_for
    open_ones = [each for each in plan.pipelines if each.when is None or values.evaluate(each.when, scope) is True]
    if not open_ones:
        return None
    best = min(open_ones, key=lambda each: (-_score(each, values, scope), each.name))
    return best.name


def _score(pipeline: Pipeline, values: Values, scope: Mapping[str, Any]) -> float:
    score = values.evaluate(pipeline.score, scope) if isinstance(pipeline.score, str) else pipeline.score
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise Failed("input", f"the score of the pipeline {pipeline.name!r} is {str(score)[:80]!r}, not a number")
    return float(score)
