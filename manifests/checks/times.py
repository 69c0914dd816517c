"""Times, schedules and messages that make sense before anything waits for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from manifests.agreement import is_literal, misfits
from manifests.analysis import Analysis
from manifests.draft import Node
from manifests.problems import Problem
from manifests.shape import workflow as shapes
from manifests.source import Place

_NAMES = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC SUN MON TUE WED THU FRI SAT"
_VALUE = re.compile(rf"(?:\*|(?:\d+|{_NAMES.replace(' ', '|')})(?:-(?:\d+|{_NAMES.replace(' ', '|')}))?)(?:/\d+)?")
_FIELDS = (("minute", 59), ("hour", 23), ("day", 31), ("month", 12), ("weekday", 7))


def waits_end(found: Analysis) -> Iterator[Problem]:
    for node in found.draft.nodes():
        match node.spec:
            case shapes.Wait(wait=waiting) if waiting.until is not None and is_literal(waiting.until):
                yield from _moment(waiting.until, node)
            case shapes.Human(human=gate) if gate.escalate and gate.escalate.after >= gate.within:
                at = node.at / "human" / "escalate" / "after"
                message = "by then the gate has ended"
                yield Problem("HL108", at, message, "a time before 'within' is over", "escalate earlier")
            case shapes.Emit(emit=message) if (message.run is None) != (message.signal is None):
                text = "'signal' goes with 'run', and it with 'signal'"
                yield Problem("HL106", node.at / "emit", text, "both or neither", "say which signal of which run it is")


def _moment(written: object, node: Node) -> Iterator[Problem]:
    try:
        fine = isinstance(written, str) and datetime.fromisoformat(written).tzinfo is not None
    except ValueError:
        fine = False
    if not fine:
        message = f"{written!r} is not a moment"
        expected, fix = "a time in RFC 3339", "write it like 2030-01-31T12:00:00Z"
        yield Problem("HL105", node.at / "wait" / "until", message, expected, fix)


def triggers_can_start_runs(found: Analysis) -> Iterator[Problem]:
    draft = found.draft
    for trigger in draft.bundle.triggers.values():
        said, at = trigger.value, trigger.at
        if said.schedule is not None:
            yield from _cron(said.schedule.cron, at / "schedule" / "cron")
            yield from _timezone(said.schedule.timezone, at / "schedule" / "timezone")
        if said.input is not None or said.schedule is not None:
            yield from misfits(said.input or {}, draft.contracts.input, at / "input", what="the input does not fit: ")
        tool = draft.contracts.tools.get(said.sensor.tool) if said.sensor else None
        if tool and tool.tool.effect != "pure":
            message = f"a sensor asks again and again, and {said.sensor and said.sensor.tool!r} is {tool.tool.effect}"
            yield Problem("HL404", at / "sensor" / "tool", message, "a pure tool", "name one that changes nothing")


def _cron(line: str | None, at: Place) -> Iterator[Problem]:
    for (name, most), text in zip(_FIELDS, (line or "").split(), strict=False):
        values = text.upper().split(",")
        numbers = [int(number) for number in re.findall(r"\d+", re.sub(r"/\d+", "", text))]
        if not all(_VALUE.fullmatch(value) for value in values) or any(number > most for number in numbers):
            message = f"{text!r} is not a {name} of a cron line"
            yield Problem("HL104", at, message, f"0 to {most}, *, lists, ranges, steps", 'write it like "0 6 * * 1-5"')


def _timezone(name: str, at: Place) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        fix = "write a name such as Europe/Berlin, or UTC"
        yield Problem("HL104", at, f"{name!r} is not a time zone", "a name of the time zone database", fix)


CHECKS = (waits_end, triggers_can_start_runs)
