"""Decisions, merges and transforms: pure, evaluated in the workflow, and free of history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from manifests import plan as plans
from workflows.failures import Failed
from workflows.walk import Walk

if TYPE_CHECKING:
    from workflows.interpreter import Interpreter

INLINE = plans.Decision | plans.Merge | plans.Transform


def settle_inline(run: Interpreter, walk: Walk, node: INLINE) -> None:
    """Evaluates the node and settles it at once; raises `Failed`."""
    match node:
        case plans.Decision():
            chosen = choose(run, walk, node)
            run.completed(walk, node, {"to": chosen}, chosen)
        case plans.Merge():
            run.completed(walk, node, merged(run, walk, node))
        case plans.Transform():
            run.completed(walk, node, run.value(walk, node, node.value))


def choose(run: Interpreter, walk: Walk, node: plans.Decision) -> list[str]:
    """The first edge whose condition is true, or with `many` all of them; `else` when none is."""
    chosen: list[str] = []
    edges = walk.ground.topology.edges[node.id]
    for edge in edges:
        if edge.when is None or (chosen and not node.many):
            continue
        answer = run.evaluate(walk, node, edge.when)
        if not isinstance(answer, bool):
            raise Failed("input", f"the condition {edge.when!r} gave {json.dumps(answer)[:80]}, not true or false")
        if answer:
            chosen.append(edge.target)
    chosen = chosen or [edge.target for edge in edges if edge.otherwise][:1]
    if not chosen:
        raise Failed("input", "none of its conditions is true, and it has no else")
    return list(dict.fromkeys(chosen))


def merged(run: Interpreter, walk: Walk, node: plans.Merge) -> Any:
    """What came in, joined as the policy says; sources that did not run take no part."""
    ground = walk.ground
    sources = [name for name in dict.fromkeys(ground.topology.sources[node.id]) if _gives(walk, name)]
    outputs = [walk.outputs[name] for name in sources]
    match node.policy:
        case "object":
            return dict(zip(sources, outputs, strict=True))
        case "list":
            return outputs
        case "first":
            if not outputs:
                raise Failed("input", "there is no output to take")
            return outputs[0]
        case "concat":
            return [item for output in outputs for item in _listed(output)]
        case "vote":
            return _vote(outputs, node.by)
        case "value":
            return run.value(walk, node, node.value, {"inputs": outputs})


def _gives(walk: Walk, name: str) -> bool:
    """A decision chooses and gives nothing; a skipped node counts when it says what others read instead."""
    node = walk.node(name)
    if isinstance(node, plans.Decision):
        return False
    state = walk.cursor.state[name]
    return state == "done" or (state == "skipped" and node.has_default)


def _listed(output: Any) -> list[Any]:
    if not isinstance(output, list):
        raise Failed("input", f"only lists can be joined, and one source gave {json.dumps(output)[:80]}")
    return output


def _vote(outputs: list[Any], by: str | None) -> dict[str, Any]:
    """The value that most gave, of equals the one that came first in plan order."""
    ballots = [output.get(by) if isinstance(output, dict) else None for output in outputs] if by else outputs
    if not ballots:
        raise Failed("input", "nobody voted")
    votes: dict[str, int] = {}
    values: dict[str, Any] = {}
    for ballot in ballots:
        name = ballot if isinstance(ballot, str) else json.dumps(ballot, sort_keys=True, separators=(",", ":"))
        votes[name] = votes.get(name, 0) + 1
        values.setdefault(name, ballot)
    most = max(votes.values())
    winners = [name for name, count in votes.items() if count == most]
    return {"winner": values[winners[0]], "votes": votes, "total": len(ballots), "tie": len(winners) > 1}
