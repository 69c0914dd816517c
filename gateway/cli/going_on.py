"""New runs that go on from where others stood: forks, and runs that failed and go on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, TypeAlias

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.blobs import BlobStore
from activities.contracts import Pinned
from activities.plans import Plans
from gateway.cli.misuse import Misuse
from gateway.cli.reaching import store
from manifests import plan as plans
from manifests.plan import Plan
from manifests.problems import did_you_mean
from workers.replaying import pin_of, plan_of, stored
from workers.settings import Settings
from workflows.chart import Chart
from workflows.cursor import Topology
from workflows.options import Origin
from workflows.orders import Override
from workflows.origins import before

Run: TypeAlias = WorkflowHandle[Any, Any]
NO_INPUTS = plans.Merge | plans.Transform | plans.Human | plans.Wait | plans.Map | plans.Loop | plans.Emit


class CannotGoOn(Misuse):
    """There is no going on from there; the message says what there is instead."""


async def go_on(client: Client, handle: Run, blobs: BlobStore | None = None, *, id: str | None = None) -> Run:
    """A new run that goes on where a failed or cancelled one ended: what completed is not done again.

    Raises `CannotGoOn`; `blobs` is where plans are kept, in our home if it is not said.
    """
    status = (await handle.describe()).status
    if status == WorkflowExecutionStatus.RUNNING:
        raise CannotGoOn(f"{handle.id!r} still runs; only what has ended can go on as a new run")
    if status == WorkflowExecutionStatus.COMPLETED:
        raise CannotGoOn(f"{handle.id!r} has completed; `haul fork {handle.id} --from NODE` runs a part of it again")
    point, topology, _ = await _point(handle, blobs or store(Settings()))
    walk = before(topology, point["walk"], _undone(point, topology))
    return await _start(client, handle, point, walk, [], id or _fresh(handle, "resumed"))


async def fork(
    client: Client, handle: Run, node: str, changes: Sequence[Override], blobs: BlobStore, *, id: str | None = None
) -> Run:
    """A new run that uses what another recorded up to a node, and does this node and all after it again."""
    point, topology, plan = await _point(handle, blobs)
    _check_node(handle, node, point["walk"], topology, plan)
    walk = before(topology, point["walk"], [node, *_undone(point, topology)])
    for change in changes:
        _check_change(change, node, walk, plan)
    return await _start(client, handle, point, walk, changes, id or _fresh(handle, "fork"))


async def _point(handle: Run, blobs: BlobStore) -> tuple[dict[str, Any], Topology, Plan]:
    """Where the run stood, the graph as its pipeline has it, and its plan, which is on the shelf from now on."""
    plan = await _plan(handle, blobs)
    point = await _asked(handle)
    if point is None:
        raise CannotGoOn(f"{handle.id!r} ended before its first node; there is nothing to go on from: start it anew")
    if point["options"].get("part"):
        raise CannotGoOn(f"{handle.id!r} works on a part of a map; go on from the run that it belongs to")
    Plans(blobs, []).keep(plan)
    return point, Chart(plan, point["options"].get("pipeline")).main.topology, plan


async def _plan(handle: Run, blobs: BlobStore) -> Plan:
    pinned = await _pinned(handle)
    try:
        return plan_of(pinned, stored(blobs))
    except KeyError:
        raise CannotGoOn(
            f"the plan {pinned.sha256[:12]} of {handle.id!r} is too large for its history, and is not in the store "
            "here; HAULAGE_HOME says where the workers keep theirs"
        ) from None


async def _pinned(handle: Run) -> Pinned:
    try:
        async for event in handle.fetch_history_events():
            if (pinned := pin_of(event)) is not None:
                return pinned
    except RPCError as error:
        raise _lost(handle, error) from None
    raise CannotGoOn(f"{handle.id!r} was never pinned to a plan; there is nothing to go on from: start it anew")


async def _asked(handle: Run) -> Any:
    try:
        return await handle.query("checkpoint")
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        raise CannotGoOn(f"{handle.id!r} does not say where it stands: {error}") from None
    except RPCError as error:
        raise _lost(handle, error) from None


def _lost(handle: Run, error: RPCError) -> CannotGoOn:
    if error.status == RPCStatusCode.NOT_FOUND:
        return CannotGoOn(f"no run {handle.id!r} here; `haul list` lists them")
    return CannotGoOn(f"{handle.id!r} does not say where it stands ({error.message}); is a worker running?")


def _undone(point: dict[str, Any], topology: Topology) -> list[str]:
    """What was taken back when the run ended is to be done again; of a body the node that it is in."""
    nodes = dict.fromkeys(path.partition("/")[0] for path in point["undone"])
    return [node for node in nodes if node in topology.place]


def _check_node(handle: Run, node: str, walk: dict[str, Any], topology: Topology, plan: Plan) -> None:
    inside = {each.path: each for each in plan.graph.walk() if "/" in each.path}
    found = next((path for path in inside if node in (path, inside[path].id)), None)
    if node not in topology.place and found is not None:
        raise CannotGoOn(f"{node!r} runs inside of {found.partition('/')[0]!r}: fork from that")
    if node not in topology.place and plan.final is not None and node in plan.final.by_id:
        raise CannotGoOn(f"{node!r} stands in `finally`, which runs at every exit: fork from a node before it")
    if node not in topology.place:
        left_out = node in plan.graph.by_id
        why = "the pipeline of the run leaves it out" if left_out else did_you_mean(node, topology.place, "node")
        raise CannotGoOn(f"no node {node!r} in {handle.id!r}; {why}")
    cursor = walk["cursor"]
    settled = {*cursor["done"], *cursor["failed"]}
    if node in cursor["skipped"] or not all(_arrived(walk, each) for each in topology.sources[node]):
        ran = ", ".join(each for each in topology.nodes if each in settled)
        raise CannotGoOn(f"{node!r} never ran in {handle.id!r}; these did: {ran or 'none'}")


def _arrived(walk: dict[str, Any], node: str) -> bool:
    return any(node in walk["cursor"][state] for state in ("done", "failed", "skipped"))


def _check_change(change: Override, start: str, walk: dict[str, Any], plan: Plan) -> None:
    known = plan.graph.by_id
    if change.node not in known:
        raise CannotGoOn(f"--set: no node {change.node!r}; {did_you_mean(change.node, known, 'node')}")
    if _arrived(walk, change.node):
        raise CannotGoOn(f"--set: {change.node!r} does not run again: it comes before {start!r}; fork from it")
    node = known[change.node]
    if isinstance(node, plans.Decision):
        raise CannotGoOn(f"--set: {change.node!r} is a decision, which chooses by what ran before it: set that")
    if change.action == "input" and isinstance(node, NO_INPUTS):
        raise CannotGoOn(f"--set: a {node.kind} has no inputs; say {change.node}.output=…")


async def _start(
    client: Client, handle: Run, point: dict[str, Any], walk: dict[str, Any], changes: Sequence[Override], id: str
) -> Run:
    options = {name: said for name, said in point["options"].items() if name != "is_child"}
    options["origin"] = Origin(run=handle.id, walk=walk).model_dump()
    if changes:
        options["overrides"] = [change.model_dump(exclude_none=True, exclude_defaults=True) for change in changes]
    about = await handle.describe()
    try:
        return await client.start_workflow(
            about.workflow_type, args=[point["input"], options], id=id, task_queue=about.task_queue,
            static_summary=f"goes on from {handle.id}", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )  # fmt: skip
    except WorkflowAlreadyStartedError:
        raise CannotGoOn(f"there is a run {id!r} already; choose another id") from None


def _fresh(handle: Run, how: str) -> str:
    return f"{handle.id}-{how}-{secrets.token_hex(3)}"
