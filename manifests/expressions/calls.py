"""Judges operators and functions: what they give, and what they cannot take."""

from __future__ import annotations

from collections.abc import Sequence

from manifests.expressions import functions, operators
from manifests.expressions.findings import ABSENT, FUNCTION, KIND, Report
from manifests.expressions.functions import Overload
from manifests.expressions.tree import Call, Const, Node
from manifests.expressions.types import BOOL, DYN, Type, is_among, join, kind
from manifests.problems import did_you_mean

_TRUTH = {"string": '{} != ""', "list": "size({}) > 0", "int": "{} != 0", "double": "{} != 0.0", "object": "has({}.…)"}
_CONVERSIONS = ("string", "double", "int", "bool")
_PLAIN = frozenset({"int", "uint", "double", "bool"})


def condition(report: Report, node: Node, given: Type, taker: str) -> None:
    """`&&`, `||`, `!` and `?:` take booleans and nothing that merely resembles one."""
    if given.is_dyn or given.kinds <= {"bool", "nothing"}:
        return
    if given.without_null().kinds == {"bool"}:
        report.maybe_null(node)
        return
    spelt = report.source(node)
    way_out = _TRUTH.get(min(given.without_null().kinds), "")
    verb = "may be" if "bool" in given.kinds else "is"
    message = f"{taker!r} takes a boolean, and {spelt} {verb} {_other(given, 'bool')}"
    report.about(node, KIND, message, "bool", f"write {way_out.format(spelt)}" if way_out else "")


def _other(given: Type, *fitting: str) -> Type:
    """What of a type does not fit."""
    rest = given.kinds - set(fitting) or given.kinds
    return Type(rest, item=given.item)


def binary(report: Report, node: Call, left: Type, right: Type) -> Type:
    first, second = node.args
    for side, given in ((first, left), (second, right)):
        if given.nullable and len(given.kinds) > 1:
            report.maybe_null(side)
    results, failing = operators.pairs(node.function, left, right)
    if failing and not any("nothing" in pair for pair in failing):
        _cannot_combine(report, node, left, right, failing, certain=not results)
    if not results or left.is_dyn or right.is_dyn:
        return _one_sided(node.function, left, right)
    if results == {"list"}:
        return Type(frozenset({"list"}), item=join((left.items, right.items)), least=left.least + right.least)
    return kind(*results)


def _one_sided(function: str, left: Type, right: Type) -> Type:
    """With one side unknown, what the other allows: `x + 'a'` is a string if it is anything."""
    if function.startswith(("_<", "_>")):
        return BOOL
    if function == "_+_" and "string" in left.kinds | right.kinds and len(left.kinds | right.kinds) == 1:
        return kind("string")
    return DYN


def _cannot_combine(
    report: Report, node: Call, left: Type, right: Type, failing: list[tuple[str, str]], certain: bool
) -> None:
    sign = operators.sign(node.function)
    one, other = failing[0]
    told = f"{sign!r} does not take {left.without_null()} and {right.without_null()}"
    if not certain:
        first, second = map(report.source, node.args)
        told = f"{sign!r} fails where {first} is {one} and {second} is {other}"
    report.at(node.offset, len(sign), KIND, told, fix=_way_to_combine(report, node, left, right))


def _way_to_combine(report: Report, node: Call, left: Type, right: Type) -> str:
    sign = operators.sign(node.function)
    first, second = map(report.source, node.args)
    if sign == "%" and left.kinds == {"string"}:
        return f"write {first}.format([{second}])"
    if sign == "+" and left.kinds == {"string"} and right.kinds <= _PLAIN:
        return f"write string({second})"
    if sign == "+" and right.kinds == {"string"} and left.kinds <= _PLAIN:
        return f"write string({first})"
    if (left.kinds | right.kinds) <= {"int", "double"} and sign != "%":
        spelt = [f"double({text})" for text, side in ((first, left), (second, right)) if "int" in side.kinds]
        return f"write {' and '.join(spelt)}"
    for side, other, text in ((left, right, first), (right, left, second)):
        if side.kinds == {"string"} and other.kinds <= {"int", "double"} and len(other.kinds) == 1:
            return f"write {min(other.kinds)}({text})"
    return ""


def equality(report: Report, node: Call, left: Type, right: Type) -> Type:
    first, second = node.args
    outcome = "false" if node.function == "_==_" else "true"
    sign = operators.sign(node.function)
    if operators.never_equal(left, right):
        told = f"{report.source(first)} is {left} and {report.source(second)} is {right}: always {outcome}"
        fix = _way_to_combine(report, node, left, right) or _never_null(report, node, left, right)
        report.at(node.offset, len(sign), KIND, told, fix=fix)
    elif left.enum is not None and right.enum is not None and not any(is_among(one, right.enum) for one in left.enum):
        _strange_value(report, node, left, right, outcome)
    return BOOL


def _never_null(report: Report, node: Call, left: Type, right: Type) -> str:
    if "null" not in (*map(str, (left, right)),):
        return ""
    side = node.args[0] if right.kinds == {"null"} else node.args[1]
    return f"{report.source(side)} is never null; leave the comparison out"


def _strange_value(report: Report, node: Call, left: Type, right: Type, outcome: str) -> None:
    """A value that the schema does not list is a misspelling."""
    side, known = (1, left) if isinstance(node.args[1], Const) else (0, right)
    wrong, other = node.args[side], node.args[1 - side]
    listed = [str(value) for value in known.enum or ()]
    spelt = report.source(wrong)
    fix = did_you_mean(str(wrong.value), listed, "the value") if isinstance(wrong, Const) else ""
    told = f"{spelt} is no value of {report.source(other)}: always {outcome}"
    report.about(wrong, KIND, told, f"one of {', '.join(listed)}", fix)


def membership(report: Report, node: Call, left: Type, right: Type) -> Type:
    needle, hay = node.args
    if right.is_dyn or "nothing" in right.kinds:
        return BOOL
    if right.nullable and len(right.kinds) > 1:
        report.maybe_null(hay)
    if not right.kinds & {"list", "object"}:
        fix = f"write {report.source(hay)}.contains({report.source(needle)})" if right.kinds == {"string"} else ""
        told = f"'in' looks into lists and objects, and {report.source(hay)} is {right}"
        report.at(node.offset, 2, KIND, told, "a list or an object", fix)
    elif right.kinds == {"list"} and operators.never_equal(left, right.items):
        told = f"{report.source(needle)} is {left}, and {report.source(hay)} holds {right.items}: always false"
        report.at(node.offset, 2, KIND, told)
    elif right.kinds == {"object"} and not left.is_dyn and "string" not in left.kinds:
        report.at(node.offset, 2, KIND, f"the keys of {report.source(hay)} are strings: always false")
    return BOOL


def negation(report: Report, node: Call, given: Type) -> Type:
    if given.is_dyn:
        return DYN
    if given.nullable and len(given.kinds) > 1:
        report.maybe_null(node.args[0])
    elif not given.kinds <= operators.NEGATED:
        report.at(node.offset, 1, KIND, f"'-' does not take {_other(given, *operators.NEGATED)}")
        return DYN
    return given.without_null().widened()


def function(report: Report, node: Call, target: Type | None, args: Sequence[Type]) -> Type:
    name = node.function
    if name in functions.EXTREMES:
        return _extreme(report, node, args)
    known = functions.OVERLOADS.get(name)
    if known is None:
        _unknown(report, node)
        return DYN
    fitting = [one for one in known if one.member == (target is not None) and len(one.args) == len(args)]
    if not fitting:
        _wrong_shape(report, node, known)
        return functions.result_of(known[0], []) if known[0].result in operators.NUMBERS else DYN
    if target is not None and node.target is not None:
        wanted = frozenset[str]().union(*(one.target or frozenset() for one in fitting))
        _takes(report, node, node.target, target, wanted)
        if name == "join":
            _joins_strings(report, node.target, target)
    for at, (arg, given) in enumerate(zip(node.args, args, strict=True)):
        alternatives = [one.args[at] for one in fitting]
        _takes(report, node, arg, given, frozenset[str]().union(*alternatives) if all(alternatives) else frozenset())
    return functions.result_of(fitting[0], [*([target] if target is not None else []), *args])


def _joins_strings(report: Report, node: Node, target: Type) -> None:
    if target.kinds == {"list"} and not target.items.kinds <= {"string", "nothing"}:
        spelt = report.source(node)
        told = f"join takes a list of strings, and {spelt} is {target}"
        report.about(node, KIND, told, "a list of strings", f"write {spelt}.map(x, string(x))")


def _takes(report: Report, node: Call, arg: Node, given: Type, wanted: frozenset[str]) -> None:
    if given.is_dyn or not wanted or given.kinds <= wanted | {"nothing"}:
        return
    if given.without_null().kinds <= wanted:
        report.maybe_null(arg)
        return
    spelt, name = report.source(arg), functions.EXTREMES.get(node.function, node.function)
    fix = next((f"write {to}({spelt})" for to in _CONVERSIONS if to in wanted and _converts(given, to)), "")
    if given.kinds == {"optional"}:
        fix = f"write {spelt}.orValue(…)"
    verb = "may be" if given.kinds & wanted else "is"
    told = f"{name}() does not take {_other(given, *wanted)}, which {spelt} {verb}"
    report.about(arg, KIND, told, " or ".join(sorted(wanted)), fix)


def _converts(given: Type, wanted: str) -> bool:
    return given.kinds <= {"string": _PLAIN, "double": {"int", "double"}}.get(wanted, frozenset())


def _extreme(report: Report, node: Call, args: Sequence[Type]) -> Type:
    found = [given.items if given.kinds == {"list"} and len(args) == 1 else given for given in args]
    for arg, given in zip(node.args, found, strict=True):
        _takes(report, node, arg, given, operators.NUMBERS)
    return join(given.widened() for given in found)


def _unknown(report: Report, node: Call) -> None:
    name = node.function
    meant = functions.FOREIGN.get(name)
    if name in functions.MACROS:
        told, fix = f"{name}() is called another way", f"write xs.{name}(x, …)"
    elif name == "has":
        told, fix = "has() stands alone", "write has(a.b)"
    else:
        told = f"no function {name!r}"
        known = [*functions.OVERLOADS, *functions.MACROS, *functions.EXTREMES.values()]
        fix = f"write {meant}" if meant else did_you_mean(name, known, "the function")
    report.at(node.offset, len(name), FUNCTION, told, fix=fix)


def _wrong_shape(report: Report, node: Call, known: list[Overload]) -> None:
    """The function is there, but is called with something else before or inside its parentheses."""
    told = f"{node.function}() is called another way"
    if any(one.member == (node.target is not None) for one in known):
        count = len(node.args)
        told = f"{node.function}() does not take {count or 'no'} argument{'' if count == 1 else 's'}"
    shown = functions.usage(node.function)
    report.at(node.offset, len(node.function), FUNCTION, told, shown, f"write {shown}")


def unwrapped(report: Report, node: Call) -> None:
    """`.value()` of an optional that may be empty."""
    assert node.target is not None
    spelt = report.source(node.target)
    report.about(node, ABSENT, f"{spelt} may be empty here", "a value", f"write {spelt}.orValue(…)")
