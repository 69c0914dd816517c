"""JSON to a tree with places, strictly: the standard library's reader keeps no places and takes NaN and twins."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from manifests import text as texts
from manifests.scalars import NotJson, Value, integer, real
from manifests.source import Mapping, Position, Scalar, Sequence, Source, Style, Tree
from manifests.text import MAX_DEPTH, MAX_NODES, refuse

_SPACE = re.compile(r"[ \t\n]*")
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_STRING_START = re.compile(rf'"[^"\\\n\t]*+(?:{_ESCAPE}[^"\\\n\t]*+)*+')
_TOKEN = re.compile(
    rf"(?P<string>{_STRING_START.pattern}\")"
    r"|(?P<real>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+))"
    r"|(?P<integer>-?(?:0|[1-9][0-9]*))"
    r"|(?P<word>(?:true|false|null)\b)"
    r"|(?P<mark>[\[\]{}:,])"
)
_WORDS = {"true": True, "false": False, "null": None}
_NOT_FINITE = re.compile(r"-?Infinity\b|NaN\b")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def parse_json(text: str, name: str) -> Source:
    """The value of a JSON text and where each part of it stands."""
    source = Source(name, texts.allowed(text, name, texts.JSON))
    with texts.collector_paused():
        source.root = _Builder(source).read()
    return source


class _Builder:
    """A machine with a step for each thing that can come next, and a stack for the collections that are open."""

    def __init__(self, source: Source) -> None:
        self._name, self._text = source.name, source.text
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", source.text))]
        self._root: Tree | None = None
        self._stack: list[Mapping | Sequence] = []
        self._key = Scalar("", "", '"', (0, 0), (0, 0))
        self._nodes = 0
        self._step: Callable[[_Token], None] = self._value

    def read(self) -> Tree:
        for token in self._tokens():
            self._step(token)
        if self._root is None or self._stack:
            end = len(self._text)
            self._refuse("the JSON ends too early", _Token("end", "", end, end), "a value", "complete it")
        return self._root

    def _tokens(self) -> Iterator[_Token]:
        text, at = self._text, 0
        while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it always matches
            found = _TOKEN.match(text, at)
            if found is None:
                self._refuse_character(at)
            yield _Token(found.lastgroup or "", found[0], at, found.end())
            at = found.end()

    def _value(self, token: _Token) -> None:
        if token.text == "{":
            self._open(Mapping({}, self._place(token.start), self._place(token.end)), token, self._first_key)
        elif token.text == "[":
            self._open(Sequence([], self._place(token.start), self._place(token.end)), token, self._first_item)
        elif token.kind == "mark":
            fix = "remove the comma before it" if token.text in "]}" else "write a value"
            self._refuse(f"a value should stand here, not {token.text!r}", token, "a value", fix)
        else:
            self._add(self._scalar(token), token)
            self._step = self._after_value

    def _first_item(self, token: _Token) -> None:
        if token.text == "]":
            self._close(token)
        else:
            self._value(token)

    def _first_key(self, token: _Token) -> None:
        if token.text == "}":
            self._close(token)
        else:
            self._next_key(token)

    def _next_key(self, token: _Token) -> None:
        if token.kind != "string":
            fix = "remove the comma before it" if token.text == "}" else "write the key in double quotes"
            self._refuse("a key should stand here", token, "a string in double quotes", fix)
        self._count(token)
        key = self._scalar(token)
        inside = self._stack[-1]
        earlier = inside.entries.get(key.text) if isinstance(inside, Mapping) else None
        if earlier is not None:
            line, column = earlier[0].start
            message = f"the key {key.text!r} stands twice, first at line {line + 1}, column {column + 1}"
            self._refuse(message, token, "each key once", "remove or rename one of the two", "HL004")
        self._key, self._step = key, self._colon

    def _colon(self, token: _Token) -> None:
        if token.text != ":":
            self._refuse("a ':' is missing after the key", token, "':'", "add the ':'")
        self._step = self._value

    def _after_value(self, token: _Token) -> None:
        if not self._stack:
            self._refuse("something follows the JSON value", token, "the end of the file", "remove it")
        inside = self._stack[-1]
        closing = "]" if isinstance(inside, Sequence) else "}"
        if token.text == closing and token.kind == "mark":
            self._close(token)
        elif token.text == "," and token.kind == "mark":
            self._step = self._value if isinstance(inside, Sequence) else self._next_key
        else:
            self._refuse(f"a ',' or {closing!r} is missing here", token, f"',' or {closing!r}", "add it")

    def _open(self, tree: Mapping | Sequence, token: _Token, step: Callable[[_Token], None]) -> None:
        if len(self._stack) >= MAX_DEPTH:
            message = f"values are nested more than {MAX_DEPTH} deep"
            self._refuse(message, token, f"at most {MAX_DEPTH} levels", "flatten the value", "HL007")
        self._add(tree, token)
        self._stack.append(tree)
        self._step = step

    def _close(self, token: _Token) -> None:
        self._stack.pop().end = self._place(token.end)
        self._step = self._after_value

    def _add(self, tree: Tree, token: _Token) -> None:
        self._count(token)
        if not self._stack:
            self._root = tree
            return
        above = self._stack[-1]
        if isinstance(above, Sequence):
            above.items.append(tree)
        else:
            above.entries[self._key.text] = (self._key, tree)

    def _count(self, token: _Token) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES:,} values and keys"
            self._refuse(message, token, f"at most {MAX_NODES:,} in a file", "split the file", "HL007")

    def _scalar(self, token: _Token) -> Scalar:
        value: Value = _WORDS.get(token.text)
        style: Style = "plain"
        try:
            if token.kind == "string":
                value, style = json.loads(token.text), '"'
            elif token.kind == "integer":
                value = integer(token.text)
            elif token.kind == "real":
                value = real(token.text)
        except NotJson as error:
            self._refuse(str(error), token, "a finite number; whole numbers of 64 bits", "quote it", "HL009")
        text = value if isinstance(value, str) else token.text
        if style == '"' and "\\u" in token.text and _SURROGATE.search(text):
            message = "this text holds half of a surrogate pair"
            self._refuse(message, token, "Unicode text", "write both halves", "HL002")
        return Scalar(value, text, style, self._place(token.start), self._place(token.end))

    def _place(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset) - 1
        return line, offset - self._line_starts[line]

    def _refuse_character(self, at: int) -> NoReturn:
        text = self._text
        token = _Token("", text[at], at, at + 1)
        number = _NOT_FINITE.match(text, at)
        if number:
            token = _Token("", number[0], at, number.end())
            self._refuse(f"{number[0]} is not a number that JSON can hold", token, "a number", "quote it", "HL009")
        string = _STRING_START.match(text, at)
        if string:
            self._refuse_string(token, string.end())
        fix = {"'": "use double quotes", "/": "remove the comment", "#": "remove the comment"}.get(text[at])
        self._refuse(f"{text[at]!r} cannot start a JSON value", token, "a JSON value", fix or "correct or quote it")

    def _refuse_string(self, opening: _Token, at: int) -> NoReturn:
        there = _Token("", "", at, at + 1)
        if self._text.startswith("\\", at):
            self._refuse("JSON does not know this escape", there, r"\" \\ \/ \b \f \n \r \t \u0041", r"write \\")
        if self._text.startswith("\t", at):
            self._refuse("a tab may not stand in a string", there, r"\t", r"write \t")
        fix = r"close it; write \n for a line feed"
        self._refuse("this quote is not closed on its line", opening, "a closing quote", fix)

    def _refuse(self, message: str, at: _Token, expected: str, fix: str, code: str = "HL011") -> NoReturn:
        refuse(code, texts.span(self._name, self._text, at.start, at.end), message, expected, fix)
