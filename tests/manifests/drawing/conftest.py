"""Names that break things."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def naughty(shared_corpora: Path) -> list[str]:
    found: list[str] = json.loads((shared_corpora / "payloads" / "naughty-strings.json").read_text(encoding="utf-8"))
    return found
