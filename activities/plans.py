"""Which plan a run carries out: found by name or by hash, its input judged, and pinned."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio import activity

from activities.blobs import BlobStore, Keeper, encoded, is_forged
from activities.contracts import BLOB, Keep, Kept, Pinned, PinRequest, Proposal, Proposed
from activities.failing import Failing
from manifests import proposals
from manifests.compiler import Compiled, compile_bundle
from manifests.packing import packed
from manifests.plan import Plan, Planning, loaded
from manifests.problems import Refused, did_you_mean
from manifests.values import completed, misfit, out_of_range

# Of a packed plan.
INLINE_PLAN = 32 * 1024
# The server takes twice as much to start a run with, but not what a run must say about it.
LARGEST_INPUT = 1024 * 1024


class Unknown(Failing):
    """A plan that is not in the store of this worker."""

    def __init__(self, sha256: str) -> None:
        said = f"the plan {sha256[:12]} is not in this worker's blob store"
        super().__init__("engine", f"{said}: do all workers share one?")


class Plans:
    """The plans of some bundles, always as they are now, and every plan that was ever run, by its hash."""

    def __init__(self, blobs: BlobStore, folders: list[Path]) -> None:
        self.blobs = blobs
        self._folders = folders
        self._compiled: dict[Path, tuple[object, Plan]] = {}
        self._known: dict[str, Plan] = {}

    def by_hash(self, sha256: str) -> Plan:
        """Raises `Unknown`."""
        if sha256 not in self._known:
            try:
                self._known[sha256] = loaded(self.blobs.get(sha256))
            except KeyError:
                raise Unknown(sha256) from None
        return self._known[sha256]

    def add(self, compiled: Compiled) -> str:
        """Keeps a plan and all that it needs, so that runs find it by its hash."""
        if compiled.archive is not None:
            self.blobs.put(compiled.archive)
        return self.keep(compiled.plan)

    def keep(self, plan: Plan) -> str:
        """The same for a plan alone."""
        sha256 = self.blobs.put(plan.canonical())
        self._known[sha256] = plan
        for child in plan.children.values():
            self.keep(child)
        return sha256

    def by_name(self, name: str) -> Plan:
        """The plan of the bundle with this name, compiled again when a file of it has changed; raises `Failing`."""
        bundles = self._bundles()
        folder = next((each for each in bundles if each.name == name), None)
        for each in [folder] if folder else []:
            plan = self._plan(each)
            if plan.name == name:
                return plan
        names = {self._plan_name(each): each for each in bundles}
        if name in names:
            return self._plan(names[name])
        known = sorted(each for each in names if each)
        where = ", ".join(str(each) for each in self._folders) or "no folder"
        raise Failing("input", f"no manifest {name!r} in {where}; {did_you_mean(name, known, 'manifest')}")

    def _bundles(self) -> list[Path]:
        found: list[Path] = []
        for folder in self._folders:
            if (folder / "workflow.yaml").is_file():
                found.append(folder)
            else:
                found += [path.parent for path in sorted(folder.glob("*/workflow.yaml"))]
        return found

    def _plan_name(self, folder: Path) -> str:
        try:
            return self._plan(folder).name
        except Failing:
            return ""

    def _plan(self, folder: Path) -> Plan:
        state = _state(folder)
        known = self._compiled.get(folder)
        if known is not None and known[0] == state:
            return known[1]
        try:
            compiled = compile_bundle(folder)
        except Refused as refused:
            first = refused.problems[0]
            where = f"{first.span.file}:{first.span.line}:{first.span.column}"
            raise Failing("input", f"{folder} does not compile: {where}: {first.message} ({first.fix})") from None
        self.add(compiled)
        self._compiled[folder] = (state, compiled.plan)
        return compiled.plan


def _state(folder: Path) -> object:
    """Changes when a file of the bundle, or of a bundle beside it, does."""
    bundles = {folder, *(path.parent for path in folder.parent.glob("*/workflow.yaml"))}
    return sorted(each for bundle in bundles for each in _files(bundle))


def _files(folder: Path | str) -> Iterator[tuple[str, int, int]]:
    """Every file below a folder, with its time and size; a run does not begin before this is known."""
    # What goes away meanwhile is not there.
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file():
                found = entry.stat()
                yield entry.path, found.st_mtime_ns, found.st_size


class PlanActivities:
    def __init__(self, plans: Plans, *, heartbeat_ms: int, lost_attempts: int, search_attributes: bool) -> None:
        self._plans = plans
        self._inline: dict[str, str | None] = {}
        self._facts: dict[str, Any] = {
            "heartbeat_ms": heartbeat_ms,
            "lost_attempts": lost_attempts,
            "repeats_lost": True,
            "search_attributes": search_attributes,
        }

    @activity.defn(name="plans.pin")
    async def pin(self, request: PinRequest) -> Pinned:
        return await asyncio.to_thread(self._pinned, request)

    def _pinned(self, request: PinRequest) -> Pinned:
        plan = self._found(request)
        given = None if request.is_part else _judged(plan, request.input, request.is_child)
        return Pinned(sha256=plan.sha256, plan=self._inlined(plan), input=given, **self._facts)

    def _inlined(self, plan: Plan) -> str | None:
        """The plan for the history, when it is small; writing down a large one takes a second, so that is done once."""
        if plan.sha256 not in self._inline:
            text = packed(plan)
            self._inline[plan.sha256] = text if len(text) <= INLINE_PLAN else None
        return self._inline[plan.sha256]

    @activity.defn(name="plans.keep")
    async def keep(self, request: Keep) -> Kept:
        return await asyncio.to_thread(self._kept, request)

    def _kept(self, request: Keep) -> Kept:
        keeper = Keeper(self._plans.blobs)
        return Kept(outputs=[keeper.put_away(output, request.keep, request.above) for output in request.outputs])

    @activity.defn(name="plans.propose")
    async def propose(self, request: Proposal) -> Proposed:
        return await asyncio.to_thread(self._proposed, request)

    def _proposed(self, request: Proposal) -> Proposed:
        plan = self._plans.by_hash(request.plan)
        nodes = [node for graph in (plan.graph, plan.final) if graph for node in graph.walk()]
        node = next(each for each in nodes if each.path == request.node)
        assert isinstance(node, Planning)
        assert plan.archive is not None
        try:
            found = proposals.compiled(self._plans.blobs.get(plan.archive), plan, node, request.names, request.graph)
        except proposals.Unacceptable as error:
            raise Failing("json_major", f"the proposed graph is not one: {error}") from None
        return Proposed(sha256=self._plans.add(found), name=found.plan.name)

    def _found(self, request: PinRequest) -> Plan:
        if request.plan is None:
            return self._plans.by_name(request.type)
        try:
            plan = self._plans.by_hash(request.plan)
        except Unknown:
            plan = self._plans.by_name(request.type)
            if not plan.sha256.startswith(request.plan):
                raise Failing(
                    "input", f"no plan {request.plan[:12]} here: {request.type!r} is {plan.sha256[:12]} now"
                ) from None
        if plan.name != request.type:
            raise Failing(
                "input", f"the plan {request.plan[:12]} is of {plan.name!r}, and the run is of {request.type!r}"
            )
        return plan


def _judged(plan: Plan, given: Any, is_child: bool) -> Any:
    """The input with its defaults, or None when it is complete as it is; raises `Failing`."""
    value = {} if given is None else given
    if not is_child and is_forged(value):
        raise Failing("input", f"an input may not have a field {BLOB!r}: that is how references are marked")
    filled = completed(plan.input, value)
    wrong = misfit(plan.input, filled) or out_of_range(filled)
    if wrong:
        raise Failing("input", f"the input of {plan.name!r} does not fit: {wrong}")
    size = len(encoded(filled))
    if size > LARGEST_INPUT:
        raise Failing(
            "input", f"the input of {plan.name!r} has {size:,} bytes, and at most {LARGEST_INPUT:,} are taken"
        )
    return filled if filled != given else None
