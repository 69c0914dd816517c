"""Which code this is: the build id of a worker is a hash of all that could change what a run does next."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PARTS = ("workflows", "activities/contracts.py", "manifests/plan.py", "manifests/values.py", "manifests/expressions")


@lru_cache(maxsize=1)
def build_id() -> str:
    digest = hashlib.sha256()
    for part in _PARTS:
        path = _ROOT / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(_ROOT)).encode())
            digest.update(file.read_bytes())
    for package in ("temporalio", "cel-expr-python", "pydantic"):
        digest.update(version(package).encode())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{version('haulage')}-py{python}-{digest.hexdigest()[:12]}"
