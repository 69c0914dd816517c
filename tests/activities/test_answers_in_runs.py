"""What an agent of a run says as text is read against its schema; a refusal fails its node and tells what was used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.workflows.stage import stage

THINK = """
nodes:
  think: {agent: thinker, with: {topic: boats}}
"""
SIZED = """
apiVersion: haulage/v1
agents:
  thinker:
    model: small
    prompt: {text: "Size up {{ topic }}."}
    output: {type: object, required: [size], properties: {size: {type: integer}}, additionalProperties: false}
"""
FENCED = "So:\n```json\n{'size': '12', }\n```"


@pytest.mark.parametrize(("files", "output"), [({"agents.yaml": SIZED}, {"size": 12}), ({}, {"text": FENCED})])
async def test_an_agent_answers_in_text(temporal: Client, tmp_path: Path, files: dict[str, str], output: Any) -> None:
    async with stage(temporal, tmp_path, THINK, models={"thinker": [{"text": FENCED}]}, files=files) as haul:
        end = await haul.run("stage")
    assert (end.status, end.output) == ("completed", output)


@pytest.mark.parametrize(
    ("answer", "category", "says"),
    [
        ({"text": "A dozen."}, "json_syntax", "there is no JSON in it"),
        ({"text": '{"size": "a dozen"}'}, "json_minor", '/size: "a dozen" is not of type "integer"'),
        ({"json": ["a", "dozen"]}, "json_major", 'is not of type "object"'),
    ],
)
async def test_an_answer_that_cannot_be_read_fails_its_node(
    temporal: Client, tmp_path: Path, answer: dict[str, Any], category: str, says: str
) -> None:
    answers = {"thinker": [answer] * 3}
    async with stage(temporal, tmp_path, THINK, models=answers, files={"agents.yaml": SIZED}) as haul:
        end = await haul.run("stage")
    assert (end.failure["category"], end.failure["node"]) == (category, "think")
    assert says in end.failure["message"]
    assert end.state["spent"]["tokens"] > 0
