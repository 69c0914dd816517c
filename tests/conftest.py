"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("laptop", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")

PROJECT = Path(__file__).resolve().parent.parent
CORPUS_CASES = {"yaml-test-suite": 351, "json-test-suite": 318, "prompt-injection": 751, "payloads": 2780}


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_corpora() -> Path:
    """Public test suites kept beside the checkout."""
    corpora = PROJECT.parent / "shared" / "corpora"
    if not corpora.is_dir():
        cases = ", ".join(f"{number} of {name}" for name, number in CORPUS_CASES.items())
        pytest.skip(f"NOT RUN, for want of {corpora}: {cases}")
    return corpora
