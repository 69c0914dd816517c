"""What people see of a run on Temporal: its details while it runs, and the attributes that it is found by."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from manifests import plan as plans
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

MANIFEST = SearchAttributeKey.for_keyword("Manifest")
PLAN = SearchAttributeKey.for_keyword("Plan")
PIPELINE = SearchAttributeKey.for_keyword("Pipeline")
MODE = SearchAttributeKey.for_keyword("Mode")
STAGE = SearchAttributeKey.for_keyword("Stage")
WAITING_ON = SearchAttributeKey.for_keyword_list("WaitingOn")
TENANT = SearchAttributeKey.for_keyword("Tenant")
COST = SearchAttributeKey.for_float("CostUsd")
ATTRIBUTES = (MANIFEST, PLAN, PIPELINE, MODE, STAGE, WAITING_ON, TENANT, COST)

MOST_ROWS = 30
MOST_DRAWN = 40
LATEST = 8
# An attribute has at most 2,048 bytes.
MOST_NAMES = 20
MOST_LETTERS = 24
_COLOURS = {"done": "#8fd19e", "failed": "#f1aeb5", "running": "#ffe69c", "skipped": "#dee2e6", "waiting": "#fff"}
_MARKS = {"done": "✓", "failed": "✗", "skipped": "–", "running": "●", "waiting": "·"}


class Board:
    """Details cost no event and are kept short; attributes cost one, and only when they change."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self._latest: deque[str] = deque(maxlen=LATEST)
        self.shown: dict[str, Any] = {}
        self.attributes = True
        self.stage = "running"

    # --- what happens

    def changed(self) -> None:
        workflow.set_current_details(self.details())

    def completed(self, walk: Walk, node: plans.Node) -> None:
        if not self._is_drawn(walk):
            self._latest.append(f"✓ {walk.at(node)}")
        self.changed()

    def failed(self, walk: Walk, node: plans.Node, failure: Failed) -> None:
        self._latest.append(f"✗ {walk.at(node)}: {failure.category}: {failure.message[:100]}")
        self.changed()

    def waiting_changed(self) -> None:
        self.attributes_changed()
        self.changed()

    def _is_drawn(self, walk: Walk) -> bool:
        return walk is self._run.main and len(walk.ground.nodes) <= MOST_ROWS

    # --- attributes

    def attributes_changed(self) -> None:
        if not self.attributes:
            return
        now = self._values()
        changes = [
            key.value_set(now[key.name]) if key.name in now else key.value_unset()
            for key in ATTRIBUTES
            if now.get(key.name) != self.shown.get(key.name)
        ]
        if changes:
            self.shown = now
            workflow.upsert_search_attributes(changes)

    def stage_now(self) -> str:
        if self._run.steering.paused:
            return "paused"
        return "waiting" if self.stage == "running" and self._waiting_on() else self.stage

    def _waiting_on(self) -> list[str]:
        """Who is waited for: the people that open gates name, or else the gates; as many as an attribute can hold."""
        names = sorted({gate.to or gate.node for gate in self._run.steering.gates.open.values()})
        return [name[:MOST_LETTERS] for name in names[:MOST_NAMES]]

    def _values(self) -> dict[str, Any]:
        run = self._run
        waiting = self._waiting_on()
        cost = float(run.ledger.spent.usd)
        values = {
            "Manifest": run.plan.name,
            "Plan": run.sha256[:16],
            "Pipeline": run.pipeline,
            "Mode": run.run_facts["mode"],
            "Stage": self.stage_now(),
            "WaitingOn": waiting or None,
            "Tenant": run.options.tenant or None,
            "CostUsd": cost or None,
        }
        return {name: value for name, value in values.items() if value is not None}

    # --- details

    def details(self) -> str:
        run = self._run
        lines = [f"**{run.plan.name}** {run.plan.version} · `{run.sha256[:12]}` · {self._spent()}", ""]
        lines += self._gates()
        ground = run.main.ground
        if len(ground.nodes) <= MOST_ROWS:
            lines += self._table()
        else:
            lines += self._counts()
        if self._latest:
            lines += ["", *[f"- {each}" for each in self._latest]]
        if len(ground.nodes) <= MOST_DRAWN:
            lines += ["", "```mermaid", self.mermaid(), "```"]
        return "\n".join(lines)

    def _spent(self) -> str:
        spent = self._run.ledger.spent
        mode = self._run.run_facts["mode"]
        extra = "" if mode == "normal" else f" · {mode}"
        return f"{spent.calls} calls · {spent.tokens:,} tokens · ${spent.usd}{extra}"

    def _gates(self) -> list[str]:
        gates = list(self._run.steering.gates.open.values())
        return [
            f"> **{gate.node}**{f' #{gate.iteration}' if gate.iteration else ''} waits for "
            f"{gate.to or 'a person'}: {gate.ask[:200]} (`{gate.shown}`)  "
            for gate in gates[:5]
        ]

    def _table(self) -> list[str]:
        main = self._run.main
        rows = ["| | node | kind | |", "|---|---|---|---|"]
        for name in main.ground.topology.nodes:
            node = main.node(name)
            rows.append(f"| {_MARKS[main.cursor.state[name]]} | {name} | {node.kind} | {self._note(main, node)} |")
        return rows

    def progress(self) -> dict[str, str]:
        """How far the maps and loops that run now have come."""
        main = self._run.main
        counted = {name: self._counted(main, main.node(name)) for name in main.inside}
        return {name: said for name, said in counted.items() if said}

    def _note(self, walk: Walk, node: plans.Node) -> str:
        return self._counted(walk, node) or (node.description or "")[:80]

    @staticmethod
    def _counted(walk: Walk, node: plans.Node) -> str:
        inside = walk.inside.get(node.id, {})
        if isinstance(node, plans.Map) and "results" in inside:
            size = node.partition or 1
            done = min(len(inside["results"]) * size, len(inside["items"]))
            return f"{done} of {len(inside['items'])}"
        if isinstance(node, plans.Loop) and "index" in inside:
            return f"iteration {inside['index'] + 1} of at most {node.most}"
        return ""

    def _counts(self) -> list[str]:
        states = list(self._run.main.cursor.state.values())
        counts = [f"{states.count(state)} {state}" for state in _MARKS if state in states]
        running = [name for name, state in self._run.main.cursor.state.items() if state == "running"]
        return [" · ".join(counts), "", *[f"- ● {name}" for name in running[:MOST_ROWS]]]

    def mermaid(self) -> str:
        """The graph with the states of its nodes."""
        main = self._run.main
        topology = main.ground.topology
        lines = ["flowchart LR", *[f"  {name}:::{main.cursor.state[name]}" for name in topology.nodes]]
        for name in topology.nodes:
            lines += [f"  {name} --> {edge.target}" for edge in topology.edges[name]]
            lines += [f"  {name} -.-> {target}" for target in topology.rescues.get(name, ())]
        lines += [f"  classDef {state} fill:{colour},color:#111" for state, colour in _COLOURS.items()]
        return "\n".join(lines)
