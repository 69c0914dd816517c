"""`haul worker`: a process that works for a Temporal server until it is told to stop."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from gateway.cli.misuse import FINE, Misuse
from gateway.cli.places import places

ROLES = ("run", "models", "tools", "memory")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("role", choices=(*ROLES, "all"), metavar="ROLE", help=f"{', '.join(ROLES)} or all")
    parser.add_argument("--pool", action="append", metavar="NAME", help="a pool that `models` serves (repeated)")
    parser.add_argument("--server", metavar="URL", help="model server of the pool: it gets calls while it is well")
    parser.add_argument("--model", action="append", metavar="ID", help="a model that the server must have (repeated)")
    parser.add_argument("--slots", type=int, metavar="N", help="calls that the server takes at once")
    places(parser, bundles="bundles, or folders of bundles")
    parser.add_argument("--health", metavar="HOST:PORT", help="answer /healthz and /readyz there")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="answer /metrics there, for Prometheus")
    parser.add_argument("--deployment", metavar="NAME", help="worker deployment, whose version runs stay with")
    parser.add_argument("--current", action="store_true", help="new runs go to this version, once it is known")


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of

    if arguments.health is not None and not arguments.health.rpartition(":")[2].isdigit():
        raise Misuse(f"--health {arguments.health!r}: write HOST:PORT")
    own = {name: getattr(arguments, name) for name in ("pool", "health", "deployment", "server", "slots", "metrics")}
    settings = settings_of(arguments, **own, server_models=arguments.model)
    if settings.server is not None and arguments.role != "models":
        raise Misuse("--server is for the role `models`, next to it")
    from activities.failing import Failing
    from workers.pools import pool_of

    try:
        pool_of(settings)
        if settings.metrics is not None:
            _measured(settings.metrics)
    except (ValueError, Failing) as error:
        raise Misuse(str(error)) from None
    if arguments.current and (settings.deployment is None or arguments.role not in ("run", "all")):
        raise Misuse("--current is for the role `run` or `all` of a --deployment")
    from gateway.cli.deploying import work

    carried_out(work(settings, arguments.role, current=arguments.current), quiet=False)
    print("stopped", file=sys.stderr)
    return FINE


def _measured(address: str) -> None:
    from temporalio.runtime import Runtime

    from workers.measuring import runtime

    Runtime.set_default(runtime(address))
