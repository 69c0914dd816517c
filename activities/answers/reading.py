"""The answer of a model, read against its schema: as it stands, found, repaired, led into the schema, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from activities.answers.coercing import coerced
from activities.answers.finding import candidates
from activities.answers.parsing import NotJson, TooDeep, parsed
from manifests.values import completed, in_form, misfit, misfits, out_of_range

MOST = 4_000_000
# An answer of the right kind with more misfits than this is another thing altogether.
FEW = 5
# What a refusal quotes of an answer, and how many misfits it tells of.
QUOTED = 400
TOLD = 3

Category: TypeAlias = Literal["json_syntax", "json_minor", "json_major"]
Rung: TypeAlias = Literal["strict", "extracted", "repaired", "coerced"]
# What may be missing or too much in an object that is meant.
_WITHIN = ("required", "additionalProperties", "unevaluatedProperties", "dependentRequired")


@dataclass(frozen=True)
class Read:
    """The value, the rung of the ladder that gave it, and what was done to it on the way."""

    value: Any
    rung: Rung
    steps: tuple[str, ...] = ()


class Unreadable(ValueError):
    """No answer: what is wrong, at which JSON pointer of it, and the offending part of what was said."""

    def __init__(self, category: Category, message: str, at: str = "", offending: str = "") -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.at = at
        self.offending = _shortened(offending)


def read(text: str, schema: Mapping[str, Any], most: int = MOST) -> Read:
    """The answer that a text of at most so many characters holds; raises `Unreadable`."""
    if len(text) > most:
        message = f"the answer has {len(text):,} characters; at most {most:,} are read"
        raise Unreadable("json_major", message, offending=text[:QUOTED])
    try:
        return _chosen(list(_found(text)), schema)
    except NotJson as error:
        start = max(0, error.at - QUOTED // 2)
        category: Category = "json_major" if isinstance(error, TooDeep) else "json_syntax"
        message = f"the answer cannot be read as JSON: {error.message}, {_place(text, error.at)}"
        raise Unreadable(category, message, offending=text[start : start + QUOTED]) from None


def fitted(value: Any, schema: Mapping[str, Any]) -> Read:
    """An answer that came as a value; raises `Unreadable`."""
    return _chosen([Read(value, "strict")], schema)


def ask_again(error: Unreadable, schema: Mapping[str, Any]) -> str:
    """What to tell the model that has given such an answer."""
    wanted = json.dumps(schema, ensure_ascii=False)
    quoted = f"\nThis part is wrong:\n{error.offending}" if error.offending else ""
    return (
        f"Your answer cannot be used: {error.message}.{quoted}\n"
        f"Answer again, with JSON alone, that fits this JSON Schema:\n{wanted}"
    )


def _found(text: str) -> Iterator[Read]:
    """What may be the answer, the best first."""
    try:
        yield Read(parsed(text), "strict")
        return
    except NotJson:
        found = [*reversed(candidates(text))]
    yield from (Read(each.value, "extracted") for each in found if not each.steps)
    yield from (Read(each.value, "repaired", each.steps) for each in found if each.steps)


def _chosen(found: Sequence[Read], schema: Mapping[str, Any]) -> Read:
    for each in found:
        filled = completed(schema, each.value)
        if not misfit(schema, filled) and not out_of_range(filled):
            value = in_form(schema, filled)
            if filled == each.value:
                return Read(value, each.rung, each.steps)
            return Read(value, "coerced", (*each.steps, "default"))
    for each in found:
        led = coerced(schema, each.value)
        if led is not None:
            return Read(in_form(schema, led[0]), "coerced", (*each.steps, *led[1]))
    raise _refused(found[0].value, schema)


def _refused(value: Any, schema: Mapping[str, Any]) -> Unreadable:
    errors = list(islice(misfits(schema, completed(schema, value)), FEW + 1))
    if not errors:
        return Unreadable("json_minor", f"the answer does not fit: {out_of_range(value)}")
    told = "; ".join(f"{_pointer(error) or 'the whole'}: {_shortened(error.message)}" for error in errors[:TOLD])
    is_near = len(errors) <= FEW and _is_of_its_kind(value, schema, errors)
    part = json.dumps(errors[0].instance, ensure_ascii=False, default=str)
    message = f"the answer does not fit its schema: {told}"
    return Unreadable("json_minor" if is_near else "json_major", message, _pointer(errors[0]), part)


def _is_of_its_kind(value: Any, schema: Mapping[str, Any], errors: Sequence[Any]) -> bool:
    """Whether the root is what is wanted, and has something of it if it is an object."""
    if any(not error.instance_path and error.kind.name not in _WITHIN for error in errors):
        return False
    named = schema.get("properties")
    return not isinstance(value, dict) or not named or not value.keys().isdisjoint(named)


def _pointer(error: Any) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.instance_path)


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"at line {line}, column {at - text.rfind(chr(10), 0, at)}"


def _shortened(text: str) -> str:
    """Its beginning and its end: what is wanted stands at the end of what a validator says."""
    half = QUOTED // 2
    return text if len(text) <= QUOTED else f"{text[: half - 1]}…{text[-half:]}"
