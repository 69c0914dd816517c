"""The tools and plugins that a manifest can build on: their contracts, and whether they run in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "required": sorted(required), "properties": properties, "additionalProperties": False}


@dataclass(frozen=True)
class Builtin:
    """What a built-in tool takes and gives; `effects` are those it can honestly be declared with."""

    input: dict[str, Any]
    output: dict[str, Any]
    effects: tuple[str, ...]
    in_process: bool = False
    settings: dict[str, Any] = field(default_factory=lambda: _object({}))
    open_contract: bool = False


_ANY_EFFECT = ("pure", "idempotent", "compensable", "irreversible")
_CHANGES = ("idempotent", "compensable", "irreversible")
_PURE = ("pure",)
_VECTORS = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
_ARGV = {"type": "array", "items": _TEXT, "minItems": 1}

TOOLS: dict[str, Builtin] = {
    "text.case": Builtin(
        _object({"text": _TEXT, "to": {"enum": ["upper", "lower", "title"]}}), _object({"text": _TEXT}), _PURE, True
    ),
    "text.split": Builtin(
        _object({"text": _TEXT}, separator=_TEXT, size={"type": "integer", "minimum": 1}),
        _object({"parts": {"type": "array", "items": _TEXT}}), _PURE, True,
    ),
    "text.hash": Builtin(_object({"text": _TEXT}), _object({"sha256": _TEXT}), _PURE, True),
    "json.parse": Builtin(_object({"text": _TEXT}), _object({"value": {}}), _PURE, True, open_contract=True),
    "embed": Builtin(
        _object({"texts": {"type": "array", "items": _TEXT}}), _object({"vectors": _VECTORS}), _PURE,
        settings=_object({"model": _TEXT}),
    ),
    "filesystem.read_file": Builtin(_object({"path": _TEXT}), _object({"text": _TEXT}), _PURE),
    "filesystem.list": Builtin(
        _object({"path": _TEXT}, glob=_TEXT), _object({"entries": {"type": "array", "items": _TEXT}}), _PURE
    ),
    "filesystem.write_file": Builtin(
        _object({"path": _TEXT, "text": _TEXT}), _object({"path": _TEXT, "bytes": _WHOLE}), _CHANGES
    ),
    "workspace.restore": Builtin(
        {"type": "object"}, _object({"restored": {"type": "array", "items": _TEXT}}), ("idempotent",)
    ),
    "command.run": Builtin(
        _object({}, argv=_ARGV, stdin=_TEXT), _object({"exit_code": _WHOLE, "stdout": _TEXT, "stderr": _TEXT}),
        _ANY_EFFECT, settings=_object({}, argv=_ARGV, parse={"enum": ["text", "json"]}), open_contract=True,
    ),
    "python.run": Builtin(
        _object({"code": _TEXT}), _object({"stdout": _TEXT, "value": {}}), _ANY_EFFECT,
        settings=_object({}, code=_TEXT), open_contract=True,
    ),
    "http.request": Builtin(
        _object({"url": _TEXT}, method={"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]}, headers={"type": "object"},
                body={}),
        _object({"status": _WHOLE, "body": {}}, headers={"type": "object"}), _ANY_EFFECT,
        settings=_object({}, url=_TEXT, method=_TEXT, headers={"type": "object"}), open_contract=True,
    ),
    "mcp.call": Builtin(
        {"type": "object"}, {"type": "object"}, _ANY_EFFECT,
        settings=_object({"server": _TEXT, "tool": _TEXT}), open_contract=True,
    ),
}  # fmt: skip

PLUGINS: dict[str, dict[str, Any]] = {
    "haulage.jsonl": _object({"path": _TEXT}),
    "haulage.costs": _object({}),
    "haulage.webhook": _object({"url": {}}, secret={"type": "object"}),
}
