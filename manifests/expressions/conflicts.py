"""Where a value can never be what its consumer accepts; silent wherever it might fit."""

from __future__ import annotations

from dataclasses import dataclass

from manifests.expressions.schemas import Schema, accepted_by
from manifests.expressions.tree import Path
from manifests.expressions.types import Type, is_among


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is wrong, and where in the value."""

    path: Path
    message: str


def conflict(wanted: Schema, got: Type) -> list[Conflict]:
    """What no value of this type can do right: every one of these is certain."""
    if wanted is False:
        return [Conflict((), "nothing is accepted here")]
    return against(accepted_by(wanted), got)


def against(wanted: Type, got: Type, path: Path = ()) -> list[Conflict]:
    """The same for a schema that was read once, with `accepted_by`."""
    if wanted.is_dyn or got.is_dyn or not got.kinds <= _JSON:
        return []
    shared = _loose(wanted) & _loose(got)
    if not shared:
        return [Conflict(path, f"{wanted} is wanted, and this is {got}")]
    if wanted.enum is not None and got.enum is not None and not any(is_among(one, wanted.enum) for one in got.enum):
        values = ", ".join(map(repr, wanted.enum))
        return [Conflict(path, f"one of {values} is wanted, and this is {' or '.join(map(repr, got.enum))}")]
    if shared == {"object"}:
        return _objects(wanted, got, path)
    if shared == {"list"} and got.least and wanted.item is not None and got.item is not None:
        return against(wanted.item, got.item, (*path, 0))
    return []


_JSON = frozenset({"null", "bool", "int", "double", "string", "list", "object"})


def _loose(type_: Type) -> frozenset[str]:
    """JSON Schema knows no difference between 3 and 3.0."""
    return type_.kinds | {"int", "double"} if type_.kinds & {"int", "double"} else type_.kinds


def _objects(wanted: Type, got: Type, path: Path) -> list[Conflict]:
    found: list[Conflict] = []
    for name, field in wanted.fields.items():
        if field.always and got.sealed and got.lookup(name) is None:
            found.append(Conflict(path, f"the field {name!r} is missing"))
    for name, field in got.fields.items():
        if not field.always:
            continue
        asked = wanted.lookup(name)
        if asked is not None:
            found += against(asked.type, field.type, (*path, name))
        elif wanted.sealed:
            found.append(Conflict((*path, name), f"the field {name!r} is not accepted here"))
    return found
