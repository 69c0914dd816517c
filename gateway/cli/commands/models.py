"""`haul models`: how models did: calls, failures, latencies, tokens and costs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway.cli.misuse import FINE, Misuse
from gateway.cli.places import places
from gateway.cli.tables import table
from gateway.cli.terminal import Painter

if TYPE_CHECKING:
    from activities.store.statistics import Key, Tally

HEAD = ("model", "pool", "calls", "failed", "p50", "p95", "in", "out", "cached", "cost", "answers", "hits")
RIGHT = "calls p50 p95 in out cached cost hits"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", default="24h", help="from the hour on that was so long ago (24h)")
    places(parser)
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    Painter.configure(parser)


def run(arguments: Namespace) -> int:
    from gateway.cli.servers import carried_out, settings_of
    from gateway.cli.stored import statistics

    moment = datetime.now(UTC) - _since(arguments.since)
    found = carried_out(statistics(settings_of(arguments), moment))
    if arguments.json:
        print(json.dumps([_facts(key, tally) for key, tally in found.items()], indent=2))
    elif found:
        paint = Painter.chosen(arguments.color, sys.stdout)
        rows = [_row(key, tally) for key, tally in found.items()]
        print("\n".join(table(HEAD, rows, paint.width, paint.faint, right=RIGHT)))
    else:
        print(f"no calls of models in the last {arguments.since}", file=sys.stderr)
    return FINE


def _since(text: str) -> timedelta:
    from gateway.cli.wanted import milliseconds

    try:
        return timedelta(milliseconds=milliseconds(text))
    except ValueError:
        raise Misuse(f"--since {text!r}: write a number and a unit, as in 24h or 7d") from None


def _facts(key: Key, tally: Tally) -> dict[str, Any]:
    counted = {name: value for name, value in tally.as_row().items() if name not in ("latencies", "took_ms", "usd")}
    latency = {"p50_ms": tally.percentile(0.5), "p95_ms": tally.percentile(0.95)}
    return {**key._asdict(), **counted, "cost_usd": format(tally.usd, "f"), **latency}


def _row(key: Key, tally: Tally) -> list[str]:
    latencies = [_seconds(tally.percentile(share)) for share in (0.5, 0.95)]
    tokens = [f"{each:,}" if each else "" for each in (tally.tokens_in, tally.tokens_out, tally.cached)]
    cost = f"${tally.usd:.4f}" if tally.usd else ""
    answers = ", ".join(f"{number:,} {rung}" for rung, number in tally.rungs.most_common())
    hits = f"{tally.hits:,}" if tally.hits else ""
    name = f"{key.model} ({key.provider})" if key.provider else key.model
    return [name, key.pool, f"{tally.calls:,}", _failed(tally), *latencies, *tokens, cost, answers, hits]


def _failed(tally: Tally) -> str:
    if not tally.failed:
        return ""
    each = ", ".join(f"{number:,} {category}" for category, number in tally.failures.most_common())
    return f"{tally.failed / tally.calls:.1%}: {each}"


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
