"""Which kinds an operator takes, and what it gives."""

from __future__ import annotations

from manifests.expressions.types import Type

NUMBERS = frozenset({"int", "uint", "double"})
_ARITHMETIC = {(name, name): name for name in ("int", "uint", "double")}
_TIMES = {
    ("timestamp", "duration"): "timestamp",
    ("duration", "duration"): "duration",
}
_MIXED = {(left, right): "bool" for left in NUMBERS for right in NUMBERS}
_ORDERED = _MIXED | {(name, name): "bool" for name in ("bool", "string", "bytes", "timestamp", "duration")}
_PLUS = {(name, name): name for name in ("string", "bytes", "list")}

BINARY: dict[str, dict[tuple[str, str], str]] = {
    "_+_": _ARITHMETIC | _TIMES | _PLUS | {("duration", "timestamp"): "timestamp"},
    "_-_": _ARITHMETIC | _TIMES | {("timestamp", "timestamp"): "duration"},
    "_*_": _ARITHMETIC,
    "_/_": _ARITHMETIC,
    "_%_": {("int", "int"): "int", ("uint", "uint"): "uint"},
    "_<_": _ORDERED,
    "_<=_": _ORDERED,
    "_>_": _ORDERED,
    "_>=_": _ORDERED,
}
NEGATED = frozenset({"int", "double", "duration"})


def sign(function: str) -> str:
    """An operator as it is written."""
    return {"@in": "in", "_?_:_": "?", "_[_]": "[", "_[?_]": "[?", "_?._": ".?"}.get(function, function.strip("_"))


def pairs(function: str, left: Type, right: Type) -> tuple[set[str], list[tuple[str, str]]]:
    """The kinds that can come out, and the pairs of kinds that would fail; nulls are left aside."""
    table = BINARY[function]
    first = left.without_null().kinds or {one for one, _ in table}
    second = right.without_null().kinds or {other for _, other in table}
    open_ended = left.is_dyn or right.is_dyn
    given = [(one, other) for one in sorted(first) for other in sorted(second)]
    failing = [pair for pair in given if pair not in table]
    results = {table[pair] for pair in given if pair in table}
    # One side unknown: it fails for certain only when no kind at all would fit the other.
    return results, [] if open_ended and results else failing


def never_equal(left: Type, right: Type) -> bool:
    if left.is_dyn or right.is_dyn or "nothing" in left.kinds | right.kinds:
        return False
    return not _equal_kinds(left) & _equal_kinds(right)


def _equal_kinds(type_: Type) -> frozenset[str]:
    return type_.kinds | NUMBERS if type_.kinds & NUMBERS else type_.kinds
