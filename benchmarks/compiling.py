"""How long a compilation takes, in all and by phase."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from benchmarks import bundles
from manifests import bundle, compiler

SIZES = (100, 1_000, 10_000)
PHASES: dict[str, tuple[ModuleType, str]] = {
    "read": (bundle, "read_yaml"),
    "shape": (bundle, "shaped"),
    "draw": (compiler, "_draft"),
    "dataflow": (compiler, "analysed"),
    "lower": (compiler, "lower"),
}
Times = dict[str, float]


def rounds(number: int, sizes: tuple[int, ...] = SIZES) -> dict[int, list[Times]]:
    """So many compilations of each size, in turns, so that a slow minute of the machine hits them all."""
    found: dict[int, list[Times]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        written = {size: bundles.write(Path(folder) / str(size), size) for size in sizes}
        _timed(written[sizes[0]])
        for _ in range(number):
            for size in sizes:
                found[size].append(_timed(written[size]))
    return found


def _timed(folder: Path) -> Times:
    gc.collect()
    with _stopwatches() as phases:
        start = time.perf_counter()
        plan = compiler.compile_bundle(folder).plan
        compiled = time.perf_counter()
        plan.canonical()
        end = time.perf_counter()
    checks = compiled - start - sum(phases.values())
    return {"total": end - start, **phases, "checks": checks, "canonical": end - compiled}


@contextmanager
def _stopwatches() -> Iterator[Times]:
    """The time that each phase takes, its calls added up."""
    times = dict.fromkeys(PHASES, 0.0)
    with ExitStack() as stack:
        for phase, (module, name) in PHASES.items():
            stack.enter_context(mock.patch.object(module, name, _watched(phase, getattr(module, name), times)))
        yield times


def _watched(phase: str, function: Callable[..., Any], times: Times) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            times[phase] += time.perf_counter() - start

    return call
