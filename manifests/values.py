"""Values against their JSON Schemas, where they enter a run or leave the world: judged, completed, put in form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

_INT64 = 2**63


def misfit(schema: Mapping[str, Any], value: Any) -> str:
    """The first thing that is wrong with a value, in words; empty when it fits."""
    found = next(iter(_validator(_text(schema)).iter_errors(value)), None)
    if found is None:
        return ""
    where = ".".join(str(step) for step in found.instance_path)
    return f"{where}: {found.message}" if where else str(found.message)


def completed(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with the defaults of absent properties filled in, at every level that `properties` leads to."""
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    filled = dict(value)
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        if name in filled:
            filled[name] = completed(part, filled[name])
        elif "default" in part:
            filled[name] = part["default"]
    return filled


def in_form(schema: Mapping[str, Any], value: Any) -> Any:
    """Whole numbers are doubles where the schema says `number`, as the types of expressions have them."""
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(value, dict) and isinstance(properties, dict):
        return {
            name: in_form(properties[name], below) if isinstance(properties.get(name), dict) else below
            for name, below in value.items()
        }
    if isinstance(value, list) and isinstance(items, dict):
        return [in_form(items, below) for below in value]
    return value


def out_of_range(value: Any) -> str:
    """Says which number does not fit 64 bits, if any."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current
        elif isinstance(current, int) and not isinstance(current, bool) and not -_INT64 <= current < _INT64:
            return f"the whole number {str(current)[:40]} does not fit 64 bits"
    return ""


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True)


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema))
