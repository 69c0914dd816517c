"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from workers.connection import connect
from workers.embedded import EmbeddedServer, binary

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("laptop", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")

PROJECT = Path(__file__).resolve().parent.parent
CORPUS_CASES = {"yaml-test-suite": 351, "json-test-suite": 318, "prompt-injection": 751, "payloads": 2780}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """What a machine without some part could not check, after all else that is said."""
    yield
    reasons = (report.longrepr[-1] for report in terminalreporter.getreports("skipped"))
    for reason in dict.fromkeys(str(each).removeprefix("Skipped: ") for each in reasons):
        if reason.startswith("NOT "):
            terminalreporter.write_line(f"WARNING: {reason}", yellow=True, bold=True)


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


@pytest.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of the embedded server, as `haul dev` starts it."""
    async with EmbeddedServer(tmp_path_factory.mktemp("temporal")) as facts:
        yield await connect(facts.address)


@pytest.fixture(scope="session")
async def skipping() -> AsyncIterator[Client]:
    """A client of Temporal's test server, on which waiting takes no time."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=pydantic_data_converter
    )
    async with environment:
        yield environment.client
