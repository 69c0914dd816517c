"""What people see of a run on Temporal: the attributes that it is found by, and what it did lately."""

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
# `Mode` alone is a word of the query language, and `--query "Mode = 'dry_run'"` does not parse.
MODE = SearchAttributeKey.for_keyword("RunMode")
STAGE = SearchAttributeKey.for_keyword("Stage")
WAITING_ON = SearchAttributeKey.for_keyword_list("WaitingOn")
TENANT = SearchAttributeKey.for_keyword("Tenant")
COST = SearchAttributeKey.for_float("CostUsd")
ATTRIBUTES = (MANIFEST, PLAN, PIPELINE, MODE, STAGE, WAITING_ON, TENANT, COST)

LATEST = 8
# An attribute has at most 2,048 bytes.
MOST_NAMES = 20
MOST_LETTERS = 24


class Board:
    """An attribute costs an event, so they are sent only when they change; what details are made of is only kept."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self.latest: deque[str] = deque(maxlen=LATEST)
        self.remarks: dict[str, str] = {}
        self.shown: dict[str, Any] = {}
        self.attributes = True
        self.stage = "running"

    # --- what happens

    def completed(self, walk: Walk, node: plans.Node) -> None:
        if walk is self._run.main:
            self.remarks.pop(node.id, None)
        else:
            self.latest.append(f"✓ {walk.at(node)}")

    def failed(self, walk: Walk, node: plans.Node, failure: Failed) -> None:
        self.latest.append(f"✗ {walk.at(node)}: {failure.category}: {failure.message}")
        if walk is self._run.main:
            self.remarks[node.id] = f"{failure.category}: {failure.message}"

    def tries_again(self, node: plans.Node, number: int, most: int, failure: Failed) -> None:
        if node.id in self._run.main.ground.nodes:
            self.remarks[node.id] = f"try {number} of {most} after {failure.category}: {failure.message}"

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
            "RunMode": run.run_facts["mode"],
            "Stage": self.stage_now(),
            "WaitingOn": waiting or None,
            "Tenant": run.options.tenant or None,
            "CostUsd": cost or None,
        }
        return {name: value for name, value in values.items() if value is not None}
