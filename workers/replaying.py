"""Recorded histories, judged by the workflow code of today: from JSON alone, without a server."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from temporalio import workflow
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.blobs import BlobStore
from activities.contracts import BLOB, Pinned
from manifests.packing import carried
from manifests.plan import Plan, loaded
from workers.building import build_replayer
from workflows.chart import SHELF

Fetch: TypeAlias = Callable[[str], bytes]
PIN = "plans.pin"
_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")
_RECORDED = re.compile(r"(?:scheduled event|recorded marker|initiated event) '([^']*)'")
_SHA256 = re.compile("[0-9a-f]{64}")
_PATH = re.compile(r"[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*")


class NoHistory(Exception):
    """What was given is no history; the message says what would be."""


@dataclass(frozen=True)
class Verdict:
    """What replaying one history came to; `trouble` is empty when it replays. `state` is where the run stood then."""

    run: str
    type: str
    events: int
    plan: str | None
    trouble: str = ""
    event: int | None = None
    node: str | None = None
    state: dict[str, Any] | None = None

    @property
    def where(self) -> str:
        event = f"event {self.event}" if self.event is not None else ""
        node = f"node {self.node}" if self.node is not None else ""
        return ", ".join(filter(None, (event, node)))


# --- reading


def read_history(path: Path) -> WorkflowHistory:
    """A history as `haul export`, `temporal workflow show --output json` and the UI write it; raises `NoHistory`."""
    try:
        data = json.loads(path.read_bytes())
        return WorkflowHistory.from_json(_id_in(data) or path.stem, data)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        wanted = "`haul export RUN` writes one"
        raise NoHistory(f"{str(path)!r} is not the history of a run ({type(error).__name__}); {wanted}") from None


def _id_in(data: Any) -> str:
    first = data["events"][0]["workflowExecutionStartedEventAttributes"]
    return str(first.get("workflowId", ""))


def plan_file(folder: Path, sha256: str) -> Path:
    """Where the plan of a history lies that does not have it inside."""
    return folder / f"{sha256}.plan.json"


def beside(folder: Path, *stores: BlobStore) -> Fetch:
    """Finds plans in a folder, then in stores; raises `KeyError`."""

    def fetch(sha256: str) -> bytes:
        path = plan_file(folder, sha256)
        if path.is_file():
            return path.read_bytes()
        return stored(*stores)(sha256)

    return fetch


def stored(*stores: BlobStore) -> Fetch:
    def fetch(sha256: str) -> bytes:
        for store in stores:
            try:
                return store.get(sha256)
            except KeyError:
                continue
        raise KeyError(sha256)

    return fetch


def pinned_in(events: Iterable[HistoryEvent]) -> Pinned | None:
    """What the run was pinned to, if it came so far."""
    for event in events:
        if (pinned := pin_of(event)) is not None:
            return pinned
    return None


def pin_of(event: HistoryEvent) -> Pinned | None:
    marker = event.marker_recorded_event_attributes
    if marker.marker_name != "core_local_activity" or not marker.details["result"].payloads:
        return None
    if json.loads(marker.details["data"].payloads[0].data).get("activity_type") != PIN:
        return None
    converter = pydantic_data_converter.payload_converter
    pinned: Pinned = converter.from_payload(marker.details["result"].payloads[0], Pinned)
    return pinned


def plan_of(pinned: Pinned, fetch: Fetch) -> Plan:
    """The plan that a run is pinned to; raises `KeyError` when it went by reference and is not there."""
    if pinned.plan is not None:
        return carried(pinned.plan)
    data = fetch(pinned.sha256)
    if hashlib.sha256(data).hexdigest() != pinned.sha256:
        raise KeyError(pinned.sha256)
    return loaded(data)


def blobs_in(history: WorkflowHistory) -> list[str]:
    """The hashes of all values that a history refers to."""
    found: dict[str, None] = {}
    _collect(history.to_json_dict(), found)
    return list(found)


def _collect(value: Any, found: dict[str, None]) -> None:
    if isinstance(value, list):
        for below in value:
            _collect(below, found)
    if not isinstance(value, dict):
        return
    if "metadata" in value and "data" in value and len(value) == 2:
        _collect(_decoded(value), found)
        return
    if isinstance(value.get(BLOB), dict):
        found[value[BLOB]["sha256"]] = None
    for name in ("transcript", "earlier", "report"):
        if isinstance(value.get(name), str) and _SHA256.fullmatch(value[name]):
            found[value[name]] = None
    for below in value.values():
        _collect(below, found)


def _decoded(payload: dict[str, Any]) -> Any:
    try:
        return json.loads(base64.b64decode(payload["data"]))
    except (ValueError, TypeError):
        return None


# --- replaying


async def judged(history: WorkflowHistory, fetch: Fetch) -> Verdict:
    """Replays one history with the code of today."""
    events = list(history.events)
    pinned = pinned_in(events)
    about: dict[str, Any] = {
        "run": history.workflow_id,
        "type": events[0].workflow_execution_started_event_attributes.workflow_type.name,
        "events": len(events),
        "plan": pinned.sha256 if pinned else None,
    }
    if pinned is not None:
        try:
            plan_of(pinned, fetch)
        except KeyError:
            said = f"the plan {pinned.sha256[:12]} went by reference, and is not here"
            return Verdict(**about, trouble=f"{said}: it belongs beside the history, as {pinned.sha256}.plan.json")
    witness = _Witness()
    with _shelf(fetch), _quiet():
        replayer = build_replayer(interceptors=[witness], runtime=_silent())
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure is None:
        return Verdict(**about, trouble=_other_end(events, witness), state=witness.state())
    message = _spelt(str(result.replay_failure))
    event = _event(message, events)
    return Verdict(
        **about,
        trouble=message,
        event=event.event_id if event else None,
        node=_node(event, history.workflow_id) if event else None,
        state=witness.state(),
    )


class _Witness(Interceptor):
    """Sees the run from inside: what it gave, and where it stood when its history was over."""

    def __init__(self) -> None:
        self.run: Any = None
        self.given: Any = None
        self.has_ended = False

    def state(self) -> dict[str, Any] | None:
        state = self.run.state() if self.run is not None else None
        return state if state and "nodes" in state else None

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        witness = self

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                witness.run = workflow.instance()
                witness.given = await super().execute_workflow(input)
                witness.has_ended = True
                return witness.given

        return Inbound


def _other_end(events: Sequence[HistoryEvent], witness: _Witness) -> str:
    """Commands can agree and the result differ: that is another answer to the same past."""
    last = events[-1]
    if not last.HasField("workflow_execution_completed_event_attributes"):
        return ""
    if not witness.has_ended:
        return "the run has completed, and replayed it does not"
    recorded = json.loads(last.workflow_execution_completed_event_attributes.result.payloads[0].data)
    if recorded == json.loads(json.dumps(witness.given)):
        return ""
    return f"the run gave {json.dumps(recorded)[:200]}, and replayed it gives {json.dumps(witness.given)[:200]}"


def _spelt(said: str) -> str:
    """The sentence inside of what the SDK says."""
    found = _MESSAGE.search(said)
    text = found[1].replace('\\"', '"').replace("\\n", "\n") if found else said
    return text.removeprefix("[TMPRL1100] ").strip()


def _event(message: str, events: Sequence[HistoryEvent]) -> HistoryEvent | None:
    """The event at which code and history part."""
    if found := _EVENT.search(message):
        return next((event for event in events if event.event_id == int(found[1])), None)
    if found := _RECORDED.search(message):
        return next((event for event in events if found[1] in (_called(event), _local(event))), None)
    return None


def _called(event: HistoryEvent) -> str:
    """The id of the activity or the child run that an event is about."""
    return (
        event.activity_task_scheduled_event_attributes.activity_id
        or event.start_child_workflow_execution_initiated_event_attributes.workflow_id
    )


def _local(event: HistoryEvent) -> str:
    marker = event.marker_recorded_event_attributes
    data = marker.details["data"].payloads if marker.marker_name == "core_local_activity" else ()
    return str(json.loads(data[0].data).get("activity_id", "")) if data else ""


def _node(event: HistoryEvent, run: str) -> str | None:
    """The path of the node: calls and children are named by it, timers and segments by their summary."""
    name = _called(event).removeprefix(f"{run}/") or _local(event)
    if not name and event.user_metadata.summary.data:
        name = json.loads(event.user_metadata.summary.data)
    found = _PATH.match(name)
    return found[0] if found else None


@contextmanager
def _shelf(fetch: Fetch) -> Iterator[None]:
    before, SHELF.fetch = SHELF.fetch, lambda sha256: loaded(fetch(sha256))
    try:
        yield
    finally:
        SHELF.fetch = before


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is told by the verdict, not by the log."""
    loggers = [logging.getLogger(name) for name in ("temporalio.worker", "temporalio.workflow")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


@lru_cache(maxsize=1)
def _silent() -> Runtime:
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="OFF")))
