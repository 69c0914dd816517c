"""Cuts an expression into its outer structure, which Python can walk, and the pieces that are left to CEL.

A loop is cut out where its value is certain to be needed: CEL takes time in the square of a list, Python does not.
Each cut is proven: the piece, parsed by itself, is the node it was cut for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeAlias

from manifests.expressions import engine
from manifests.expressions.programs import Program, Reads, assembled
from manifests.expressions.syntax import Malformed, parse, plain_path
from manifests.expressions.tokens import Token, token_at, tokens
from manifests.expressions.tree import (
    Call,
    Comprehension,
    Const,
    Fold,
    Ident,
    Node,
    Select,
    children,
    end_of,
    path_of,
    shape,
    start_of,
)

_BRANCHES = {"_&&_": "&&", "_||_": "||", "_?_:_": "?"}
_LAZY = ("or", "orValue")


class Uncut(Exception):
    """A node that cannot be cut out of its text."""


@dataclass(frozen=True, slots=True)
class Way:
    """A path of plain names, which is looked up without CEL."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    program: Program


@dataclass(frozen=True, slots=True)
class Frame:
    """A text in which the values of other plans stand under names of their own."""

    program: Program
    holes: tuple[tuple[str, Plan], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """`a && b`, `a || b`, `a ? b : c`."""

    sign: str
    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro over a list; `program` is the macro over a part of it that goes by the name of `held`.

    Where it `marks`, it gives a boolean for each item instead of the items themselves.
    """

    kind: Fold
    variable: str
    over: Plan
    held: str
    program: Program
    condition: Plan | None
    body: Plan | None
    nested: bool
    marks: bool
    searches: bool


Plan: TypeAlias = Way | Leaf | Frame | Branch | Loop


def planned(text: str) -> Plan | None:
    """None for an expression that has to stay whole; Python has no word for `uint`."""
    try:
        root = parse(text).root
        if not _loops(root) or any(map(_is_unsigned, _all(root))):
            return None
        plan = _Planner(text).plan(root)
    except (Malformed, Uncut):
        return None
    return None if isinstance(plan, Leaf) else plan


class _Planner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(tokens(text))
        prefix = "held_"
        while prefix in text:
            prefix += "_"
        self._names = (f"{prefix}{number}" for number in count())

    def plan(self, node: Node) -> Plan:
        """Raises `Uncut`."""
        start, end = self._span(node)
        if not _loops(node):
            source = self._text[start:end]
            names = plain_path(source)
            return Way(names) if names else Leaf(self._program(source))
        try:
            if isinstance(node, Comprehension) and node.kind != "bind":
                return self._loop(node, end)
            if sign := self._branch(node):
                return Branch(sign, tuple(map(self.plan, node.args)))  # type: ignore[union-attr]
        except Uncut:
            return Leaf(self._program(self._text[start:end]))
        return self._frame(node, start, end)

    def _loop(self, node: Comprehension, end: int) -> Loop:
        held = next(self._names)
        macro = self._text[node.offset : end]
        alone = replace(node, over=Ident(held, 0))
        if not _is_same(f"{held}.{macro}", alone):
            raise Uncut
        word = token_at(macro, 0).text
        marks = word in ("filter", "exists_one")
        if marks:
            macro = f"map{macro.removeprefix(word)}"
        nested = any(part is not None and _loops(part) for part in (node.condition, node.body))
        return Loop(
            node.kind,
            engine.name_from_cel(node.variable),
            self.plan(node.over),
            held,
            self._program(f"{held}.{macro}", engine.SHORT, len(held) + 1),
            self.plan(node.condition) if nested and node.condition else None,
            self.plan(node.body) if nested and node.body else None,
            nested,
            marks,
            any(isinstance(each, Call) and each.function == "@in" for each in _all(alone)),
        )

    def _frame(self, node: Node, start: int, end: int) -> Plan:
        pieces, at = [], start
        holes: list[tuple[str, Plan]] = []
        for first, past, hole in sorted(self._cut(node), key=lambda found: found[0]):
            holes.append((next(self._names), hole))
            pieces += [self._text[at:first], f"({holes[-1][0]})"]
            at = past
        program = self._program("".join([*pieces, self._text[at:end]]))
        return Frame(program, tuple(holes)) if holes else Leaf(program)

    def _cut(self, node: Node) -> Iterator[tuple[int, int, Plan]]:
        for hole in self._holes(node):
            try:
                found = (*self._span(hole), self.plan(hole))
            except Uncut:
                continue
            if not isinstance(found[2], Leaf):
                yield found

    def _holes(self, node: Node) -> Iterator[Node]:
        """What has loops and is evaluated whenever the node is, with no way for its failure to be forgiven."""
        for child in self._strict(node):
            if not _loops(child):
                continue
            if isinstance(child, Comprehension) or self._branch(child):
                yield child
            else:
                yield from self._holes(child)

    def _strict(self, node: Node) -> Iterator[Node]:
        match node:
            case Call(function=function, target=target) if function in _LAZY:
                yield from () if target is None else (target,)
            case Call(function=function) if function in _BRANCHES:
                return
            case Select(test_only=True) | Comprehension():
                return
            case _:
                yield from children(node)

    def _branch(self, node: Node) -> str | None:
        """The sign of a choice that an author wrote; some macros are choices as well."""
        sign = _BRANCHES.get(node.function) if isinstance(node, Call) else None
        return sign if sign and token_at(self._text, node.offset).text == sign else None

    def _span(self, node: Node) -> tuple[int, int]:
        """Where a node stands, with the brackets that belong to it."""
        start, end = _balanced(start_of(node, self._text), end_of(node, self._text), self._words)
        if not _is_same(self._text[start:end], node):
            raise Uncut
        return start, end

    def _program(self, source: str, longest: int = engine.LONGEST, start: int = 0) -> Program:
        given = engine.metered(engine.spelt(source), longest, start)
        return assembled(source, self._text, given, _reads(parse(source).root))


def _balanced(start: int, end: int, words: list[Token]) -> tuple[int, int]:
    opened = missing = 0
    for word in words:
        if start <= word.start < end and word.text in "([{":
            opened += 1
        elif start <= word.start < end and word.text in ")]}":
            missing, opened = (missing, opened - 1) if opened else (missing + 1, 0)
    before = [word for word in words if word.end <= start]
    after = [word for word in words if word.start >= end]
    first = before[-missing].start if 0 < missing <= len(before) else start
    last = after[opened - 1].end if 0 < opened <= len(after) else end
    return first, last


def _is_same(source: str, node: Node) -> bool:
    try:
        return shape(parse(source).root) == shape(node)
    except Malformed:
        return False


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _all(child)


def _loops(node: Node) -> bool:
    return any(isinstance(each, Comprehension) and each.kind != "bind" for each in _all(node))


def _is_unsigned(node: Node) -> bool:
    return (node.kind if isinstance(node, Const) else isinstance(node, Call) and node.function) == "uint"


def _reads(root: Node) -> Reads:
    """The names that are read, each with the fields that are wanted of it."""
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        path = path_of(node.operand if isinstance(node, Select) and node.test_only else node)
        if path is None:
            waiting.extend(children(node))
        else:
            _note(found, (*path, node.field) if isinstance(node, Select) and node.test_only else path)
    return found


def _note(reads: Reads, path: tuple[str | int, ...]) -> None:
    at = reads
    for number, step in enumerate(path):
        further = path[number + 1 : number + 2]
        if not further or isinstance(further[0], int):
            at[str(step)] = None
            return
        below = at.setdefault(str(step), {})
        if below is None:
            return
        at = below
