"""What is proven by an expression's outcome: which fields are there, which values are not null."""

from __future__ import annotations

from typing import Literal, TypeAlias

from manifests.expressions.tree import Call, Comprehension, Const, ListExpr, MapExpr, Node, Path, Select, path_of

Fact: TypeAlias = tuple[Literal["present", "set"], Path]
Facts: TypeAlias = frozenset[Fact]
# `None` stands for all facts at once: what follows from an outcome that cannot be.
Proof: TypeAlias = Facts | None

NO_FACTS: Facts = frozenset()
_COMPARISONS = ("_<_", "_<=_", "_>_", "_>=_")


def roots(known: Proof) -> frozenset[str]:
    """The names that are there."""
    return frozenset(str(path[0]) for what, path in known or () if what == "present" and len(path) == 1)


def facts(node: Node, outcome: bool) -> Facts:
    return proof(node, outcome) or NO_FACTS


def without(known: Facts, root: str) -> Facts:
    """What still holds where a name means something else."""
    return frozenset(fact for fact in known if fact[1][0] != root)


def proof(node: Node, outcome: bool) -> Proof:
    """What holds where an expression comes to this."""
    match node:
        case Const(kind="bool", value=value):
            return NO_FACTS if value is outcome else None
        case Select(test_only=True):
            return _tested(node) if outcome else _strict(node.operand)
        case Call(function="!_", args=(negated,)):
            return proof(negated, not outcome)
        case Call(function="_&&_", args=(left, right)):
            return (both if outcome else _either)(proof(left, outcome), proof(right, outcome))
        case Call(function="_||_", args=(left, right)):
            return (_either if outcome else both)(proof(left, outcome), proof(right, outcome))
        case Call(function="_?_:_", args=(condition, then, otherwise)):
            yes = both(proof(condition, True), proof(then, outcome))
            return _either(yes, both(proof(condition, False), proof(otherwise, outcome)))
        case Call():
            return _called(node, outcome)
    return both(_strict(node), _set(node))


def _called(node: Call, outcome: bool) -> Proof:
    match node:
        case Call(function="_==_" | "_!=_", args=(left, right)):
            return both(_strict(node), _compared(left, right, (node.function == "_==_") is outcome))
        case Call(function="hasValue", target=Call() as optional):
            path = path_of(optional)
            return _strict(node) if path is None or not outcome else _strict(node) | _reached(path)
        case Call(function="@in", args=(Const(kind="string", value=str(key)), of)):
            path = path_of(of)
            return _strict(node) if path is None or not outcome else _strict(node) | _reached((*path, key))
    return _strict(node)


def _compared(left: Node, right: Node, equal: bool) -> Facts:
    """`p == 3` and `p != null` say that p is not null."""
    for side, other in ((left, right), (right, left)):
        if isinstance(other, Const) and (other.kind == "null") is not equal:
            return _set(side)
    return NO_FACTS


def _tested(node: Select) -> Facts:
    path = path_of(node.operand)
    return _strict(node.operand) if path is None else _reached((*path, node.field))


def _set(node: Node) -> Facts:
    path = path_of(node)
    return NO_FACTS if path is None else frozenset({("set", path)})


def _reached(path: Path) -> Facts:
    """A field that is there has everything above it there, too."""
    known: set[Fact] = {("present", path)}
    for length in range(1, len(path)):
        known |= {("present", path[:length]), ("set", path[:length])}
    return frozenset(known)


def _strict(node: Node) -> Facts:
    """What holds because the node could be evaluated at all."""
    match node:
        case Select(test_only=True):
            return _strict(node.operand)
        case Select():
            path = path_of(node)
            if path is not None and not _has_optional(node):
                return _reached(path)
            return _strict(node.operand)
        case Call(function="_&&_" | "_||_"):
            return _either(proof(node, True), proof(node, False)) or NO_FACTS
        case Call(function="_?_:_", args=(condition, then, otherwise)):
            return _strict(condition) | (_strict(then) & _strict(otherwise))
        case Call():
            return _strict_call(node)
        case ListExpr():
            return NO_FACTS.union(*map(_strict, node.elements))
        case MapExpr():
            return NO_FACTS.union(*(_strict(entry.value) for entry in node.entries))
        case Comprehension():
            return _strict(node.over)
    return NO_FACTS


def _strict_call(node: Call) -> Facts:
    if node.function in ("or", "orValue") and node.target is not None:
        return _strict(node.target)
    known = NO_FACTS.union(*(_strict(arg) for arg in node.args))
    if node.target is not None:
        known |= _strict(node.target)
    if node.function in _COMPARISONS:
        known = known.union(*map(_set, node.args))
    path = path_of(node) if node.function == "_[_]" else None
    return known | _reached(path) if path is not None and not _has_optional(node) else known


def _has_optional(node: Node) -> bool:
    while True:
        match node:
            case Select(operand=below):
                node = below
            case Call(function="_[_]", args=(below, _)):
                node = below
            case Call(function="_?._" | "_[?_]"):
                return True
            case _:
                return False


def both(left: Proof, right: Proof) -> Proof:
    return None if left is None or right is None else left | right


def _either(left: Proof, right: Proof) -> Proof:
    if left is None or right is None:
        return right if left is None else left
    return left & right
