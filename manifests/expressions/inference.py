"""What an expression gives and reads, and every mistake in it, judged against the types of its scope."""

from __future__ import annotations

from collections.abc import Mapping

from manifests.expressions import calls, fields, functions, operators
from manifests.expressions.findings import (
    FUNCTION,
    KIND,
    NAME,
    SETTLED,
    Finding,
    Inferred,
    Read,
    Report,
    in_order,
    of_syntax,
)
from manifests.expressions.guards import NO_FACTS, Facts, facts, proof, without
from manifests.expressions.syntax import Expression, Malformed, parse
from manifests.expressions.tree import (
    Call,
    Comprehension,
    Const,
    Entry,
    Ident,
    ListExpr,
    MapExpr,
    Node,
    Select,
    end_of,
    path_of,
)
from manifests.expressions.types import (
    BOOL,
    DYN,
    NULL,
    STRING,
    Field,
    Type,
    join,
    kind,
    list_of,
    literal,
    optional_of,
)
from manifests.problems import did_you_mean

__all__ = ["Finding", "Inferred", "Read", "examine", "infer"]

Scope = Mapping[str, Type]

_TYPES = frozenset(["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"])
_ELSEWHERE = {"None": "null", "nil": "null", "NULL": "null", "undefined": "null", "True": "true", "False": "false"}
_JSON = frozenset({"null", "bool", "int", "double", "string", "list", "object", "nothing"})
_WAYS_OUT = {"timestamp": "string", "duration": "string", "bytes": "string", "uint": "int"}


def examine(text: str, scope: Scope, known: Facts = NO_FACTS) -> Inferred:
    """Parses and infers; what cannot be parsed is a finding, too."""
    try:
        return infer(parse(text), scope, known)
    except Malformed as error:
        return Inferred(DYN, (of_syntax(error),), ())


def infer(expression: Expression, scope: Scope, known: Facts = NO_FACTS) -> Inferred:
    """Judges an expression, given what was proven before."""
    inference = _Inference(expression.text, scope)
    given = inference.visit(expression.root, known)
    left = inference.leaving(expression.root, given)
    return Inferred(left, in_order(inference.report.found), tuple(dict.fromkeys(inference.reads)))


class _Inference:
    def __init__(self, text: str, scope: Scope) -> None:
        self.report = Report(text)
        self.reads: list[Read] = []
        self._scope = scope
        self._locals: dict[str, Type] = {}

    def visit(self, node: Node, known: Facts) -> Type:
        match node:
            case Const():
                return _constant(node)
            case Ident() | Select() | Call(function="_?._" | "_[_]" | "_[?_]"):
                if path_of(node) is not None or isinstance(node, Select):
                    self._record(node, known)
                return self._access(node, known)
            case Call():
                return self._call(node, known)
            case ListExpr():
                return self._list(node, known)
            case MapExpr():
                return self._map(node, known)
            case Comprehension():
                return self._loop(node, known)

    def leaving(self, node: Node, given: Type) -> Type:
        """The type as it leaves the expression, for JSON: an empty optional is null."""
        if given.kinds == {"optional"}:
            return join((given.items, NULL))
        if not given.kinds <= _JSON:
            strange = min(given.kinds - _JSON)
            way_out = _WAYS_OUT.get(strange)
            fix = f"write {way_out}({self.report.source(node)})" if way_out else ""
            self.report.about(node, KIND, f"a value of kind {strange} cannot leave an expression", "JSON", fix)
            return DYN
        return given

    # --- reading

    def _record(self, node: Node, known: Facts) -> None:
        """One read for the longest fixed path into a scope root."""
        tested = node.operand if isinstance(node, Select) and node.test_only else None
        path = path_of(tested or node)
        if path is None or path[0] in self._locals or path[0] not in self._scope:
            return
        if isinstance(node, Select) and tested is not None:
            path = (*path, node.field)
        root = _root(node)
        safe = len(path) == 2 and tested is not None
        guarded = safe or _first_step_is_optional(tested or node) or ("present", path[:1]) in known
        end = end_of(tested or node, self.report.text) if tested is None else _field_end(node, self.report.text)
        self.reads.append(Read(str(path[0]), path[1:], root.offset, end, guarded))

    def _access(self, node: Node, known: Facts) -> Type:
        """A step into a value; the read as a whole is recorded by whoever came first."""
        match node:
            case Ident():
                found = self._name(node)
            case Select(test_only=True):
                fields.field_of(self.report, node, node.field, node.offset, self._operand(node.operand, known))
                return BOOL
            case Select():
                found = self._select(node, known)
            case Call(function="_?._"):
                return self._optional(node, known)
            case Call(function="_[_]" | "_[?_]"):
                found = self._index(node, known)
            case _:
                return self.visit(node, known)
        path = path_of(node)
        return found.without_null() if path is not None and ("set", path) in known else found

    def _operand(self, node: Node, known: Facts) -> Type:
        return self.visit(node, known) if path_of(node) is None else self._access(node, known)

    def _name(self, node: Ident) -> Type:
        found = self._locals.get(node.name) or self._scope.get(node.name)
        if found is not None:
            return found
        if node.name in _TYPES:
            return kind("type")
        meant = _ELSEWHERE.get(node.name)
        names = [*self._scope, *self._locals]
        fix = f"write {meant}" if meant else did_you_mean(node.name, names, "the node")
        self.report.at(node.offset, len(node.name), NAME, f"no {node.name!r} here", fix=fix)
        return DYN

    def _select(self, node: Select, known: Facts) -> Type:
        of = self._operand(node.operand, known)
        if of.kinds == {"optional"}:
            return optional_of(fields.field_of(self.report, node, node.field, node.offset, of.items).type)
        field = fields.field_of(self.report, node, node.field, node.offset, of)
        fields.present(self.report, node, node.field, node.offset, field, known)
        return field.type

    def _optional(self, node: Call, known: Facts) -> Type:
        of = self._operand(node.args[0], known)
        name = node.args[1]
        assert isinstance(name, Const)
        inner = of.items if of.kinds == {"optional"} else of
        return optional_of(fields.field_of(self.report, node, str(name.value), name.offset, inner).type)

    def _index(self, node: Call, known: Facts) -> Type:
        key = self.visit(node.args[1], known)
        of = self._operand(node.args[0], known) if path_of(node) is not None else self.visit(node.args[0], known)
        wraps = node.function == "_[?_]" or of.kinds == {"optional"}
        inner = of.items if of.kinds == {"optional"} else of
        found = fields.indexed(self.report, node, inner, key, known, wraps)
        return optional_of(found) if wraps else found

    # --- operators and functions

    def _call(self, node: Call, known: Facts) -> Type:
        match node.function, node.args:
            case (("_&&_" | "_||_"), (left, right)):
                return self._junction(node, left, right, known)
            case "_?_:_", (condition, then, otherwise):
                return self._choice(condition, then, otherwise, known)
            case "!_", (negated,):
                calls.condition(self.report, negated, self.visit(negated, known), "!")
                return BOOL
        if node.function in functions.MACROS and node.target is not None:
            # A macro called in a wrong way: its variable is unknown, and saying so would bury the mistake.
            self.visit(node.target, known)
            return calls.function(self.report, node, DYN, [])
        given = [self.visit(arg, known) for arg in node.args]
        match node.function:
            case "_==_" | "_!=_":
                return calls.equality(self.report, node, *given)
            case "@in":
                return calls.membership(self.report, node, *given)
            case "-_":
                return calls.negation(self.report, node, *given)
            case name if name in operators.BINARY:
                return calls.binary(self.report, node, *given)
        target = None if node.target is None else self.visit(node.target, known)
        if node.function == "value" and node.target is not None and not _is_held(node.target, known):
            calls.unwrapped(self.report, node)
        return calls.function(self.report, node, target, given)

    def _junction(self, node: Call, left: Node, right: Node, known: Facts) -> Type:
        sign = operators.sign(node.function)
        calls.condition(self.report, left, self.visit(left, known), sign)
        below = known | facts(left, sign == "&&")
        calls.condition(self.report, right, self.visit(right, below), sign)
        return BOOL

    def _choice(self, condition: Node, then: Node, otherwise: Node, known: Facts) -> Type:
        calls.condition(self.report, condition, self.visit(condition, known), "?")
        if_true, if_false = proof(condition, True), proof(condition, False)
        yes = self.visit(then, known | (if_true or NO_FACTS))
        no = self.visit(otherwise, known | (if_false or NO_FACTS))
        if if_true is None or if_false is None:
            outcome, left = ("false", otherwise) if if_true is None else ("true", then)
            fix = f"write {self.report.source(left)} alone"
            self.report.about(condition, SETTLED, f"this is always {outcome}", "a condition that can be either", fix)
        return join((yes, no))

    # --- lists, objects and loops

    def _list(self, node: ListExpr, known: Facts) -> Type:
        held = []
        for at, element in enumerate(node.elements):
            given = self.visit(element, known)
            held.append(self._held(element, given, at in node.optional))
        return list_of(join(held), least=len(held) - len(node.optional))

    def _held(self, node: Node, given: Type, optional: bool) -> Type:
        """What is kept of a value inside a list or an object."""
        is_optional = given.kinds == {"optional"}
        if optional and not is_optional and not given.is_dyn:
            told = f"'?' takes an optional, and {self.report.source(node)} is {given}"
            self.report.about(node, KIND, told, "optional", "leave the '?' out, or read it with .?")
        if is_optional and not optional:
            told = f"{self.report.source(node)} is optional and cannot be stored"
            self.report.about(node, KIND, told, "a value", f"write {self.report.source(node)}.orValue(…)")
        return given.items if is_optional else given

    def _map(self, node: MapExpr, known: Facts) -> Type:
        if node.message:
            self.report.at(node.offset, 1, FUNCTION, f"no type {node.message!r}", fix="write {'field': value}")
            return DYN
        named: dict[str, Field] = {}
        others: list[Type] = []
        for entry in node.entries:
            key = self._key(entry, known, named)
            held = self._held(entry.value, self.visit(entry.value, known), entry.optional)
            if key is None:
                others.append(held)
            else:
                named[key] = Field(held, not entry.optional)
        rest = Field(join(others), False) if others else None
        return Type(frozenset({"object"}), fields=named, additional=rest, sealed=not others)

    def _key(self, entry: Entry, known: Facts, taken: Mapping[str, Field]) -> str | None:
        given = self.visit(entry.key, known)
        if not given.is_dyn and "string" not in given.kinds:
            self.report.about(entry.key, KIND, f"the keys of an object are strings, not {given}", "string")
        if not isinstance(entry.key, Const) or not isinstance(entry.key.value, str):
            return None
        if entry.key.value in taken:
            self.report.about(entry.key, KIND, f"the key {entry.key.value!r} is there twice")
        return entry.key.value

    def _loop(self, node: Comprehension, known: Facts) -> Type:
        over = self.visit(node.over, known)
        item = over if node.kind == "bind" else self._item(node, over)
        outer, self._locals = self._locals, {**self._locals, node.variable: item}
        inside = without(known, node.variable)
        if node.condition is not None:
            calls.condition(self.report, node.condition, self.visit(node.condition, inside), node.kind)
            inside |= facts(node.condition, True)
        body = self.visit(node.body, inside) if node.body is not None else item
        body = self._held(node.body, body, False) if node.body is not None and node.kind == "map" else body
        self._locals = outer
        if node.kind in ("all", "exists", "exists_one"):
            return BOOL
        return body if node.kind == "bind" else list_of(body)

    def _item(self, node: Comprehension, over: Type) -> Type:
        """What a loop goes through: the items of a list, the keys of an object."""
        if over.is_dyn or "nothing" in over.kinds:
            return DYN
        if over.nullable and len(over.kinds) > 1:
            self.report.maybe_null(node.over)
        kinds = over.without_null().kinds
        if not kinds & {"list", "object"}:
            spelt = self.report.source(node.over)
            fix = f"write {spelt}.orValue([])" if kinds == {"optional"} else ""
            self.report.about(node.over, KIND, f"{node.kind}() goes through lists, and {spelt} is {over}", "list", fix)
            return DYN
        return over.items if kinds == {"list"} else STRING if kinds == {"object"} else DYN


def _constant(node: Const) -> Type:
    if node.kind in ("uint", "bytes") or isinstance(node.value, bytes):
        return kind(node.kind)
    return literal(node.value)


def _is_held(target: Node, known: Facts) -> bool:
    """Whether an optional is known to hold a value."""
    path = path_of(target)
    made = isinstance(target, Call) and target.function == "optional.of"
    return made or (path is not None and ("present", path) in known)


def _root(node: Node) -> Ident:
    while not isinstance(node, Ident):
        node = fields.owner_of(node)
    return node


def _field_end(node: Node, text: str) -> int:
    assert isinstance(node, Select)
    return node.offset + fields.size_of(node.field, text, node.offset)


def _first_step_is_optional(node: Node) -> bool:
    while not isinstance(fields.owner_of(node) if not isinstance(node, Ident) else node, Ident):
        node = fields.owner_of(node)
    return isinstance(node, Call) and node.function in ("_?._", "_[?_]")
