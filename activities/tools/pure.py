"""The built-in tools that only compute: they run in process, and in a segment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from activities.failing import Failing


def case(text: str, to: str) -> dict[str, Any]:
    return {"text": {"upper": text.upper, "lower": text.lower, "title": text.title}[to]()}


def split(text: str, separator: str | None = None, size: int | None = None) -> dict[str, Any]:
    """At a separator, by size, or by both; with neither, at blanks."""
    parts = text.split(separator or None)
    if size is not None:
        whole = parts if separator is not None else [text]
        parts = [part[start : start + size] for part in whole for start in range(0, len(part), size)]
    return {"parts": parts}


def sha256(text: str) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def parse(text: str) -> dict[str, Any]:
    try:
        return {"value": json.loads(text, parse_constant=_no_constant)}
    except (ValueError, RecursionError) as error:
        raise Failing("json_syntax", f"the text is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


PURE: dict[str, Callable[..., dict[str, Any]]] = {
    "text.case": case,
    "text.split": split,
    "text.hash": sha256,
    "json.parse": parse,
}
