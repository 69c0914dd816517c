"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.faults.campaign import lanes
from tests.faults.processes import Nest

LANES = 3


@pytest.fixture(scope="session")
async def nest() -> AsyncIterator[Nest]:
    async with Nest() as nest:
        yield nest


@pytest.fixture
async def ways(temporal: Client) -> list[Client]:
    """Namespaces to run trials in, side by side; no other test has left anything in them."""
    return await lanes(temporal, LANES)
