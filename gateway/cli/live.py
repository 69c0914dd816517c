"""A run as people watch it: a tree that is drawn in place on a terminal, and lines where there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TextIO

from gateway.cli.tables import shortened, size
from gateway.cli.terminal import Painter, visible
from gateway.cli.voices import Listener, Voice
from manifests.plan import Node, Plan, body_of

MARKS = {"done": "✓", "failed": "✗", "skipped": "–", "running": "●", "waiting": "·"}
MOST_OPEN = 3  # iterations of one node that are shown at once
WIDEST_NAME = 40
SPARE = 5  # lines of the terminal that are not for nodes


class Screen(Protocol):
    def show(self, state: dict[str, Any], gates: list[dict[str, Any]], voices: Sequence[Voice] = ()) -> None: ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...


class Tree:
    """The nodes of a run as lines; of a graph that is too long only what happens now."""

    def __init__(self, plan: Plan | None, paint: Painter) -> None:
        self._plan = plan
        self._paint = paint

    def lines(
        self, state: dict[str, Any], gates: list[dict[str, Any]], most: int, voices: Sequence[Voice] = ()
    ) -> list[str]:
        states: dict[str, str] = state.get("nodes", {})
        nodes = self._plan.graph.by_id if self._plan else {}
        asked = {gate["node"]: gate for gate in gates}
        names = list(states)
        wide = min(max([size(name) for name in names], default=0) + 2, WIDEST_NAME)
        rows: list[tuple[str, list[str]]] = []
        for name in names:
            node = nodes.get(name)
            note = _note(asked.get(name), state.get("progress", {}).get(name, ""))
            lines = [self._row(states[name], name, node.kind if node else "", note, wide)]
            if states[name] == "running" and node is not None:
                lines += self._inside(node, state)
                lines += [self._said(each) for each in voices if each.node == name][:MOST_OPEN]
            rows.append((states[name], lines))
        final = state.get("inside", {}).get("", {})
        rows += [(each, [self._row(each, name, "finally", "", wide)]) for name, each in final.items()]
        return _fitting(rows, most, self._paint)

    def _row(self, state: str, name: str, kind: str, note: str, wide: int) -> str:
        name = shortened(visible(name), wide)
        head = f"  {MARKS.get(state, '?')} {name}{' ' * (wide - size(name))}"
        kind = f"{kind:<10}" if note and kind else kind
        rest = shortened(f"{kind}{visible(note)}", self._paint.width - size(head) - 1)
        kind, note = rest[: len(kind)], rest[len(kind) :]
        mark = {"done": self._paint.good, "failed": self._paint.bad, "running": self._paint.label}
        said = mark.get(state, self._paint.faint)(head)
        return f"{said}{self._paint.faint(kind)}{note}".rstrip()

    def _said(self, voice: Voice) -> str:
        """The end of what is being said, on one line."""
        text = visible(" ".join(voice.text.split()))
        again = f"attempt {voice.attempt}: " if voice.attempt > 1 else ""
        room = max(self._paint.width - len(again) - 12, 0)
        # From its end on: the mirror of a text takes the columns of the text.
        return self._paint.faint(f"      ┆ {again}{shortened(text[::-1], room)[::-1]}")

    def _inside(self, node: Node, state: dict[str, Any]) -> Iterator[str]:
        """The iterations of a body that are under way."""
        body = body_of(node)
        known = set(body.by_id) if body else set()
        open_ = {key: states for key, states in state.get("inside", {}).items() if key and states.keys() <= known}
        for key, states in list(open_.items())[:MOST_OPEN]:
            now = " ".join(f"{MARKS[each]} {name}" for name, each in states.items() if each in ("running", "failed"))
            yield self._paint.faint(shortened(f"      #{key} {visible(now)}", self._paint.width - 1))
        if len(open_) > MOST_OPEN:
            yield self._paint.faint(f"      and {len(open_) - MOST_OPEN} more")


def _note(gate: dict[str, Any] | None, progress: str) -> str:
    if gate is None:
        return progress
    return f"waits for {gate['to'] or 'a person'}: {gate['ask']}"


def _fitting(rows: list[tuple[str, list[str]]], most: int, paint: Painter) -> list[str]:
    """All rows when they fit; else those that run or failed, and numbers for the rest."""
    if sum(len(lines) for _, lines in rows) <= most:
        return [line for _, lines in rows for line in lines]
    active = [line for state, lines in rows if state in ("running", "failed") for line in lines]
    states = [state for state, _ in rows]
    counts = [f"{states.count(state)} {state}" for state in MARKS if state in states]
    return [*active[: max(most - 1, 0)], paint.faint("  " + " · ".join(counts))]


def spent(cost: dict[str, Any] | None) -> str:
    """What a run has used, in words."""
    if not cost:
        return ""
    calls = f"{cost['calls']} call{'' if cost['calls'] == 1 else 's'}"
    return f"{calls} · {cost['tokens']:,} tokens · ${cost['usd']}"


class Terminal:
    """Draws over what it drew before."""

    def __init__(self, title: str, link: str, plan: Plan | None, paint: Painter, stream: TextIO) -> None:
        self._title, self._paint, self._stream = title, paint, stream
        self._tree = Tree(plan, paint)
        self._began = time.monotonic()
        self._drawn = 0
        self.say(paint.faint(link))

    def show(self, state: dict[str, Any], gates: list[dict[str, Any]], voices: Sequence[Voice] = ()) -> None:
        height = os.get_terminal_size(self._stream.fileno()).lines or 24
        facts = [str(state.get("status", "")), f"{time.monotonic() - self._began:.0f} s", spent(state.get("spent"))]
        title = visible(self._title)
        rest = shortened("  " + " · ".join(filter(None, facts)), max(self._paint.width - size(title) - 1, 0))
        head = self._paint.place(shortened(title, self._paint.width - 1)) + self._paint.faint(rest)
        lines = [head, *self._tree.lines(state, gates, max(height - SPARE, 3), voices)]
        wiped = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        self._stream.write(wiped + "\n".join([*lines, ""]))
        self._stream.flush()
        self._drawn = len(lines)

    def say(self, text: str) -> None:
        """Below what is drawn; what is drawn after that comes below."""
        print(text, file=self._stream, flush=True)
        self._drawn = 0


class Lines:
    """Says what is new, once."""

    def __init__(self, title: str, link: str, paint: Painter, stream: TextIO) -> None:
        self._paint, self._stream = paint, stream
        self._known: set[str] = set()
        self._listener = Listener()
        self.say(f"{paint.place(visible(title))}  {paint.faint(link)}")

    def show(self, state: dict[str, Any], gates: list[dict[str, Any]], voices: Sequence[Voice] = ()) -> None:
        states: dict[str, str] = state.get("nodes", {})
        asked = {gate["path"] for gate in gates}
        for name, each in states.items():
            if each != "waiting" and name not in asked:
                self._once(f"{MARKS[each]} {name}")
        for name, progress in state.get("progress", {}).items():
            self._once(f"● {name}: {progress}")
        for gate in gates:
            at = f"{gate['path']}#{gate['iteration']}" if gate["iteration"] else gate["path"]
            self._once(f"● {at} waits for {gate['to'] or 'a person'}: {gate['ask']}")

        for voice, text in self._listener.new(voices):
            self.say(f"  ┆ {voice.tag}: {visible(text)}")

    def _once(self, text: str) -> None:
        if text not in self._known:
            self._known.add(text)
            self.say(f"  {visible(text)}")

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Silent:
    """For programs: only what they would wait for in vain is said."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._asked: set[str] = set()

    def show(self, state: dict[str, Any], gates: list[dict[str, Any]], voices: Sequence[Voice] = ()) -> None:
        for gate in gates:
            if gate["shown"] + gate["iteration"] not in self._asked:
                self._asked.add(gate["shown"] + gate["iteration"])
                self.say(f"haul: the gate {gate['path']!r} waits for {gate['to'] or 'a person'}")

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def screen(title: str, link: str, plan: Plan | None, color: str, stream: TextIO, *, json: bool) -> Screen:
    """The one that fits where it goes."""
    if json:
        return Silent(stream)
    paint = Painter.chosen(color, stream)
    in_place = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Terminal(title, link, plan, paint, stream) if in_place else Lines(title, link, paint, stream)
