"""What tools may do, compared: a change that lets more happen than before is one that widens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from manifests.changes import Change, come_or_gone, properties, union
from manifests.plan import Plan, ToolSpec

MAY = ("read", "write", "network", "commands", "secrets")
RANKS: dict[str, Sequence[Any]] = {
    "effect": ("pure", "idempotent", "compensable", "irreversible"),
    "risk": ("low", "medium", "high"),
}


def compared(one: Plan, other: Plan) -> Iterator[Change]:
    """Tools, gates by risk, and safe modes."""
    for name in union(one.tools, other.tools):
        yield from _tool(name, one.tools.get(name), other.tools.get(name))
    for risk in union(one.gates, other.gates):
        before, after = one.gates.get(risk, "none"), other.gates.get(risk, "none")
        if before != after:
            yield Change("policies", risk, "gate", before, after, before == "human")
    for mode in union(one.safe_modes, other.safe_modes):
        yield from _allowed("policies", mode, "effects", one.safe_modes.get(mode, []), other.safe_modes.get(mode, []))


def _tool(name: str, before: ToolSpec | None, after: ToolSpec | None) -> Iterator[Change]:
    if before is None or after is None:
        widens = after is not None and (after.effect != "pure" or any(getattr(after, kind) for kind in MAY))
        yield replace(come_or_gone("tools", name, before and may(before), after and may(after)), widens=widens)
        return
    for change in properties("tools", name, before.model_dump(mode="json"), after.model_dump(mode="json")):
        if change.what in MAY:
            yield from _allowed("tools", name, change.what, change.before, change.after)
        else:
            ranks = RANKS.get(change.what, ())
            widens = bool(ranks) and ranks.index(change.after) > ranks.index(change.before)
            yield Change("tools", name, change.what, change.before, change.after, widens)


def may(tool: ToolSpec) -> dict[str, Any]:
    """What a tool may do to the world."""
    touched = {kind: getattr(tool, kind) for kind in MAY if getattr(tool, kind)}
    return {"uses": tool.uses, "effect": tool.effect, "risk": tool.risk, **touched}


def _allowed(section: str, path: str, what: str, before: list[str], after: list[str]) -> Iterator[Change]:
    if set(before) != set(after):
        yield Change(section, path, what, before, after, bool(set(after) - set(before)))
