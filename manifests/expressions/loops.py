"""Evaluates expressions with loops: in CEL while lists are short, in time in proportion to their length beyond."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isqrt
from typing import Any, TypeAlias

from manifests.expressions import engine, programs
from manifests.expressions.outer import Branch, Frame, Leaf, Loop, Plan, Way, planned
from manifests.expressions.programs import ExpressionFailed, TooMuch

Scope: TypeAlias = Mapping[str, Any]

_MACRO = re.compile(r"\b(?:map|filter|all|exists|exists_one)\b")
_NO_CHOICE = "'?' takes a boolean"
_NO_TRUTH = {"all": "'&&' does not take this", "exists": "'||' does not take this"}


def may_loop(text: str) -> bool:
    return _MACRO.search(text) is not None


class Looping:
    """An expression with loops: CEL does it whole while lists are short; long ones are gone through part by part."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._quick = programs.compiled(text, text, engine.SHORT)
        self._plan = planned(text)
        self._ways = tuple(_ways(self._plan)) if self._plan else ()
        self._patient: programs.Program | None = None

    def value(self, scope: Scope) -> Any:
        """Raises `ExpressionFailed`."""
        engine.count_from(0)
        if not any(_is_long(way, scope) for way in self._ways):
            try:
                return programs.value(self._quick, scope)
            except TooMuch as error:
                if self._plan is None:
                    return self._patiently(scope, error)
        assert self._plan is not None
        engine.count_from(0)
        try:
            return programs.as_json(self._text, _Walk(self._text).value(self._plan, scope, True))
        except TooMuch:
            raise
        except engine.TooMany as error:
            raise TooMuch(self._text, str(error)) from None
        except ExpressionFailed as error:
            return self._patiently(scope, error)

    def _patiently(self, scope: Scope, before: ExpressionFailed) -> Any:
        """CEL has the last word on failures, where it takes lists of this length."""
        if self._patient is None:
            self._patient = programs.compiled(self._text, self._text, engine.LONGEST)
        engine.count_from(0)
        try:
            return programs.value(self._patient, scope)
        except TooMuch as error:
            raise (error if isinstance(before, TooMuch) else before) from None


class _Load:
    """What a loop costs beside its iterations: CEL copies what the body reads for each part of the list anew.

    An iteration takes about 5 µs, as does copying 40 values or comparing 500; longer parts mean fewer copies.
    """

    def __init__(self, loop: Loop, scope: Scope) -> None:
        reads = loop.program.reads.items()
        shared = [programs.narrowed(scope[name], below) for name, below in reads if name in scope]
        self._copied, longest = _size(shared)
        self._searched = longest if loop.searches else 0
        longer = 0 if loop.nested else min(isqrt(5 * self._copied), engine.LONGEST)
        self.length = max(engine.SHORT, longer)

    def of(self, items: int) -> int:
        return items * (1 + self._searched // 500) + self._copied // 40


def _size(value: Any) -> tuple[int, int]:
    """How many values there are in a value, and in its longest list."""
    if not isinstance(value, list | dict):
        return 1, 0
    found = [_size(below) for below in (value if isinstance(value, list) else value.values())]
    longest = max((below for _, below in found), default=0)
    return 1 + sum(size for size, _ in found), max(longest, len(value)) if isinstance(value, list) else longest


class _Walk:
    """One evaluation of the plan of one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, plan: Plan, scope: Scope, whole: bool = False) -> Any:
        """`whole` is set for the value of the whole expression, which alone may be an optional."""
        match plan:
            case Way(names):
                return programs.followed(self._text, names, scope)
            case Leaf(program):
                return programs.value(program, scope, whole)
            case Frame(program, holes):
                inside = {**scope, **{name: self.value(hole, scope) for name, hole in holes}}
                return programs.value(program, inside, whole)
            case Branch("?", (condition, yes, no)):
                return self.value(yes if self._truth(condition, scope) else no, scope, whole)
            case Branch(sign, parts):
                return self._joined(sign, parts, scope)
            case Loop():
                return self._looped(plan, scope)

    def _truth(self, condition: Plan, scope: Scope, kind: str = "") -> bool:
        found = self.value(condition, scope)
        if isinstance(found, bool):
            return found
        raise ExpressionFailed(self._text, _NO_TRUTH.get(kind, _NO_CHOICE))

    def _joined(self, sign: str, parts: tuple[Plan, ...], scope: Scope) -> bool:
        """One side that decides forgives the failure of the other."""
        kind, decisive = ("all", False) if sign == "&&" else ("exists", True)
        failed: ExpressionFailed | None = None
        for part in parts:
            try:
                if self._truth(part, scope, kind) is decisive:
                    return decisive
            except ExpressionFailed as error:
                failed = failed or error
        if failed:
            raise failed
        return not decisive

    def _looped(self, loop: Loop, scope: Scope) -> Any:
        over = self.value(loop.over, scope)
        if not isinstance(over, list | dict):
            return programs.value(loop.program, {**scope, loop.held: over})
        found = self._pieces(loop, over if isinstance(over, list) else sorted(over), scope)
        match loop.kind:
            case "all" | "exists":
                return _decided(found, loop.kind == "exists")
        values = [value for piece in found for value in _certain(piece)]
        return len(values) == 1 if loop.kind == "exists_one" else values

    def _pieces(self, loop: Loop, items: list[Any], scope: Scope) -> Iterator[Any]:
        """What the macro gives for each part of the list, or the failure there."""
        load = _Load(loop, scope)
        one_by_one = False
        for at in range(0, len(items), load.length):
            part = items[at : at + load.length]
            before = engine.spent()
            if not one_by_one:
                try:
                    yield self._part(loop, part, load, scope)
                    continue
                except ExpressionFailed as error:
                    if not loop.nested:
                        yield error
                        continue
                    one_by_one = isinstance(error, TooMuch)
                engine.count_from(before)
            for item in part:
                yield self._item(loop, item, load, scope)

    def _part(self, loop: Loop, part: list[Any], load: _Load, scope: Scope) -> Any:
        engine.count(load.of(len(part)))
        found = programs.value(loop.program, {**scope, loop.held: part}, False)
        if not loop.marks:
            return found
        if not all(isinstance(mark, bool) for mark in found):
            raise ExpressionFailed(self._text, _NO_CHOICE)
        return [item for item, mark in zip(part, found, strict=True) if mark]

    def _item(self, loop: Loop, item: Any, load: _Load, scope: Scope) -> Any:
        engine.count(load.of(1))
        inside = {**scope, loop.variable: item}
        try:
            holds = loop.condition is None or self._truth(loop.condition, inside, loop.kind)
            match loop.kind:
                case "map":
                    return [self.value(loop.body, inside)] if holds and loop.body else []
                case "filter" | "exists_one":
                    return [item] if holds else []
            return holds
        except ExpressionFailed as error:
            return error


def _decided(found: Iterator[object], decisive: bool) -> bool:
    """One item that decides forgives the failure of the others."""
    failed: ExpressionFailed | None = None
    for piece in found:
        if isinstance(piece, ExpressionFailed):
            failed = failed or piece
        elif piece is decisive:
            return decisive
    if failed:
        raise failed
    return not decisive


def _certain(piece: Any) -> Any:
    if isinstance(piece, ExpressionFailed):
        raise piece
    return piece


def _ways(plan: Plan) -> Iterator[tuple[str, ...]]:
    """The lists that are looped over in any case and are known before anything is evaluated."""
    match plan:
        case Frame(_, holes):
            for _, hole in holes:
                yield from _ways(hole)
        case Branch(_, (first, *_)):
            yield from _ways(first)
        case Loop(over=Way(names)):
            yield names
        case Loop(over=over):
            yield from _ways(over)


def _is_long(way: tuple[str, ...], scope: Scope) -> bool:
    found: Any = scope
    for name in way:
        found = found.get(name) if isinstance(found, Mapping) else None
    return isinstance(found, list | dict) and len(found) > engine.SHORT
