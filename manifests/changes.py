"""One difference between two plans, and how they are found in mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

ADDED, REMOVED = "added", "removed"
# Lists in whose order nothing lies.
SETS = frozenset(
    {
        *("next_rung_on", "on", "reads", "tools", "readers", "writers", "choices", "required", "enum"),
        *("read", "write", "network", "commands", "secrets"),
    }
)
SCHEMAS = frozenset(("input", "output", "form", "payload"))
# Values that an author writes, where a list is a list whatever its key.
WRITTEN = frozenset(("inputs", "value", "show", "message", "default", "carry", "settings"))


@dataclass(frozen=True)
class Change:
    """One difference; `widens` says that more may happen than before."""

    section: str
    path: str
    what: str
    before: Any = None
    after: Any = None
    widens: bool = False


class Difference(NamedTuple):
    what: str
    before: Any
    after: Any


def come_or_gone(section: str, path: str, before: Any, after: Any) -> Change:
    return Change(section, path, ADDED if before is None else REMOVED, before, after)


def properties(section: str, path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Differences by property; those of a small mapping one by one."""
    for what, old, new in differences(before, after):
        yield Change(section, path, what, old, new)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], free: bool = True) -> Iterator[Difference]:
    """What differs in two mappings; `free` says that their keys are ours, so that we know which lists are sets."""
    for key in union(before, after):
        old, new = before.get(key), after.get(key)
        if old == new or (free and normal(key, old) == normal(key, new)):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            below = differences(old, new, free and key not in WRITTEN)
            yield from (Difference(f"{key}.{what}", was, now) for what, was, now in below)
        else:
            yield Difference(key, old, new)


def normal(key: str, value: Any) -> Any:
    """The value with the lists in whose order nothing lies in one order."""
    if key in SETS and isinstance(value, list):
        return sorted(value, key=repr)
    return _normal_schema(value) if key in SCHEMAS else value


def _normal_schema(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal_schema(normal(key, below)) for key, below in value.items()}
    return [_normal_schema(item) for item in value] if isinstance(value, list) else value


def union(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))
