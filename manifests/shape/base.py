"""What every manifest file is made of: strict models, names, durations, sizes, money, references."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

API_VERSION = "haulage/v1"

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE = re.compile(r"(\d+)\s*(B|KB|KiB|MB|MiB|GB|GiB)")
_BYTES = {"B": 1, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


class Shape(BaseModel):
    """A part of a manifest: no key but the declared ones, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True, defer_build=True)


def _duration(value: object) -> int:
    if isinstance(value, str) and _DURATION.fullmatch(value):
        parts = _DURATION_PART.findall(value)
        milliseconds = int(sum(Decimal(number) * _MILLISECONDS[unit] for number, unit in parts))
        if 0 < milliseconds <= 10 * 365 * _MILLISECONDS["d"]:
            return milliseconds
    raise PydanticCustomError(
        "duration", "{value} is not a duration", {"value": _shown(value), "fix": _unit_fix(value)}
    )


def _unit_fix(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"say the unit: {value:g}s, {value:g}m or {value:g}h"
    return "write a number and a unit, as in 500ms, 10s, 5m, 1h30m or 2d"


def _size(value: object) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found and int(found[1]) > 0:
        return int(found[1]) * _BYTES[found[2]]
    fix = "write a number and a unit, as in 512KiB, 64MiB or 2GiB"
    raise PydanticCustomError("size", "{value} is not a size", {"value": _shown(value), "fix": fix})


def _money(value: object) -> Decimal:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and 0 <= amount <= 10**9:
            return amount
    fix = "write a number such as 0.50"
    raise PydanticCustomError("money", "{value} is not an amount of money", {"value": _shown(value), "fix": fix})


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def shown_duration(milliseconds: int) -> str:
    """A duration as an author would write it."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, milliseconds = divmod(milliseconds, _MILLISECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0ms"


def shown_size(size: int) -> str:
    """A size as an author would write it."""
    for unit in ("GiB", "MiB", "KiB"):
        if size >= _BYTES[unit]:
            return f"{size / _BYTES[unit]:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"


Duration: TypeAlias = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["500ms", "10s", "1h30m"]}),
]
Size: TypeAlias = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["512KiB", "64MiB"]}),
]
Money: TypeAlias = Annotated[
    Decimal, BeforeValidator(_money), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
NodeId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
EnvironmentName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Expression: TypeAlias = Annotated[str, StringConstraints(min_length=1), Field(description="A CEL expression.")]
Value: TypeAlias = Annotated[Any, Field(description="Any value; `${ … }` in its texts is evaluated.")]
Literals: TypeAlias = Annotated[Any, Field(description="Any value, taken as it stands.")]
JsonSchema: TypeAlias = Annotated[
    Annotated[dict[str, Any], Tag("kind:schema")] | Annotated[str, Tag("kind:path")],
    Discriminator(lambda value: "kind:path" if isinstance(value, str) else "kind:schema"),
    Field(description="A JSON Schema, or the path of one inside the bundle."),
]

Category: TypeAlias = Literal[
    "transient",
    "rate_limited",
    "timeout",
    "unavailable",
    "json_syntax",
    "json_minor",
    "json_major",
    "context",
    "refusal",
    "tool",
    "denied",
    "rejected",
    "expired",
    "budget",
    "memory",
    "input",
    "cancelled",
    "engine",
]
Effect: TypeAlias = Literal["pure", "idempotent", "compensable", "irreversible"]
Risk: TypeAlias = Literal["low", "medium", "high"]
Mode: TypeAlias = Literal["normal", "analysis_only", "dry_run"]


class EnvRef(Shape):
    """A setting that differs by place, read from the environment by the worker."""

    env: EnvironmentName = Field(description="Name of the environment variable.")
    default: str | None = Field(None, description="What holds when the variable is not set.")


class SecretRef(Shape):
    """A secret by name; only activities ever see its value."""

    secret: EnvironmentName = Field(description="Name of the secret.")


Setting: TypeAlias = Annotated[
    Annotated[EnvRef, Tag("kind:env")] | Annotated[str, Tag("kind:text")],
    Discriminator(lambda value: "kind:env" if isinstance(value, dict) else "kind:text"),
]


class ManifestFile(Shape):
    """What every file of a bundle starts with."""

    apiVersion: Literal["haulage/v1"] = Field(description="Version of the language.")
    include: list[Text] = Field(
        default_factory=list, description="Files of this bundle, or of one beside it, whose names this file adds."
    )


class Budget(Shape):
    """What may be spent; absent means no limit of that sort."""

    tokens: int | None = Field(None, ge=1, description="Tokens in and out, over all model calls.")
    usd: Money | None = Field(None, description="Money for model calls, in dollars.")
    time: Duration | None = Field(None, description="Working time; waiting for people does not count.")
    calls: int | None = Field(None, ge=1, description="Model and tool calls, tries included.")


class Retry(Shape):
    """How often a node is tried, and how long it waits in between."""

    attempts: int = Field(description="Tries in all, the first one included.", ge=1, le=100)
    initial: Duration = Field(1_000, description="Wait before the second try.")
    backoff: float = Field(2.0, ge=1, le=100, description="Factor from one wait to the next.")
    max: Duration = Field(60_000, description="Longest wait.")
    on: list[Literal[Category, "json"]] | None = Field(
        None, min_length=1, description="Only these categories; absent means those where trying again makes sense."
    )
