"""Reads CEL's serialized syntax tree (`google.protobuf.Any` around `cel.expr.ParsedExpr`) without protobuf."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from manifests.expressions.tree import (
    Call,
    Comprehension,
    Const,
    Entry,
    Fold,
    Ident,
    ListExpr,
    MapExpr,
    Node,
    Select,
)

Fields: TypeAlias = list[tuple[int, int, int]]

NAMESPACES = {"math", "optional", "strings"}
_TRUE = ("_&&_", "_||_")


class TooNested(Exception):
    """Comprehensions inside comprehensions, deeper than a run should pay for."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(offset)


def _fields(data: bytes, at: int, end: int) -> Fields:
    """Tag, then the value (of a number) or the start and end of what it holds; all our tags take one byte."""
    found: Fields = []
    while at < end:
        tag = data[at]
        at += 1
        wire = tag & 7
        if wire == 1:
            found.append((tag, at, at + 8))
            at += 8
            continue
        value = data[at]
        at += 1
        if value > 127:
            value, at = _long(data, at, value & 127)
        if wire == 2:
            found.append((tag, at, at + value))
            at += value
        else:
            found.append((tag, value, 0))
    return found


def _long(data: bytes, at: int, value: int) -> tuple[int, int]:
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


class Decoder:
    """Turns one serialized expression into nodes; `text` is what CEL was given."""

    def __init__(self, data: bytes, text: str, deepest: int, names: Callable[[str], str]) -> None:
        self._data = data
        self._text = text
        self._deepest = deepest
        self._names = names
        self._nested = 0
        self._positions: dict[int, int] = {}

    def root(self) -> Node:
        data = self._data
        body = next(field for field in _fields(data, 0, len(data)) if field[0] == 0x12)
        parts = {tag: (start, end) for tag, start, end in _fields(data, body[1], body[2])}
        self._read_positions(*parts[0x1A])
        return self._node(*parts[0x12])

    def _read_positions(self, at: int, end: int) -> None:
        data, positions = self._data, self._positions
        for tag, start, stop in _fields(data, at, end):
            if tag != 0x22:
                continue
            if stop - start == 4 and data[start] == 8:
                positions[data[start + 1]] = data[start + 3]
                continue
            key = position = 0
            for inner, value, _ in _fields(data, start, stop):
                if inner == 8:
                    key = value
                else:
                    position = value
            positions[key] = position

    def _node(self, at: int, end: int) -> Node:
        identity = kind = start = stop = 0
        for tag, first, second in _fields(self._data, at, end):
            if tag == 0x10:
                identity = first
            else:
                kind, start, stop = tag, first, second
        return _READERS[kind](self, start, stop, self._positions.get(identity, 0))

    def _word(self, at: int, end: int) -> str:
        return str(self._data[at:end], "utf-8")

    def const(self, at: int, end: int, offset: int) -> Node:
        tag, value, stop = _fields(self._data, at, end)[0]
        match tag:
            case 0x10:
                return Const(bool(value), "bool", offset)
            case 0x18:
                return Const(_signed(value), "int", offset)
            case 0x20:
                return Const(value, "uint", offset)
            case 0x29:
                return Const(struct.unpack_from("<d", self._data, value)[0], "double", offset)
            case 0x32:
                return Const(self._word(value, stop), "string", offset)
            case 0x3A:
                return Const(self._data[value:stop], "bytes", offset)
        return Const(None, "null", offset)

    def ident(self, at: int, end: int, offset: int) -> Node:
        _, start, stop = _fields(self._data, at, end)[0]
        name = self._word(start, stop)
        if name[0] == ".":
            return Ident(self._names(name[1:]), offset - 1)
        return Ident(self._names(name), offset)

    def select(self, at: int, end: int, offset: int) -> Node:
        test = False
        for tag, start, stop in _fields(self._data, at, end):
            if tag == 0x0A:
                operand = self._node(start, stop)
            elif tag == 0x12:
                field = self._word(start, stop)
            else:
                test = bool(start)
        after = _past(operand) if test else offset + 1
        found = self._text.find(field, after)
        if found > 0 and self._text[found - 1] == "`":
            found -= 1
        return Select(operand, field, test, found if found >= 0 else offset)

    def call(self, at: int, end: int, offset: int) -> Node:
        target: Node | None = None
        function = ""
        args: list[Node] = []
        for tag, start, stop in _fields(self._data, at, end):
            if tag == 0x12:
                function = self._word(start, stop)
            elif tag == 0x0A:
                target = self._node(start, stop)
            else:
                args.append(self._node(start, stop))
        if function == "_?._" and isinstance(args[1], Const):
            args[1] = Const(args[1].value, "string", self._text.find(str(args[1].value), offset + 1))
            return Call(function, None, tuple(args), offset)
        if function[0] in "_!-@":
            return Call(function, None, tuple(args), offset)
        offset = self._name_offset(function, offset)
        if isinstance(target, Ident) and target.name in NAMESPACES:
            return Call(f"{target.name}.{function}", None, tuple(args), target.offset)
        return Call(function, target, tuple(args), offset)

    def _name_offset(self, function: str, paren: int) -> int:
        """CEL says where the parenthesis is; an author looks for the name."""
        if function in ("math.@max", "math.@min"):
            return max(self._text.rfind("math", 0, paren), 0)
        found = self._text.rfind(function, 0, paren)
        # A macro calls functions that nobody wrote: what stands further ahead is something else.
        written = found >= 0 and not self._text[found + len(function) : paren].strip()
        return found if written else paren

    def list_expr(self, at: int, end: int, offset: int) -> Node:
        elements: list[Node] = []
        optional: list[int] = []
        for tag, start, stop in _fields(self._data, at, end):
            if tag == 0x0A:
                elements.append(self._node(start, stop))
            elif stop:
                optional.extend(self._packed(start, stop))
            else:
                optional.append(start)
        return ListExpr(tuple(elements), frozenset(optional), offset)

    def _packed(self, at: int, end: int) -> list[int]:
        found = []
        while at < end:
            value = self._data[at]
            at += 1
            if value > 127:
                value, at = _long(self._data, at, value & 127)
            found.append(value)
        return found

    def map_expr(self, at: int, end: int, offset: int) -> Node:
        message = ""
        entries: list[Entry] = []
        for tag, start, stop in _fields(self._data, at, end):
            if tag == 0x0A:
                message = self._word(start, stop)
            else:
                entries.append(self._entry(start, stop))
        return MapExpr(message, tuple(entries), offset)

    def _entry(self, at: int, end: int) -> Entry:
        key: Node = Const("", "string", 0)
        value: Node = key
        optional = False
        for tag, start, stop in _fields(self._data, at, end):
            if tag == 0x12:
                key = Const(self._word(start, stop), "string", 0)
            elif tag == 0x1A:
                key = self._node(start, stop)
            elif tag == 0x22:
                value = self._node(start, stop)
            elif tag == 0x28:
                optional = bool(start)
        return Entry(key, value, optional)

    def comprehension(self, at: int, end: int, offset: int) -> Node:
        parts = {tag: (start, stop) for tag, start, stop in _fields(self._data, at, end)}
        variable = self._word(*parts[0x0A])
        start = self._node(*parts[0x22])
        if variable.startswith("#"):
            return Comprehension("bind", self._word(*parts[0x1A]), start, None, self._node(*parts[0x3A]), offset)
        over = self._node(*parts[0x12])
        self._nested += 1
        if self._nested > self._deepest:
            raise TooNested(offset)
        step = self._node(*parts[0x32])
        self._nested -= 1
        kind, condition, body = _macro(step, start, variable)
        found = self._text.rfind(kind, 0, offset)
        if found < 0 or self._text[found:offset].strip() != kind:
            found = self._text.rfind("map", 0, offset)
        return Comprehension(kind, variable, over, condition, body, offset if found < 0 else found)


def _past(operand: Node) -> int:
    match operand:
        case Ident(name=word, offset=offset) | Select(field=word, offset=offset):
            return offset + len(word)
    return operand.offset + 1


def _macro(step: Node, start: Node, variable: str) -> tuple[Fold, Node | None, Node | None]:
    """Which macro a loop was before CEL unrolled it, with its condition and its body."""
    assert isinstance(step, Call)
    if step.function in _TRUE:
        return ("all" if step.function == "_&&_" else "exists"), step.args[1], None
    condition: Node | None = None
    if step.function == "_?_:_":
        condition, step = step.args[0], step.args[1]
        assert isinstance(step, Call)
    if isinstance(start, Const):
        return "exists_one", condition, None
    added = step.args[1]
    assert isinstance(added, ListExpr)
    body = added.elements[0]
    if condition is not None and isinstance(body, Ident) and body.name == variable:
        return "filter", condition, None
    return "map", condition, body


_READERS: dict[int, Callable[[Decoder, int, int, int], Node]] = {
    0x1A: Decoder.const,
    0x22: Decoder.ident,
    0x2A: Decoder.select,
    0x32: Decoder.call,
    0x3A: Decoder.list_expr,
    0x42: Decoder.map_expr,
    0x4A: Decoder.comprehension,
}
