"""Values and ends of runs, in words."""

from __future__ import annotations

import json
from typing import Any, TextIO

from gateway.cli.live import spent
from gateway.cli.runs import Outcome
from gateway.cli.terminal import Painter, visible


def value_told(value: Any, stream: TextIO) -> str:
    """A value as it is printed: texts as they are, the rest as JSON; for a terminal without what would steer it."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(map(visible, text.split("\n"))) if stream.isatty() else text


def failure_told(failure: dict[str, Any]) -> str:
    """A failure in one line, with what is known of where it happened."""
    facts = [f"{key} {failure[key]}" for key in ("node", "kind", "pipeline") if failure.get(key)]
    if failure.get("attempt", 1) > 1:
        facts.append(f"try {failure['attempt']}")
    behind = f" ({', '.join(facts)})" if facts else ""
    return visible(f"{failure['category']}: {failure['message']}{behind}")


def end_told(ended: Outcome, seconds: float | None, paint: Painter) -> str:
    """How a run ended, in a line or two."""
    facts = [
        "" if seconds is None else f"in {seconds:.1f} s",
        spent(ended.cost),
        f"{ended.events} events" if ended.events else "",
    ]
    word = paint.good(ended.status) if ended.status == "completed" else paint.bad(ended.status)
    line = f"{word} {paint.faint(' · '.join(filter(None, facts)))}".rstrip()
    return f"{line}\n{failure_told(ended.failure)}" if ended.failure and ended.status != "cancelled" else line
