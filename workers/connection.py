"""The one way to reach Temporal."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

LONGEST_WAIT = 10.0


class NotReachable(Exception):
    """Temporal is not there, or not as it should be; the message says what to do."""


async def connect(address: str | None = None, **more: Any) -> Client:
    """A client by Temporal's own configuration (environment, profiles, TLS, API keys); raises `NotReachable`."""
    settings: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
    if address is not None:
        settings["target_host"] = address
    target = settings.setdefault("target_host", "localhost:7233")
    try:
        connecting = Client.connect(**settings, data_converter=pydantic_data_converter, **more)
        return await asyncio.wait_for(connecting, LONGEST_WAIT)
    except (TimeoutError, RuntimeError, RPCError) as error:
        said = str(error).splitlines()[0] if str(error) else f"no answer within {LONGEST_WAIT:.0f} s"
        said = "nothing listens there" if "ConnectionRefused" in said else said
        raise NotReachable(
            f"no Temporal server at {target}: {said}\n"
            "start one with `haul dev`, or say where it is with TEMPORAL_ADDRESS"
        ) from None
