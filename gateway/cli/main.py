"""The `haul` command: finds the command that was asked for and loads no other."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from gateway.cli.misuse import MISUSE, PROBLEMS, Misuse, Trouble

# Looking for plugins of pydantic, which none of ours is, goes through every installed package: a quarter of a start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

BROKEN_PIPE = 141  # what a shell sees of a program that a closed pipe ended
INTERRUPTED = 130
GONE = "the Temporal server went away"
WATCH = "\nopen runs go on where they stood once it is back, and `haul watch RUN` follows them again"


class Command(NamedTuple):
    name: str
    module: str
    help: str


COMMANDS = (
    Command("check", "gateway.cli.commands.check", "say whether bundles compile, and what is wrong where"),
    Command("compile", "gateway.cli.commands.compile", "turn a bundle into a plan"),
    Command("graph", "gateway.cli.commands.graph", "draw a bundle as Mermaid, Graphviz or SVG"),
    Command("explain", "gateway.cli.commands.explain", "say what a bundle comes to: nodes, models, worst case"),
    Command("diff", "gateway.cli.commands.diff", "say what differs in meaning between two bundles or plans"),
    Command("export", "gateway.cli.commands.export", "write the history of a run to a file"),
    Command("replay", "gateway.cli.commands.replay", "say whether this code does what recorded runs did"),
    Command("fork", "gateway.cli.commands.fork", "run a part of a run again, from a node on"),
    Command("new", "gateway.cli.commands.new", "start a bundle from one of the catalogue"),
    Command("migrate", "gateway.cli.commands.migrate", "bring a bundle up to the newest version of the language"),
    Command("schema", "gateway.cli.commands.schema", "print the JSON Schema of a kind of file"),
    Command("dev", "gateway.cli.commands.dev", "start Temporal and all workers here, until Ctrl-C"),
    Command("worker", "gateway.cli.commands.worker", "work for a Temporal server, in one role or in all"),
    Command("run", "gateway.cli.commands.run", "carry out a bundle and watch it; starts what is missing"),
    Command("start", "gateway.cli.commands.start", "start a run and leave it to the workers"),
    Command("list", "gateway.cli.commands.list", "list runs, by manifest, stage, who is waited for, tenant or mode"),
    Command("show", "gateway.cli.commands.show", "say where a run stands and how it got there"),
    Command("watch", "gateway.cli.commands.watch", "follow a run until it ends"),
    Command("approve", "gateway.cli.commands.approve", "answer a gate: go on"),
    Command("reject", "gateway.cli.commands.reject", "answer a gate: no"),
    Command("override", "gateway.cli.commands.override", "decide about a node in its place"),
    Command("pause", "gateway.cli.commands.pause", "keep a run from starting anything new"),
    Command("resume", "gateway.cli.commands.resume", "let a run that was stopped go on"),
    Command("cancel", "gateway.cli.commands.cancel", "ask a run to end; what can be undone is undone"),
    Command("models", "gateway.cli.commands.models", "say how models did: calls, failures, latencies, tokens, costs"),
    Command("doctor", "gateway.cli.commands.doctor", "say what is installed, running, reachable and tuned"),
)


def main(words: Sequence[str] | None = None) -> int:
    try:
        try:
            return _carry_out(sys.argv[1:] if words is None else words)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has gone; the interpreter flushes once more at its end and must find nothing wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Misuse as misuse:
        print(f"haul: {misuse}", file=sys.stderr)
        return MISUSE
    except Trouble as trouble:
        print(f"haul: {trouble}", file=sys.stderr)
        return PROBLEMS
    except OSError as error:
        if error.filename is None:
            raise
        print(f"haul: {os.fspath(error.filename)!r}: {error.strerror}", file=sys.stderr)
        return MISUSE
    except Exception as error:
        # Loaded or not, it is not worth the time it takes to load: then it is none of its errors.
        service = sys.modules.get("temporalio.service")
        if service is None or not isinstance(error, service.RPCError):
            raise
        is_gone = error.status == service.RPCStatusCode.UNAVAILABLE
        said = f"{GONE if is_gone else 'Temporal says'}: {str(error).splitlines()[0]}"
        print(f"haul: {said}{WATCH if is_gone else ''}", file=sys.stderr)
        return PROBLEMS


def _carry_out(words: Sequence[str]) -> int:
    parser = _parser(words)
    arguments = parser.parse_args(words)
    if arguments.version:
        from importlib.metadata import version

        print(f"haul {version('haulage')}")
        return 0
    if arguments.run is None:
        parser.print_help(sys.stderr)
        return MISUSE
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The whole command line in outline, with the details of the one command that the words name."""
    parser = argparse.ArgumentParser(prog="haul", description="Manifests in, finished work out.", allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for command in COMMANDS:
        below = commands.add_parser(
            command.name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}."
        )
        if command.name == chosen:
            module = import_module(command.module)
            module.configure(below)
            below.set_defaults(run=module.run)
    return parser
