"""The words of an expression: strings, comments, names, numbers and signs, with where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_STRING = (
    r"(?:[rR][bB]?|[bB][rR])(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"(?!\"\")[^\"\n]*\"|'(?!'')[^'\n]*')"
    r"|[bB]?(?:\"\"\"(?:\\[\s\S]|[^\\])*?\"\"\"|'''(?:\\[\s\S]|[^\\])*?'''"
    r"|\"(?!\"\")(?:\\.|[^\"\\\n])*\"|'(?!'')(?:\\.|[^'\\\n])*'|\"\"(?!\")|''(?!'))"
)
_UNCLOSED = r"(?:\"\"\"|''')[\s\S]*|[\"'][^\n]*"
_SIGN = r"===|!==|\?\?|\*\*|=>|->|<>|==|!=|<=|>=|&&|\|\||[\s\S]"
_NUMBER = r"0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?|\d+[uU]?"
TOKEN = re.compile(
    rf"(?P<space>\s+)|(?P<string>{_STRING})|(?P<unclosed>{_UNCLOSED})|(?P<comment>//[^\n]*)"
    rf"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]*`)|(?P<number>{_NUMBER})|(?P<sign>{_SIGN})"
)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """All words from `start`, without spaces and comments."""
    for found in TOKEN.finditer(text, start):
        kind = found.lastgroup or ""
        if kind not in ("space", "comment"):
            yield Token(kind, found.group(), found.start(), found.end())


def token_at(text: str, offset: int) -> Token:
    """The word that begins at an offset; an empty one at the end of the text."""
    return next(tokens(text, offset), Token("end", "", len(text), len(text)))


def bracket_end(text: str, start: int) -> int:
    """Just past the bracket that closes the first one opened at or after `start`."""
    depth = 0
    for token in tokens(text, start):
        if token.text in _CLOSERS:
            depth += 1
        elif depth and token.text in ")]}":
            depth -= 1
            if depth == 0:
                return token.end
    return len(text)
