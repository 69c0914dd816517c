"""What people see of a run in Temporal's own tools, and what it costs."""

from __future__ import annotations

from pathlib import Path

from temporalio.client import Client

from tests.workflows.stage import events, gates, page, stage, status

ASK = """
nodes:
  work: {tool: do}
  ask: {human: {ask: "Go on | with `this`?", to: ann, within: 2h}}
  each: {map: {over: "['a', 'b']", as: item, max: 2, do: {nodes: {step: {tool: look, with: {what: "${item}"}}}}}}
edges: [work -> ask -> each]
"""


async def test_the_page_of_a_run_shows_its_nodes_its_gates_and_its_graph(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        run = await haul.begin(budget={"calls": 9})
        [gate] = await gates(run)
        shown = await page(run)
        await run.execute_update("approve", {"node": "ask", "actor": "bo_b", "reason": "why not"})
        end = await haul.ended(run)
        after = await page(run)
    assert "**stage**" in shown
    assert "**waiting** · 1 of 9 calls" in shown
    assert "> **ask** waits for **ann** until " in shown
    assert "Go on \\| with \\`this\\`?" in shown
    assert f'"shown": "{gate["shown"]}", "choice": "approve"' in shown
    assert "| ✓\u00a0done\u2003 | `work`\u2003 | tool\u2003 | do |" in shown
    assert "| ●\u00a0running\u2003 | `ask`\u2003 | human\u2003 | waits for ann |" in shown
    assert "```mermaid\nflowchart LR\n  work:::done\n  ask:::running\n  each:::waiting\n  work --> ask" in shown
    assert "approve by bo\\_b: ask: answered – why not" in after
    assert "✓ each/step\\#1" in after
    assert end.status == "completed"


async def test_attributes_are_sent_when_they_change_and_never_else(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        run = await haul.begin(tenant="acme")
        await status(run, "waiting")
        for mode in ("dry_run", "dry_run", "normal"):
            await run.execute_update("set_mode", {"mode": mode})
        await run.execute_update("message", {"text": "hi"})
        await run.execute_update("approve", {"node": "ask"})
        await haul.ended(run)
        seen = await run.describe()
    # At the start, at the gate, two modes, when it was answered, and at the end.
    assert (await events(run)).count("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES") == 6
    found = {name: values[0] for name, values in seen.search_attributes.items() if name != "BuildIds"}
    assert {name: found[name] for name in ("Manifest", "RunMode", "Stage", "Tenant")} == {
        "Manifest": "stage",
        "RunMode": "normal",
        "Stage": "completed",
        "Tenant": "acme",
    }
    assert "WaitingOn" not in found


async def test_what_is_called_says_for_which_node(temporal: Client, tmp_path: Path) -> None:
    async with stage(temporal, tmp_path, ASK) as haul:
        run = await haul.begin()
        await gates(run)
        await run.execute_update("approve", {"node": "ask"})
        await haul.ended(run)
        history = await run.fetch_history()
    said = [each.user_metadata.summary.data.decode() for each in history.events if each.user_metadata.summary.data]
    # The end of a timer repeats what its start said.
    assert list(dict.fromkeys(said)) == [
        '"pin"',
        '"work: do"',
        '"ask: waits for ann"',
        '"each/step#0: look"',
        '"each/step#1: look"',
    ]
