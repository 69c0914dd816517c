"""What a new plan and this code mean for the runs that are open: one by one, with the nodes and the reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from gateway.cli.bundles import compiled
from gateway.cli.diagnostics import counted
from gateway.cli.misuse import FINE, MISUSE, PROBLEMS
from gateway.cli.reaching import store, with_server
from gateway.cli.terminal import Painter, visible
from manifests import plan as plans
from manifests.changes import Change
from manifests.comparison import compared
from manifests.plan import Plan
from workers.replaying import Fetch, Verdict, judged, pinned_in, plan_of, stored
from workers.settings import Settings

Outlook: TypeAlias = Literal["safe", "pinned", "must migrate", "unknown"]
# What follows from other changes, and what was settled when the run started.
FOLLOWS = frozenset(("segments", "projections", "bounds"))
STARTED = frozenset(("name", "version", "description", "input"))
OVER = ("done", "failed", "skipped")


@dataclass(frozen=True)
class Reason:
    node: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """One open run. `unknown` is one that could not be judged, for want of its plan."""

    run: str
    run_id: str
    plan: str | None
    outlook: Outlook
    reasons: list[Reason] = field(default_factory=list)


def against_running(folder: Path, as_json: bool, color: str, paint: Painter) -> int:
    """The whole of `haul diff --against-running`."""
    new = compiled(folder, color)
    if new is None:
        return MISUSE

    async def work(client: Client, settings: Settings) -> list[Standing]:
        return await standings(client, new, stored(store(settings)))

    found = with_server(work)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        print("\n".join(_text(found, new, paint)))
    return PROBLEMS if any(each.outlook in ("must migrate", "unknown") for each in found) else FINE


async def standings(client: Client, new: Plan, fetch: Fetch) -> list[Standing]:
    """Every open run of the manifest, oldest first."""
    query = f"WorkflowType = '{new.name}' AND ExecutionStatus = 'Running'"
    open_runs = [(each.start_time, each.id, each.run_id) async for each in client.list_workflows(query)]
    found = [await _standing(client, new, fetch, id, run_id) for _, id, run_id in sorted(open_runs)]
    return [each for each in found if each is not None]


async def _standing(client: Client, new: Plan, fetch: Fetch, id: str, run_id: str) -> Standing | None:
    try:
        history = await client.get_workflow_handle(id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:  # it ended meanwhile, and is forgotten
            return None
        raise
    pinned = pinned_in(history.events)
    if pinned is None:
        return Standing(id, run_id, None, "safe", [Reason("", "not pinned yet: it takes the plan it finds")])
    try:
        old = plan_of(pinned, fetch)
    except KeyError:
        why = "its plan is too large for its history, and is not in the store here (HAULAGE_HOME)"
        return Standing(id, run_id, pinned.sha256, "unknown", [Reason("", why)])
    verdict = await judged(history, fetch)
    if verdict.trouble:
        where = f" (event {verdict.event})" if verdict.event is not None else ""
        reason = Reason(verdict.node or "", f"does not replay with this code{where}: {verdict.trouble}")
        return Standing(id, run_id, pinned.sha256, "must migrate", [reason])
    return Standing(id, run_id, pinned.sha256, *outlook(old, new, verdict))


def outlook(old: Plan, new: Plan, verdict: Verdict) -> tuple[Outlook, list[Reason]]:
    """For a run that replays: whether what changed in the plan is still ahead of it."""
    changes = [change for change in compared(old, new) if not _is_moot(change)]
    if not changes:
        return "safe", []
    over = {node for node, state in (verdict.state or {}).get("nodes", {}).items() if state in OVER}
    ahead: dict[Reason, None] = {}
    for change in changes:
        said = " ".join(filter(None, (change.section, change.path, change.what)))
        nodes = touched(change, old, new)
        if nodes is None:
            ahead[Reason("", f"keeps the old {said}")] = None
        else:
            ahead |= {Reason(node, f"keeps the old {said}"): None for node in nodes if node not in over}
    if ahead:
        return "pinned", list(ahead)
    return "safe", [Reason("", "all that changed lies behind it")]


def _is_moot(change: Change) -> bool:
    return change.section in FOLLOWS or (change.section == "workflow" and change.what.partition(".")[0] in STARTED)


def touched(change: Change, old: Plan, new: Plan) -> list[str] | None:
    """The nodes of the main graph that a change is about; None when it is about the run as a whole."""
    match change.section:
        case "nodes" | "failures" | "output" if change.path and not change.path.startswith("finally"):
            return [change.path.partition("/")[0]]
        case "edges":
            line = str(change.before or change.after) if not change.path else change.path
            return [line.split()[0].partition("/")[0]]
        case "agents" | "prompts" | "tools" | "models" | "stores" | "profiles" | "plugins" if ":" not in change.path:
            users = [*_users(change.path, old), *_users(change.path, new)]
            return list(dict.fromkeys(users))
    return None


def _users(name: str, plan: Plan) -> Iterator[str]:
    """The nodes of the main graph in which a thing of this name is used."""
    for node in plan.graph.walk():
        if name in _uses(node, plan):
            yield node.path.partition("/")[0]


def _uses(node: plans.Node, plan: Plan) -> set[str]:
    used = {node.undo or "", *(node.cheaper or ())}
    match node:
        case plans.Agent(agent=agent) | plans.Planning(agent=agent):
            spec = plan.agents[agent]
            used |= {agent, *spec.tools, *spec.ladder, spec.context or ""}
        case plans.Tool(tool=tool):
            used |= {tool}
        case plans.Recall(name=name):
            used |= {name}
        case plans.Remember(store=name):
            used |= {name}
        case plans.Emit(plugin=name):
            used |= {name or ""}
    return used


def _text(found: list[Standing], new: Plan, paint: Painter) -> Iterator[str]:
    painted = {"safe": paint.good, "pinned": paint.label, "must migrate": paint.bad, "unknown": paint.bad}
    for each in found:
        plan = "same plan" if each.plan == new.sha256 else f"plan {(each.plan or 'none')[:12]}"
        yield f"{paint.place(visible(each.run))}: {painted[each.outlook](each.outlook)} ({plan})"
        for reason in each.reasons:
            yield visible(f"  {f'{reason.node}: ' if reason.node else ''}{reason.reason}")
    outlooks = [each.outlook for each in found]
    counts = [f"{outlooks.count(each)} {each}" for each in painted if each in outlooks]
    yield f"{counted(len(found), 'open run')} of {new.name}{': ' if counts else ''}{', '.join(counts)}"
