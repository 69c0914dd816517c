"""An agent that talks for long: the history grows by the turn, not by all that was said before."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHistory

from tests.activities.models.stub import KEY, Reply, Said, Stub
from tests.support import Hauling

TURNS = 100
# As the model's arguments and as the tool's answer, at four characters a token: 209,000 tokens in all.
WORDS = "w" * (209_000 * 4 // (2 * TURNS))
MOST = 5_000_000
BUNDLE = {
    "workflow.yaml": "name: talk\noutput: ${think}\nnodes: {think: {agent: thinker}}\n",
    "agents.yaml": f"agents: {{thinker: {{model: main, prompt: {{text: Go.}}, tools: [shout], max_turns: {TURNS}}}}}\n",
    "tools.yaml": "tools: {shout: {uses: text.case, description: Shouts., effect: pure, risk: low}}\n",
}
MODEL = "{provider: openai_compatible, model: m, base_url: '%s/v1', api_key: {secret: KEY}, context: 1000000}"


def bundle(folder: Path, url: str) -> None:
    folder.mkdir(parents=True)
    for name, text in {**BUNDLE, "models.yaml": f"models: {{main: {MODEL % url}}}\n"}.items():
        (folder / name).write_text(f"apiVersion: haulage/v1\n{text}")


def sizes(history: WorkflowHistory) -> list[int]:
    """Bytes of the history at each call of the model."""
    found, held = [], 0
    for event in history.events:
        held += event.ByteSize()
        if event.activity_task_scheduled_event_attributes.activity_type.name == "models.call":
            found.append(held)
    return found


async def test_a_history_grows_by_what_is_said_and_no_more(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    shouts: list[Any] = [Reply(said=Said(pieces=(), calls=(("shout", {"text": WORDS, "to": "upper"}),)))] * (TURNS - 1)
    async with Stub(*shouts, Reply(said=Said(pieces=("Done.",)))) as stub:
        bundle(tmp_path / "bundles" / "talk", stub.url)
        async with Hauling(temporal, tmp_path / "home", bundles=[tmp_path / "bundles"], heartbeat_ms=10_000) as haul:
            end = await haul.run("talk")
            assert end.handle is not None
            history = await end.handle.fetch_history()
    assert (end.output, len(stub.asked)) == ({"text": "Done."}, TURNS)
    assert sum(len(str(message)) for message in stub.asked[-1].body["messages"]) > 209_000 * 4
    held = sizes(history)
    assert (len(held), held[-1] < MOST) == (TURNS, True)
    assert statistics.correlation(range(TURNS), held) ** 2 > 0.99
    assert history.events[-1].HasField("workflow_execution_completed_event_attributes")
