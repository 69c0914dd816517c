"""Parts of a plan in a few words, for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from manifests.drawing.captions import caption, duration
from manifests.failures import CATEGORIES, FAILS_IN, GROUPS, JSON
from manifests.plan import Budget, Decision, Human, ModelSpec, Node, Plan, Retry, Transform


def runs(node: Node) -> str:
    """What a node runs, besides being of its kind."""
    if isinstance(node, Transform):
        return value(node.value)
    if isinstance(node, Human):
        return node.ask
    if isinstance(node, Decision):
        return "all that hold" if node.many else "first that holds"
    return caption(node).partition(" · ")[2].replace(" · ", ", ")


def tries(retry: Retry | None) -> str:
    """A retry ladder as in `3 tries, 2s ×2 ≤ 1m`."""
    if retry is None or retry.attempts == 1:
        return ""
    waits = duration(retry.initial_ms)
    if retry.attempts > 2:
        waits += f" ×{retry.backoff:g} ≤ {duration(retry.max_ms)}" if retry.backoff > 1 else " each"
    return f"{retry.attempts} tries, {waits}"


def value(written: Any) -> str:
    """A value of a manifest on one line."""
    if isinstance(written, str):
        return " ".join(written.split())
    return json.dumps(written, ensure_ascii=False)


def failures(kind: str, targets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Where failures go, categories of a group said by its name: pairs of what and where to."""
    by_target: dict[str, list[str]] = {}
    for category in CATEGORIES:
        if category in targets:
            by_target.setdefault(targets[category], []).append(category)
    return [(", ".join(categories(kind, found, targets)), target) for target, found in by_target.items()]


def categories(kind: str, found: list[str], handled: Collection[str]) -> list[str]:
    """Categories that a node of a kind fails in; `handled` are those that go anywhere, these and others."""
    every = set(FAILS_IN[kind]) & set(GROUPS["error"])
    rest = [category for category in found if category not in every]
    if every <= set(found):
        return ["any failure", *rest]
    if every <= set(handled) and len(found) > len(every) / 2:
        return ["any other failure", *rest]
    return folded(found)


def folded(categories: list[str]) -> list[str]:
    """The categories, with `json` for the three of them together."""
    if not set(JSON) <= set(categories):
        return categories
    where = categories.index(JSON[0])
    return [*categories[:where], "json", *(name for name in categories[where:] if name not in JSON)]


def rung(plan: Plan, name: str) -> str:
    """A concrete model of a ladder."""
    spec: ModelSpec | None = plan.models.get(name)
    return f"{name} ({spec.provider} {spec.model})" if spec else name


def budget(said: Budget | None) -> str:
    """What may be spent, as in `20,000 tokens, $0.50, 1h`."""
    if said is None:
        return ""
    parts = [
        f"{said.tokens:,} tokens" if said.tokens is not None else "",
        money(said.usd) if said.usd is not None else "",
        duration(said.time_ms) if said.time_ms is not None else "",
        f"{said.calls:,} calls" if said.calls is not None else "",
    ]
    return ", ".join(filter(None, parts))


def money(dollars: str) -> str:
    """An amount in cents, unless that would hide it."""
    amount = Decimal(dollars)
    return f"${amount:,.2f}" if amount >= Decimal("0.01") or not amount else f"${dollars}"


def fields(names: list[str]) -> str:
    """The fields of an output that others read; an empty name is all of it."""
    return ", ".join(name or "(all of it)" for name in names)
