"""What a program reads of a problem."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs

from gateway.cli.documents import as_json, as_sarif
from manifests.problems import Problem
from manifests.source import Span

PROBLEMS = [
    Problem("HL214", Span("a b/workflow.yaml", 3, 11, 3, 15), "no kind 'mrge'", "a node kind", "did you mean 'merge'?"),
    Problem("HL101", Span("/tmp/ü.yaml", 1, 1, 4, 1), "name is missing"),
    Problem("HL214", Span("a b/workflow.yaml", 9, 1, 9, 1), "no kind '\udc80'"),
]


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


# The part of the published SARIF 2.1.0 schema that we use, stricter in that nothing may be left out.
TEXT = object_of(text={"type": "string"})
COUNT = {"type": "integer", "minimum": 1}
REGION = object_of(startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT)
PLACE = object_of(artifactLocation=object_of(uri={"type": "string", "format": "uri-reference"}), region=REGION)
RESULT = object_of(
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level={"enum": ["none", "note", "warning", "error"]},
    message=TEXT,
    locations=list_of(object_of(physicalLocation=PLACE)),
)
RULE = object_of(id={"type": "string"}, shortDescription=TEXT)
DRIVER = object_of(name={"type": "string"}, version={"type": "string"}, rules={**list_of(RULE), "uniqueItems": True})
RUN = object_of(
    tool=object_of(driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=list_of(RESULT),
)
SARIF = object_of(**{"$schema": {"type": "string"}}, version={"const": "2.1.0"}, runs=list_of(RUN))


def test_json_has_every_fact_of_a_problem() -> None:
    assert json.loads(as_json(PROBLEMS))[0] == {
        "code": "HL214",
        "file": "a b/workflow.yaml",
        "line": 3,
        "column": 11,
        "end_line": 3,
        "end_column": 15,
        "message": "no kind 'mrge'",
        "expected": "a node kind",
        "fix": "did you mean 'merge'?",
    }


def test_no_problems_are_an_empty_list() -> None:
    assert as_json([]) == "[]"


def test_documents_are_plain_ascii_whatever_a_message_quotes() -> None:
    assert as_json(PROBLEMS).isascii()
    assert as_sarif(PROBLEMS).isascii()


def test_sarif_has_the_published_shape() -> None:
    for problems in ([], PROBLEMS):
        jsonschema_rs.validator_for(SARIF, validate_formats=True).validate(json.loads(as_sarif(problems)))


def test_each_code_is_one_rule_and_each_result_points_at_its_own() -> None:
    run = json.loads(as_sarif(PROBLEMS))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["HL101", "HL214"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


def test_files_are_named_by_uris() -> None:
    results = json.loads(as_sarif(PROBLEMS))["runs"][0]["results"]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert uris[:2] == ["a%20b/workflow.yaml", "file:///tmp/%C3%BC.yaml"]
