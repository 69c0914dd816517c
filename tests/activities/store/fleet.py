"""Bundles whose agents ask a stub server over HTTP, and workers that record in a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from activities.store.place import Store
from tests.activities.models.stub import Reply, Said, Stub
from tests.support import Haul, Hauling

AGENTS = """
agents:
  thinker:
    model: main
    prompt: {text: "What of {{ topic }}?"}
    output: {type: object, properties: {boat: {type: string}}, required: [boat]}
    MORE
"""
ASKING = "nodes: {think: {agent: thinker, with: {topic: '${has(input.topic) ? input.topic : \"boats\"}'}}}"
GRAPHS = {
    "asking": ASKING,
    "persistent": ASKING.replace("}}}", "}, retry: {attempts: 3, initial: 1ms, on: [rate_limited]}}}"),
    "parent": "nodes: {one: {workflow: asking}}",
    "waiting": "nodes: {gate: {human: {ask: Go?, within: 1h}}}",
    "circling": """
nodes:
  many: {loop: {max: 8, until: index == 7, do: {nodes: {think: {agent: thinker, with: {topic: boats}}}}}}
""",
}
BOAT = Reply(said=Said(pieces=('{"boat": "AHOY"}',)))
BUSY = Reply(status=429, body=b'{"error": {"message": "Later."}}')


def fleet(folder: Path, url: str, more: str = "") -> Path:
    """`more` is said of the agent."""
    model = f"{{provider: openai_compatible, model: m-1, base_url: '{url}/v1', price: {{input: 0.15, output: 0.6}}}}"
    for name, graph in GRAPHS.items():
        files = {"workflow.yaml": f"name: {name}\n{graph}", "models.yaml": f"models:\n  main: {model}\n"}
        files["agents.yaml"] = AGENTS.replace("MORE", more)
        (folder / name).mkdir(parents=True)
        for file, text in files.items():
            (folder / name / file).write_text(f"apiVersion: haulage/v1\n{text}")
    return folder


@asynccontextmanager
async def sailing(client: Client, home: Path, store: Store, *replies: Reply, more: str = "") -> AsyncIterator[Haul]:
    """Workers that record in this store, which is open before they begin."""
    await store.database()
    async with Stub(*(replies or (BOAT,))) as stub:
        bundles = fleet(home / "bundles", stub.url, more)
        async with Hauling(client, home / "home", bundles=[bundles], store=store.url) as haul:
            yield haul
