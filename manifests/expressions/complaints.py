"""Turns what CEL's parser says into what an author can use: a place, plain words and a way out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from manifests.expressions.tokens import Token, token_at, tokens

_CEL_WORDS = ("false", "in", "null", "true")
_KEPT_WORDS = ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "namespace")
RESERVED = frozenset((*_CEL_WORDS, *_KEPT_WORDS, "package", "return", "var", "void", "while"))
_EARLY = "the expression ends too early"
_SIGNS = {
    "=": ("'=' does not compare", "write '=='"),
    "===": ("there is no '==='", "write '=='"),
    "!==": ("there is no '!=='", "write '!='"),
    "<>": ("there is no '<>'", "write '!='"),
    "&": ("'&' does not join conditions", "write '&&'"),
    "|": ("'|' does not join conditions", "write '||'"),
    "??": ("there is no '??'", "write a.?b.orValue(x)"),
    "=>": ("there are no lambdas", "write xs.map(x, …) or xs.filter(x, …)"),
    "->": ("there are no lambdas", "write xs.map(x, …) or xs.filter(x, …)"),
    "**": ("there is no '**'", "multiply, or compute it in a tool"),
    "~": ("there is no '~'", "write math.bitNot(x)"),
    "^": ("there is no '^'", "write math.bitXor(x, y)"),
    "#": ("`#` cannot stand here", "write the comment after the expression, in YAML"),
    "$": ("`$` cannot stand here", "write the name alone; the whole text is an expression already"),
    ";": ("`;` cannot stand here", "one expression is one value; use a transform node for steps"),
}
_WORDS = {
    "and": ("'and' does not join conditions", "write '&&'"),
    "or": ("'or' does not join conditions", "write '||'"),
    "not": ("'not' does not negate", "write '!x', or '!(x in xs)'"),
    "is": ("'is' does not compare", "write '=='"),
    "if": ("there is no 'if'", "write c ? x : y"),
    "for": ("there is no 'for'", "write xs.map(x, …) or xs.filter(x, …)"),
    "lambda": ("there are no lambdas", "write xs.map(x, …) or xs.filter(x, …)"),
}
_FIRST = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: |\s*\[[A-Z_]+\]\s*\Z)", re.DOTALL)
_TOO_DEEP = re.compile(r"recursion (?:limit|depth)")
_EXPECTED = re.compile(r"(?:mismatched input|extraneous input) '(.*?)' expecting (.*)", re.DOTALL)
# As in `${{ a.b }}`, or in a condition `{{ a.b }}`; what has a colon or a comma may be a map with another mistake.
_BRACED = re.compile(r"\s*\{+\s*([^{}:,]*[^{}:,\s])\s*\}+\s*")
_ESCAPE = re.compile(r"\\(?![abfnrtv?\"'`\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}).?")


@dataclass
class Malformed(Exception):
    """An expression that cannot be read: where, why, and the way out."""

    offset: int
    end: int
    message: str
    fix: str = ""
    code: str = "HL300"

    def __str__(self) -> str:
        return self.message


def complaint(text: str, raw: str) -> Malformed:
    """The first thing that is wrong, in plain words."""
    if _TOO_DEEP.search(raw):
        return too_deep(text)
    found = _FIRST.search(raw)
    if found is None:
        return Malformed(0, len(text), f"this does not parse: {_short(raw)}")
    braced = _BRACED.fullmatch(text)
    if braced is not None:
        fix = f"take the inner braces away: {braced[1]}"
        return Malformed(0, len(text), "an expression stands in no braces of its own", fix)
    offset = _offset(text, int(found[1]), int(found[2]))
    said = found[3].removeprefix("Syntax error: ")
    return _foreign(text, offset) or _plain(text, offset, said)


def too_deep(text: str) -> Malformed:
    fix = "move a part into a transform node; for a long text, interpolate or use ['a', 'b'].join('')"
    return Malformed(0, len(text), "the expression nests more than 32 levels", fix, "HL306")


def _offset(text: str, line: int, column: int) -> int:
    before = text.split("\n")[: max(line - 1, 0)]
    return min(max(sum(len(piece) + 1 for piece in before) + column - 1, 0), len(text))


def _foreign(text: str, offset: int) -> Malformed | None:
    """Signs and words of other languages, the first one up to where the parser stumbled."""
    before = Token("", "", 0, 0)
    for token in tokens(text):
        if token.start > offset + 1:
            return None
        if before.text == "?" and token.text == "." and before.end == token.start:
            return Malformed(before.start, token.end, "there is no '?.'", "write '.?', as in a.?b.orValue(x)")
        known = _SIGNS.get(token.text) or (None if before.text == "." else _WORDS.get(token.text))
        if known:
            return Malformed(token.start, token.end, *known)
        if token.kind == "unclosed":
            return _string(token)
        before = token
    return None


def _string(token: Token) -> Malformed:
    escape = _ESCAPE.search(token.text)
    if escape and token.text[-1] == token.text[0]:
        return _escaped(token.start + escape.start(), escape.group())
    return Malformed(token.start, token.end, "the string is not closed", f"close it with {token.text[0]}")


def _escaped(start: int, escape: str) -> Malformed:
    fix = f"write `\\{escape}`, or r'…' for a raw string"
    return Malformed(start, start + len(escape), f"`{escape}` is no escape", fix)


def _plain(text: str, offset: int, said: str) -> Malformed:
    token = token_at(text, offset)
    if said.startswith("token recognition error"):
        return _unknown(text, offset)
    if said.startswith("reserved identifier"):
        return _reserved(token)
    if said.startswith("missing"):
        return _missing(text, offset, re.findall(r"'(.*?)'", said)[:1])
    if token.kind == "end":
        expected = _EXPECTED.match(said)
        return _missing(text, len(text), re.findall(r"'([\]})]|:)'", expected[2])) if expected else _early(text)
    if token.kind == "name" and token.text in RESERVED:
        return _reserved(token)
    if said.startswith(("mismatched", "extraneous", "no viable")):
        return _unexpected(text, offset, token)
    return _macro(token, said)


def _early(text: str) -> Malformed:
    return Malformed(len(text), len(text), _EARLY, "finish it, or take out the last sign")


def _missing(text: str, offset: int, closers: list[str]) -> Malformed:
    """A bracket is missed only where every other way on has been seen; otherwise the end came too early."""
    offset = len(text) if token_at(text, offset).kind == "end" else offset
    if len(closers) == 1:
        return Malformed(offset, offset, f"{_EARLY}: {closers[0]!r} is missing", f"add {closers[0]!r}")
    return _early(text)


def _unknown(text: str, offset: int) -> Malformed:
    token = token_at(text, offset)
    if token.kind == "string":
        escape = _ESCAPE.search(token.text)
        if escape:
            return _escaped(offset + escape.start(), escape.group())
    if token.kind in ("string", "unclosed"):
        return _string(token)
    fix = "put text in quotes" if not text[offset].isascii() else ""
    return Malformed(offset, offset + 1, f"`{text[offset]}` cannot stand here", fix)


def _reserved(token: Token) -> Malformed:
    fix = f"rename it; a field of this name is read as a.`{token.text}`"
    return Malformed(token.start, token.end, f"{token.text!r} is a reserved word", fix)


def _unexpected(text: str, offset: int, token: Token) -> Malformed:
    after = token_at(text, token.end)
    if token.text == "." and after.text in RESERVED:
        return _reserved(after)
    if token.text == "." and after.kind == "end":
        return _early(text)
    fix = "join two values with an operator, or take one out" if token.kind in ("name", "string", "number") else ""
    return Malformed(offset, token.end, f"unexpected {token.text!r}", fix)


def _macro(token: Token, said: str) -> Malformed:
    if said.startswith("has()"):
        fix = "write has(a.b); for a value that may be null, a != null"
        return Malformed(token.start, token.end, "has() asks for a field", fix)
    if "variable name" in said:
        return Malformed(token.start, token.end, "the first argument names the item", "write xs.map(x, …)")
    if said.startswith("invalid int"):
        return Malformed(token.start, token.end, "the number does not fit 64 bits", "write it as a fraction: 1.0e20")
    return Malformed(token.start, token.end, _short(said))


def _short(said: str) -> str:
    return said.split("\n")[0].removeprefix("INVALID_ARGUMENT: ").rstrip(". ")[:200]
