"""What the nodes of each kind give, and what every expression may look at."""

from __future__ import annotations

from typing import Any

from manifests.expressions.schemas import of_schema
from manifests.expressions.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NUMBER,
    OBJECT,
    STRING,
    Field,
    Type,
    join,
    list_of,
    literal,
    object_of,
)
from manifests.failures import CATEGORIES
from manifests.shape import workflow as shapes

MEMORY = object_of({"id": STRING, "text": STRING, "score": NUMBER})
RECALLED = object_of({"items": list_of(MEMORY), "text": STRING})
CHOSEN = object_of({"to": list_of(STRING)})
WRITTEN = object_of({"id": STRING})
WAITED = object_of({"at": STRING})
RUN = object_of(
    {
        "id": STRING,
        "mode": join(literal(mode) for mode in ("normal", "analysis_only", "dry_run")),
        "tags": list_of(STRING),
        "tenant": STRING,
        "actor": STRING,
        "started_at": STRING,
    }
)
ERROR = object_of(
    {
        "category": join(literal(category) for category in CATEGORIES),
        "message": STRING,
        "node": STRING,
        "attempt": INT,
        "cost": DOUBLE,
    }
)
RECALL_INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": {"type": "string"},
        "k": {"type": "integer", "minimum": 1, "maximum": 1000},
        "filter": {"type": "object"},
    },
    "additionalProperties": False,
}
REMEMBER_INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "importance": {"type": "number", "minimum": 0, "maximum": 1},
        "data": {"type": "object"},
    },
    "additionalProperties": False,
}


def of_human(gate: shapes.Gate, form: dict[str, Any] | None) -> Type:
    if form is not None:
        return object_of({"form": of_schema(form), "by": STRING, "reason": STRING})
    choices = [choice for choice in choices_of(gate) if choice != "reject"]
    return object_of({"choice": join(map(literal, choices)) if choices else STRING, "by": STRING, "reason": STRING})


def choices_of(gate: shapes.Gate) -> list[str]:
    return gate.choices or ["approve", "reject"]


def of_merge(policy: str, by: str | None, sources: dict[str, Type], certain: dict[str, bool]) -> Type:
    """The type of what a merge makes of its ways in; a source that may not have run is a field that may be absent."""
    every = join(sources.values()) if sources else DYN
    match policy:
        case "object":
            return object_of({name: Field(type_, certain[name]) for name, type_ in sources.items()})
        case "list":
            return list_of(every)
        case "first":
            return every
        case "concat":
            return list_of(every.items) if every.kinds == {"list"} else DYN
        case "vote":
            field = every.lookup(by) if by and every.kinds == {"object"} else None
            winner = field.type if field else DYN if by else every
            votes = Type(frozenset({"object"}), additional=Field(INT, True))
            return object_of({"winner": winner, "votes": votes, "total": INT, "tie": BOOL})
        case _:
            return DYN  # no way to merge: said already, where it is named


def of_map(on_error: str, body: Type) -> Type:
    if on_error == "partition":
        failed = object_of({"index": INT, "item": DYN, "error": ERROR})
        return object_of({"ok": list_of(body), "failed": list_of(failed)})
    return list_of(body)


__all__ = [
    "CHOSEN", "DYN", "ERROR", "OBJECT", "RECALLED", "RECALL_INPUT", "REMEMBER_INPUT", "RUN", "WAITED", "WRITTEN",
    "choices_of", "of_human", "of_map", "of_merge",
]  # fmt: skip
