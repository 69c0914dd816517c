"""Whether a list of conditions leaves nothing over, as a decision without `else` must."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from manifests.expressions.inference import examine
from manifests.expressions.syntax import Expression
from manifests.expressions.tree import Call, Const, ListExpr, Node, path_of, shape, source_of
from manifests.expressions.types import Scalar, Type, is_among, same_value

_OPPOSITES = {"_==_": "_!=_", "_!=_": "_==_", "_<_": "_>=_", "_>=_": "_<_", "_>_": "_<=_", "_<=_": "_>_"}


def exhaustive(expressions: Iterable[Expression], scope: Mapping[str, Type]) -> bool:
    """True only when one of the conditions is certain to hold."""
    conditions = [(part, expression.text) for expression in expressions for part in _alternatives(expression.root)]
    shapes = {shape(node) for node, _ in conditions}
    if any(isinstance(node, Const) and node.value is True for node, _ in conditions):
        return True
    if any(_opposite(node) in shapes for node, _ in conditions):
        return True
    return _every_value(conditions, scope)


def _alternatives(node: Node) -> Iterator[Node]:
    if isinstance(node, Call) and node.function == "_||_":
        for part in node.args:
            yield from _alternatives(part)
    else:
        yield node


def _opposite(node: Node) -> object:
    if isinstance(node, Call) and node.function == "!_":
        return shape(node.args[0])
    if isinstance(node, Call) and node.function in _OPPOSITES:
        return shape(Call(_OPPOSITES[node.function], None, node.args, 0))
    return shape(Call("!_", None, (node,), 0))


def _every_value(conditions: list[tuple[Node, str]], scope: Mapping[str, Type]) -> bool:
    """Whether the conditions on one path name all the values that its schema allows."""
    subjects: dict[object, str] = {}
    for node, text in conditions:
        for subject in _subjects(node):
            subjects.setdefault(shape(subject), source_of(subject, text))
    nodes = [node for node, _ in conditions]
    return any(_covered(key, examine(text, scope).type, nodes) for key, text in subjects.items())


def _covered(subject: object, type_: Type, conditions: list[Node]) -> bool:
    values = type_.enum
    if values is None and type_.kinds and type_.kinds <= {"bool", "null"}:
        values = (True, False, *([None] if type_.nullable else []))
    if values is None:
        return False
    return all(any(_holds(node, subject, value) for node in conditions) for value in values)


def _subjects(node: Node) -> Iterator[Node]:
    """The paths that a condition asks about."""
    match node:
        case Call(function="_==_" | "_!=_", args=(left, right)):
            candidates = [left, right]
        case Call(function="!_" | "@in", args=(left, *_)):
            candidates = [left]
        case _:
            candidates = [node]
    yield from (candidate for candidate in candidates if path_of(candidate) is not None)


def _holds(node: Node, subject: object, value: Scalar) -> bool:
    """Whether a condition is certain to be true when its subject has this value."""
    match node:
        case Call(function="_==_" | "_!=_" as function, args=(left, right)):
            for side, other in ((left, right), (right, left)):
                if isinstance(other, Const) and not isinstance(other.value, bytes) and shape(side) == subject:
                    return same_value(other.value, value) is (function == "_==_")
        case Call(function="@in", args=(left, ListExpr(elements=elements))) if shape(left) == subject:
            listed = [one.value for one in elements if isinstance(one, Const) and not isinstance(one.value, bytes)]
            return is_among(value, listed)
        case Call(function="!_", args=(negated,)) if shape(negated) == subject:
            return value is False
        case _ if shape(node) == subject:
            return value is True
    return False
