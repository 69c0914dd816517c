"""Where Temporal is: what is configured, or else our own server here, or else the usual address, or else a new one."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import socket
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeVar

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from gateway.cli.misuse import Trouble
from workers.connection import NotReachable, connect
from workers.embedded import EmbeddedServer, Facts, ServerTrouble, running
from workers.settings import Settings

T = TypeVar("T")
USUAL = ("127.0.0.1", 7233)
LONGEST_BOOT = 30.0
PAUSE = 0.1


@dataclass
class Server:
    """A server that answers. `own` is the one that this command started, `facts` are there for one of ours."""

    client: Client
    facts: Facts | None = None
    own: EmbeddedServer | None = None

    @property
    def address(self) -> str:
        return self.client.service_client.config.target_host

    def link(self, workflow_id: str, run_id: str) -> str:
        """The page of a run in the UI, where it is known where that is."""
        if self.facts is None:
            return ""
        return f"{self.facts.ui}/namespaces/{self.client.namespace}/workflows/{workflow_id}/{run_id}"


def settings_of(arguments: Namespace, **more: Any) -> Settings:
    """The settings of the environment, with what the command line says in their place."""
    said = {name: getattr(arguments, name, None) for name in ("home", "bundles")} | more
    return Settings(**{name: value for name, value in said.items() if value is not None})


def carried_out(work: Coroutine[Any, Any, T], *, quiet: bool = True) -> T:
    """Runs a command to its end; the SDK aborts when the interpreter ends before its objects do."""
    if quiet:
        _hush()
    try:
        return asyncio.run(work)
    except (NotReachable, ServerTrouble) as error:
        raise Trouble(str(error)) from None
    finally:
        gc.collect()


@lru_cache(maxsize=1)
def _hush() -> None:
    """The SDK writes warnings to standard output, which is the result's."""
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)), error_if_already_set=False)


async def found(settings: Settings) -> Server:
    """A server that runs already; raises `NotReachable` and `Trouble`."""
    facts = running(settings.home)
    if is_configured():
        client = await connect()
        known = facts is not None and client.service_client.config.target_host == facts.address
        server = Server(client, facts if known else None)
    elif facts is not None:
        server = Server(await connect(facts.address), facts)
    else:
        server = Server(await connect(f"{USUAL[0]}:{USUAL[1]}"))
    await has_namespace(server.client)
    return server


@asynccontextmanager
async def found_or_started(settings: Settings, *, alone: bool = False) -> AsyncIterator[Server]:
    """A server that runs already, or one that lasts as long as this command and those that came to use it.

    `alone` wants one that nobody else works for.
    """
    if not alone and (is_configured() or running(settings.home) or _listens(USUAL)):
        with _user(settings.home):
            yield await found(settings)
        return
    server = EmbeddedServer(settings.home)
    try:
        facts = await server.start()
    except ServerTrouble:
        if alone or not await _booted(settings.home):
            raise
        with _user(settings.home):
            yield await found(settings)
        return
    try:
        yield Server(await connect(facts.address), facts, server)
    finally:
        await server.stop()


async def has_namespace(client: Client) -> None:
    """Raises `Trouble` when it is missing; who may not ask is told when the work begins."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            where, name = client.service_client.config.target_host, client.namespace
            raise Trouble(
                f"the Temporal server at {where} has no namespace {name!r}\n"
                f"create it with `temporal operator namespace create --namespace {name}`, "
                "or say another one with TEMPORAL_NAMESPACE"
            ) from None


async def others_have_left(home: Path) -> None:
    """Waits for the commands that came to use the server of this one."""
    while True:
        with _users(home) as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                pass
        await asyncio.sleep(PAUSE)


def is_configured() -> bool:
    """Whether Temporal's own configuration says where the server is."""
    return "target_host" in ClientConfig.load_client_connect_config()


def _listens(place: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(place) == 0


async def _booted(home: Path) -> Facts | None:
    """The server that another command is just starting on the same data."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LONGEST_BOOT
    while (facts := running(home)) is None and loop.time() < ends:
        await asyncio.sleep(PAUSE)
    return facts


def _users(home: Path) -> IO[str]:
    home.mkdir(parents=True, exist_ok=True)
    return (home / "server.users").open("a")


def _user(home: Path) -> IO[str]:
    """Held for as long as the server of another command is used, which waits for that before it ends."""
    users = _users(home)
    fcntl.flock(users, fcntl.LOCK_SH)
    return users
