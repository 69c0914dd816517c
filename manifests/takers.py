"""What the nodes of a draft must be given, by the contract, bundle or store that they name."""

from __future__ import annotations

from typing import Any

from manifests import outputs
from manifests.agreement import Taker, without
from manifests.draft import Draft, Node
from manifests.shape import workflow as shapes


class Takers:
    """One taker for each name, made when the first node gives it something."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._known: dict[tuple[str, str | None], Taker | None] = {}

    def of(self, node: Node) -> Taker | None:
        """None where no schema says what a node takes."""
        name = _named(node)
        if (node.kind, name) not in self._known:
            schema = self._schema(node)
            self._known[node.kind, name] = None if schema is None else Taker(schema)
        return self._known[node.kind, name]

    def _schema(self, node: Node) -> dict[str, Any] | None:
        contracts = self._draft.contracts
        match node.spec:
            case shapes.Tool(tool=name) if name in contracts.tools:
                contract = contracts.tools[name]
                return without(contract.input, contract.tool.idempotency_key)
            case shapes.Subflow(workflow=name) if name in self._draft.children:
                child: dict[str, Any] = self._draft.children[name].plan.input
                return child
            case shapes.Recall(recall=name) if name in self._draft.bundle.stores:
                return outputs.RECALL_INPUT
            case shapes.Recall():
                return {**outputs.RECALL_INPUT, "required": []}
            case shapes.Remember():
                return outputs.REMEMBER_INPUT
        return None


def _named(node: Node) -> str | None:
    match node.spec:
        case shapes.Tool(tool=name) | shapes.Subflow(workflow=name) | shapes.Recall(recall=name):
            return name
    return None
