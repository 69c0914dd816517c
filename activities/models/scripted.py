"""A model that answers without thinking: from a script, or with the least that fits the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def least(schema: Mapping[str, Any], name: str = "text") -> Any:
    """The smallest value that a schema describes in plain words; `name` fills in for texts."""
    for word in ("default", "const"):
        if word in schema:
            return schema[word]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("examples"):
        return schema["examples"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {each: least(properties.get(each, {}), each) for each in schema.get("required", ())}
        case "array":
            return [least(schema.get("items", {}), name) for _ in range(schema.get("minItems", 0))]
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return max(schema.get("minimum", 0), 0)
        case "boolean":
            return False
    return None


def _text(schema: Mapping[str, Any], name: str) -> str:
    text = name
    while len(text) < schema.get("minLength", 0):
        text += f" {name}"
    return text[: schema.get("maxLength", len(text))]
