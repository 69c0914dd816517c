"""The JSON Schemas of manifest files, as editors and other programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests.bundle import KINDS, file_model

FOLDER = Path(__file__).parent / "schema" / "v1"
PUBLISHED = (*KINDS, "scenario", "plan")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOUT = {
    "workflow": "what a run takes and gives, its nodes and its edges",
    "agents": "who thinks, with which model, prompt and tools",
    "tools": "what can be done, under which contract",
    "models": "models, their pools and prices, and the routes over them",
    "pipelines": "ways through the graph, and the fallback matrix",
    "memory": "stores, and the context profiles that read them",
    "policies": "what agents and tools may do, and when a person is asked",
    "plugins": "event sinks, channels and connectors",
    "triggers": "what starts a run",
    "scenario": "tests/*.yaml: an input, scripted edges of the world, and what must come of it",
    "plan": "what a bundle comes to: the output of `haul compile`",
}


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file, draft 2020-12."""
    found = _tidy(_raw(kind))
    head = {"$schema": DIALECT, "title": f"haulage/v1 {file_name(kind)}", "description": _sentence(ABOUT[kind])}
    return {**head, **{key: value for key, value in found.items() if key not in head}}


def file_name(kind: str) -> str:
    """The file that the schema is for, as it is called in a bundle."""
    return {"scenario": "tests/*.yaml", "plan": "plan.json"}.get(kind, f"{kind}.yaml")


def written(kind: str) -> str:
    """The text of the published file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def publish(folder: Path) -> Iterator[Path]:
    """Writes one file per kind into a folder, and gives those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in PUBLISHED:
        path = folder / f"{kind}.json"
        text = written(kind).encode()
        if not path.is_file() or path.read_bytes() != text:
            path.write_bytes(text)
            yield path


def _raw(kind: str) -> dict[str, Any]:
    if kind != "plan":
        return file_model(kind).model_json_schema()
    from manifests.plan import Plan

    return Plan.model_json_schema()


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _tidy(part: Any, named: bool = False) -> Any:
    """A schema without pydantic's noise; `named` says that the keys are names of properties, not keywords."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    if named:
        return {key: _tidy(value) for key, value in part.items()}
    tidied = {
        key: value if key in ("default", "examples", "enum", "const") else _tidy(value, key in _NAMED)
        for key, value in part.items()
        if key not in ("discriminator", "oneOf", "title") and not (key == "default" and value is None)
    }
    return _closed(_with_kind(_any_of(part, tidied)))


_NAMED = ("properties", "patternProperties", "$defs")


def _any_of(part: dict[str, Any], tidied: dict[str, Any]) -> dict[str, Any]:
    """One flat `anyOf`: editors tell best from it which branch was meant, and no two branches of ours overlap."""
    branches = [_tidy(branch) for branch in (*part.get("oneOf", ()), *part.get("anyOf", ()))]
    if branches:
        tidied["anyOf"] = [inner for branch in branches for inner in _unpacked(branch)]
    return tidied


def _unpacked(branch: dict[str, Any]) -> list[dict[str, Any]]:
    alone = set(branch) <= {"anyOf", "description"}
    return list(branch["anyOf"]) if "anyOf" in branch and alone else [branch]


def _with_kind(part: dict[str, Any]) -> dict[str, Any]:
    """A node of a plan always says its kind, default or not."""
    kind = part.get("properties", {}).get("kind", {})
    if "const" in kind and "kind" not in part.get("required", ()):
        part["required"] = ["kind", *part.get("required", ())]
    return part


def _closed(part: dict[str, Any]) -> dict[str, Any]:
    """A name that does not match is a wrong name, not one to be ignored."""
    if "patternProperties" in part:
        part.setdefault("additionalProperties", False)
    return part
