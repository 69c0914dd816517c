"""What an expression is made of once it is parsed; macros such as `map` and `all` are kept whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from manifests.expressions.tokens import bracket_end, token_at

Kind: TypeAlias = Literal["null", "bool", "int", "uint", "double", "string", "bytes"]
Fold: TypeAlias = Literal["all", "exists", "exists_one", "map", "filter", "bind"]
Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Const:
    value: bool | int | float | str | bytes | None
    kind: Kind
    offset: int


@dataclass(frozen=True, slots=True)
class Ident:
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` when it is a test; the offset is the field's."""

    operand: Node
    field: str
    test_only: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator (`_+_`, `!_`, `_?._`); the offset is that of its name or sign."""

    function: str
    target: Node | None
    args: tuple[Node, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class ListExpr:
    elements: tuple[Node, ...]
    optional: frozenset[int]
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    key: Node
    value: Node
    optional: bool


@dataclass(frozen=True, slots=True)
class MapExpr:
    """`{key: value}`, or `Message{field: value}` when it has a message name."""

    message: str
    entries: tuple[Entry, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`over.kind(variable, condition, body)`; `bind` gives one value a name, inside `optMap`."""

    kind: Fold
    variable: str
    over: Node
    condition: Node | None
    body: Node | None
    offset: int


Node: TypeAlias = Const | Ident | Select | Call | ListExpr | MapExpr | Comprehension


def path_of(node: Node) -> Path | None:
    """The fixed way from a root to what a node reads: `a.b[0].?c` is `("a", "b", 0, "c")`."""
    if isinstance(node, Ident):
        return (node.name,)
    if isinstance(node, Select) and not node.test_only:
        operand, step = node.operand, node.field
        above = path_of(operand)
        return None if above is None else (*above, step)
    if isinstance(node, Call) and node.function in ("_[_]", "_?._", "_[?_]"):
        key = node.args[1]
        above = path_of(node.args[0])
        if above is not None and isinstance(key, Const) and key.kind in ("string", "int"):
            return (*above, key.value)  # type: ignore[arg-type]
    return None


def children(node: Node) -> Iterator[Node]:
    match node:
        case Select():
            yield node.operand
        case Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case ListExpr():
            yield from node.elements
        case MapExpr():
            for entry in node.entries:
                yield entry.key
                yield entry.value
        case Comprehension():
            yield node.over
            yield from (part for part in (node.condition, node.body) if part is not None)


def shape(node: Node) -> object:
    """The node without its places: equal for two spellings of the same thing."""
    match node:
        case Const():
            return ("const", node.kind, node.value)
        case Ident():
            return ("name", node.name)
        case Select():
            return ("has" if node.test_only else "field", shape(node.operand), node.field)
        case Call():
            target = None if node.target is None else shape(node.target)
            return ("call", node.function, target, *map(shape, node.args))
        case ListExpr():
            return ("list", node.optional, *map(shape, node.elements))
        case MapExpr():
            entries = ((shape(entry.key), shape(entry.value), entry.optional) for entry in node.entries)
            return ("map", node.message, *entries)
        case Comprehension():
            parts = (None if part is None else shape(part) for part in (node.over, node.condition, node.body))
            return (node.kind, node.variable, *parts)


def is_operator(node: Call) -> bool:
    return not (node.function[0].isalpha() or node.function.startswith("math."))


def start_of(node: Node, text: str) -> int:
    """Where the text of a node begins."""
    match node:
        case Select(test_only=True):
            return max(text.rfind("has", 0, start_of(node.operand, text)), 0)
        case Select():
            return start_of(node.operand, text)
        case Call(target=target) if target is not None:
            return start_of(target, text)
        case Call(args=args) if (args and node.function[0] == "_") or node.function == "@in":
            return start_of(args[0], text)
        case Comprehension():
            return start_of(node.over, text)
    return node.offset


def end_of(node: Node, text: str) -> int:
    """Just past the last character of a node."""
    match node:
        case Ident(name=word) if text.startswith(word, node.offset):
            return node.offset + len(word)
        case Const() | Ident():
            first = token_at(text, node.offset)
            return token_at(text, first.end).end if first.text in ("-", ".") else first.end
        case Select(test_only=True):
            return bracket_end(text, start_of(node, text))
        case Select(field=word):
            return node.offset + len(word) + 2 * text.startswith("`", node.offset)
        case Call(args=args) if is_operator(node):
            bracketed = node.function in ("_[_]", "_[?_]")
            return bracket_end(text, node.offset) if bracketed else end_of(args[-1], text)
    return bracket_end(text, node.offset)


def source_of(node: Node, text: str) -> str:
    return text[start_of(node, text) : end_of(node, text)]
