"""The facts of `haul doctor`."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.store.place import Unusable
from gateway.cli.crew import pollers
from gateway.cli.misuse import Trouble
from gateway.cli.servers import Server, found
from gateway.cli.stored import standing
from workers.connection import NotReachable
from workers.embedded import ServerTrouble, binary, running
from workers.settings import Settings
from workflows.board import ATTRIBUTES

State = Literal["fine", "wrong", "absent"]
MARKS: dict[State, str] = {"fine": "✓", "wrong": "✗", "absent": "–"}
PACKAGES = ("haulage", "temporalio", "pydantic", "PyYAML", "Jinja2", "cel-expr-python", "jsonschema-rs")
PROGRAMS = (
    (("bwrap",), "bubblewrap", "tools that run commands want it: apt install bubblewrap"),
    (("chromium", "chromium-browser", "google-chrome"), "chromium", "tools that browse want it: apt install chromium"),
    (("postgres", "psql"), "postgres", "a store for several machines, and the tests: apt install postgresql"),
)
PINGS = 7


class Finding(NamedTuple):
    """`absent` is what nothing here depends on; `fix` says what to do."""

    section: str
    what: str
    state: State
    said: str
    fix: str = ""


def can_run(findings: list[Finding]) -> bool:
    """Nothing that is needed is wrong."""
    return not any(finding.state == "wrong" for finding in findings)


async def examined(settings: Settings) -> list[Finding]:
    return [*_installed(), *_running(settings), *await _reachable(settings), await _store(settings)]


def _installed() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    is_new = sys.version_info >= (3, 11)
    fix = "" if is_new else "3.11 or newer is needed"
    yield Finding("installed", "python", "fine" if is_new else "wrong", python, fix)
    for package in PACKAGES:
        try:
            yield Finding("installed", package, "fine", version(package))
        except PackageNotFoundError:
            yield Finding("installed", package, "wrong", "missing", "`make setup` installs it")
    for name, what in (("temporal", "Temporal server"), ("temporal-test-server", "test server")):
        try:
            yield Finding("installed", what, "fine", binary(name))
        except ServerTrouble:
            fix = "`make setup` installs it; without it a server is needed elsewhere"
            yield Finding("installed", what, "absent", "missing", fix if name == "temporal" else "only tests want it")
    for names, what, why in PROGRAMS:
        path = next((path for name in names if (path := shutil.which(name))), None)
        yield Finding("installed", what, "fine" if path else "absent", path or "missing", "" if path else why)


def _running(settings: Settings) -> Iterator[Finding]:
    facts = running(settings.home)
    if facts is None:
        fix = "`haul dev` starts one that stays; `haul run` starts one for each run"
        yield Finding("running", "dev server", "absent", f"none on {settings.home}", fix)
    else:
        yield Finding("running", "dev server", "fine", f"{facts.address}, UI {facts.ui}, process {facts.pid}")


async def _reachable(settings: Settings) -> list[Finding]:
    try:
        server = await found(settings)
    except (NotReachable, Trouble) as error:
        first, _, fix = str(error).partition("\n")
        # A server that was asked for by its address must answer; where none was, a run starts its own.
        return [_unreachable(first, fix)]
    findings = [Finding("reachable", "server", "fine", f"{server.address}, {await _version(server.client)}")]
    findings.append(Finding("reachable", "namespace", "fine", server.client.namespace))
    findings.append(await _attributes(server.client))
    findings += [await _queue(server, queue, runs) for queue, runs in _queues(settings)]
    return [*findings, *_tuned(server), await _pinged(server.client)]


def _tuned(server: Server) -> Iterator[Finding]:
    """Whether our own server has the measured settings; of another one that cannot be known."""
    if server.facts is None:
        yield Finding("tuned", "server", "absent", "not one of ours: how it is set cannot be known from here")
    elif server.facts.stock:
        fix = "`haul dev` without --stock has the measured ones"
        yield Finding("tuned", "server", "absent", "Temporal's own settings", fix)
    else:
        yield Finding("tuned", "server", "fine", "the measured settings")


def _unreachable(said: str, fix: str) -> Finding:
    from gateway.cli.servers import is_configured

    try:
        binary("temporal")
    except ServerTrouble:
        return Finding("reachable", "server", "wrong", said, fix)
    if is_configured():
        return Finding("reachable", "server", "wrong", said, fix)
    return Finding("reachable", "server", "absent", "none; `haul run` starts one for as long as its run lasts")


async def _store(settings: Settings) -> Finding:
    """Runs go on without it, but nothing is kept of them."""
    from activities.store.database import newer
    from activities.store.migrations.running import HEAD, REVISIONS

    try:
        shown, revision = await standing(settings)
    except Unusable as error:
        return Finding("reachable", "store", "absent", str(error), "runs go on without it, and nothing is kept of them")
    if revision is None:
        return Finding("reachable", "store", "absent", f"nothing at {shown} yet", "the first worker makes its tables")
    if revision not in REVISIONS:
        return Finding("reachable", "store", "absent", newer(shown, revision))
    fix = "" if revision == HEAD else f"the next worker brings it to {HEAD}"
    return Finding("reachable", "store", "fine", f"{shown}, revision {revision}", fix)


async def _version(client: Client) -> str:
    from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

    return f"Temporal {(await client.workflow_service.get_system_info(GetSystemInfoRequest())).server_version}"


async def _attributes(client: Client) -> Finding:
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        return Finding("reachable", "search attributes", "absent", f"unknown: {error.message}")
    missing = [key.name for key in ATTRIBUTES if key.name not in known.custom_attributes]
    if missing:
        fix = "a worker registers them when it starts"
        return Finding("reachable", "search attributes", "absent", f"missing: {', '.join(missing)}", fix)
    return Finding("reachable", "search attributes", "fine", f"all {len(ATTRIBUTES)}")


def _queues(settings: Settings) -> list[tuple[str, bool]]:
    models = [f"haulage.models.{pool}" for pool in settings.pool]
    return [(settings.queue, True), *((queue, False) for queue in ("haulage.tools", "haulage.memory", *models))]


async def _queue(server: Server, queue: str, runs: bool) -> Finding:
    seen = await pollers(server.client, queue, runs=runs)
    if seen:
        return Finding("reachable", queue, "fine", f"polled by {', '.join(sorted({each.identity for each in seen}))}")
    fix = "`haul worker all` does, and `haul run` for as long as its run lasts"
    return Finding("reachable", queue, "absent", "nobody polls it", fix)


async def _pinged(client: Client) -> Finding:
    """How long a request takes that does nothing: this is the way there and back, not the work."""
    took = []
    for _ in range(PINGS):
        began = time.perf_counter()
        await client.service_client.check_health()
        took.append((time.perf_counter() - began) * 1000)
    return Finding("tuned", "round trip", "fine", f"{statistics.median(took):.1f} ms for a request that does nothing")
