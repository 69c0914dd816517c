"""The published schemas say what the compiler says, and are those in the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from manifests.compiler import compile_bundle
from manifests.published import DIALECT, FOLDER, PUBLISHED, publish, schema, written
from manifests.reading import read_yaml
from manifests.shape.workflow import NODE_KINDS

CATALOGUE = FOLDER.parent.parent / "catalog"
FILES = sorted(CATALOGUE.rglob("*.yaml"))
FINE = {"apiVersion": "haulage/v1", "name": "x", "nodes": {"a": {"transform": 1}}}


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for below in value.values():
            yield from keys_of(below)
    if isinstance(value, list):
        for below in value:
            yield from keys_of(below)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_file_in_the_folder_is_the_generated_one(kind: str) -> None:
    assert (FOLDER / f"{kind}.json").read_text(encoding="utf-8") == written(kind), "run `make schemas`"


def test_the_folder_holds_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{kind}.json" for kind in PUBLISHED}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_schema_is_a_schema_with_a_title(kind: str) -> None:
    found = schema(kind)
    jsonschema_rs.meta.validate(found)
    assert found["$schema"] == DIALECT
    assert found["title"].startswith("haulage/v1 ")
    assert not {"discriminator", "oneOf"} & set(keys_of(found))
    assert "kind:" not in json.dumps(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CATALOGUE)))
def test_every_catalogue_file_is_valid(path: Path) -> None:
    kind = "scenario" if path.parent.name == "tests" else path.stem
    jsonschema_rs.validator_for(schema(kind)).validate(read_yaml(path, str(path)).data)


@pytest.mark.parametrize("bundle", ["hello", "code-gremlin"])
def test_a_plan_is_valid(bundle: str) -> None:
    plan = json.loads(compile_bundle(CATALOGUE / bundle).plan.canonical())
    jsonschema_rs.validator_for(schema("plan")).validate(plan)


def test_each_node_kind_is_a_branch_that_its_key_decides() -> None:
    found = schema("workflow")
    (union,) = found["properties"]["nodes"]["patternProperties"].values()
    branches = [found["$defs"][branch["$ref"].rpartition("/")[2]] for branch in union["anyOf"]]
    assert [branch["required"] for branch in branches] == [[kind] for kind in NODE_KINDS]
    assert all(branch["additionalProperties"] is False for branch in branches)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": {"a": {"transform": 1, "tool": "x"}}},
        {"nodes": {"a": {}}},
        {"nodes": {"not a name": {"transform": 1}}},
        {"nodes": {"a": {"transform": 1, "timeout": 10}}},
        {"edges": [{"from": "a"}]},
        {"apiVersion": "haulage/v2"},
        {"nodez": {}},
    ],
)
def test_what_the_compiler_refuses_an_editor_marks(wrong: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(schema("workflow"))
    assert validator.is_valid(FINE)
    assert not validator.is_valid({**FINE, **wrong})


def test_publishing_tells_what_changed(tmp_path: Path) -> None:
    assert len(list(publish(tmp_path / "v1"))) == len(PUBLISHED)
    (tmp_path / "v1" / "tools.json").write_text("{}")
    assert [path.name for path in publish(tmp_path / "v1")] == ["tools.json"]
