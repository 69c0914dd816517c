"""Problems as programs read them: JSON, and SARIF for code hosts and editors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from manifests.codes import CODES
from manifests.problems import Problem
from manifests.source import Span

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_json(problems: Sequence[Problem]) -> str:
    return json.dumps([problem.as_json() for problem in problems], indent=2)


def as_sarif(problems: Sequence[Problem]) -> str:
    codes = sorted({problem.code for problem in problems})
    rules = [{"id": code, "shortDescription": {"text": _about(code)}} for code in codes]
    run = {
        "tool": {"driver": {"name": "haul", "version": version("haulage"), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, codes.index(problem.code)) for problem in problems],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _about(code: str) -> str:
    return CODES.get(code, code)


def _result(problem: Problem, rule: int) -> dict[str, object]:
    more = {"Expected": problem.expected, "Fix": problem.fix}
    text = "\n".join([problem.message, *(f"{label}: {said}" for label, said in more.items() if said)])
    place = {"artifactLocation": {"uri": _uri(problem.span.file)}, "region": _region(problem.span)}
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
