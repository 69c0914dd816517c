"""Steps into a value: a field, a key or an index, and why one cannot be taken."""

from __future__ import annotations

from manifests.expressions.findings import ABSENT, FIELD, KIND, Report
from manifests.expressions.guards import Facts
from manifests.expressions.operators import NUMBERS
from manifests.expressions.tree import Call, Const, Node, Select, path_of
from manifests.expressions.types import DYN, TRUSTED, Field, Type, join
from manifests.problems import did_you_mean

_COUNTS = ("length", "len", "size", "count")


def field_of(report: Report, node: Node, name: str, offset: int, of: Type) -> Field:
    """The field of a value; where there is none, says why."""
    owner = owner_of(node)
    if of.is_dyn or "nothing" in of.kinds:
        return TRUSTED
    if of.nullable and len(of.kinds) > 1:
        report.maybe_null(owner)
    if of.without_null().kinds != {"object"}:
        _no_fields(report, name, offset, owner, of)
        return TRUSTED
    found = of.lookup(name)
    if found is None:
        names = sorted(of.fields)
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        told = f"{report.source(owner)} has no field {name!r}"
        fix = did_you_mean(name, names, "the field")
        report.at(offset, size_of(name, report.text, offset), FIELD, told, f"one of: {shown}", fix)
    return found or TRUSTED


def _no_fields(report: Report, name: str, offset: int, owner: Node, of: Type) -> None:
    spelt, rest = report.source(owner), Type(of.without_null().kinds - {"object"}, of.item)
    told = f"{spelt} {'may be' if 'object' in of.kinds else 'is'} {rest}, which has no fields"
    fix = f"write size({spelt})" if name in _COUNTS and of.kinds & {"list", "string"} else ""
    if not fix and of.kinds == {"list"}:
        fix = f"take an item, {spelt}[0].{name}, or all of them, {spelt}.map(x, x.{name})"
    report.at(offset, size_of(name, report.text, offset), KIND, told, "an object", fix)


def present(report: Report, node: Node, name: str, offset: int, field: Field, known: Facts) -> None:
    """A field that is not required is only read where something has proven that it is there."""
    path = path_of(node)
    if field.always or (path is not None and ("present", path) in known):
        return
    spelt, owner = report.source(node), report.source(owner_of(node))
    told = f"{name!r} may be absent: the schema of {owner} does not require it"
    other = f"{owner}.?{name}" if isinstance(node, Select) else f"{owner}[?{name!r}]"
    asked = f"has({spelt})" if isinstance(node, Select) else f"{name!r} in {owner}"
    fix = f"write {asked} ? {spelt} : …, or {other}.orValue(…)"
    report.at(offset, size_of(name, report.text, offset), ABSENT, told, "a guard", fix)


def indexed(report: Report, node: Call, of: Type, key: Type, known: Facts, optional: bool) -> Type:
    """What `of[key]` gives."""
    owner, spelt = node.args[0], report.source(node.args[0])
    if of.is_dyn or "nothing" in of.kinds:
        return DYN
    if of.nullable and len(of.kinds) > 1:
        report.maybe_null(owner)
    kinds = of.without_null().kinds
    if kinds == {"list"}:
        if not key.is_dyn and not key.kinds & NUMBERS:
            report.about(node.args[1], KIND, f"a list is indexed by a number, not by {key}", "int")
        return of.items
    if kinds == {"object"}:
        return _keyed(report, node, of, key, known, optional)
    if not kinds & {"list", "object"}:
        fix = f"write {spelt}.charAt(…) or {spelt}.substring(…)" if kinds == {"string"} else ""
        report.about(owner, KIND, f"{spelt} is {of}, which cannot be indexed", "a list or an object", fix)
    return DYN


def _keyed(report: Report, node: Call, of: Type, key: Type, known: Facts, optional: bool) -> Type:
    name = node.args[1]
    if isinstance(name, Const) and isinstance(name.value, str):
        found = field_of(report, node, name.value, name.offset, of.without_null())
        if not optional:
            present(report, node, name.value, name.offset, found, known)
        return found.type
    if not key.is_dyn and "string" not in key.kinds:
        told = f"the keys of {report.source(node.args[0])} are strings, not {key}"
        report.about(name, KIND, told, "string")
        return DYN
    held = [field.type for field in of.fields.values()]
    return join([*held, of.additional.type]) if of.additional else join(held) if of.sealed else DYN


def owner_of(node: Node) -> Node:
    if isinstance(node, Select):
        return node.operand
    assert isinstance(node, Call)
    return node.args[0]


def size_of(name: str, text: str, offset: int) -> int:
    """How much room a field's name takes, with its quotes if it has any."""
    return len(name) + 2 * (text[offset : offset + 1] in ("`", '"', "'"))
