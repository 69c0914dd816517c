"""What Jinja2's complaints mean to an author: the tag they are about, and the way out of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from jinja2 import Environment, TemplateSyntaxError

from manifests.problems import nearest

_TEXT = "put what is not meant for Jinja2 between {% raw %} and {% endraw %}"
# Strings hide braces; what is not closed before the next tag begins is not closed at all.
_STRING = r"\"[^\"\n]*\"|'[^'\n]*'"
_TAG = re.compile(
    r"\{#[\s\S]*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}[\s\S]*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    rf"|\{{\{{(?:{_STRING}|(?!\{{[{{%]|\}}\}})[\s\S])*+\}}\}}"
    rf"|\{{%(?:{_STRING}|(?!\{{[{{%]|%\}})[\s\S])*+%\}}"
    r"|(?P<unclosed>\{[{%#])"
)
# Tags of one line that are read again, each alone, to see which of them is wrong.
_TRIES = 100
_ALLOWED = "what Jinja2 allows here"
_NAME = re.compile(r"\{%[-+]?\s*(\w+)")
_SIGNS = {"filter": r"(?:\||\bfilter\b)", "test": r"\bis(?:\s+not)?\b"}
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_BLOCKS = ("if", "for", "set", "macro", "call", "filter", "with", "block", "autoescape", "raw")
_NAMES = (*_BLOCKS, *(f"end{block}" for block in _BLOCKS), "elif", "else")


class Mistake(NamedTuple):
    """What is wrong with the characters `start` to `end` of a prompt."""

    start: int
    end: int
    message: str
    expected: str
    fix: str


class Tag(NamedTuple):
    """`{{ … }}`, `{% … %}` or `{# … #}`, and the lines that it stands in; the name is that of a `{% name … %}`."""

    start: int
    end: int
    text: str
    name: str
    closed: bool
    lines: range


def tags(text: str) -> Iterator[Tag]:
    line, counted = 1, 0
    for found in _TAG.finditer(text):
        name = _NAME.match(found[0])
        line, counted = line + text.count("\n", counted, found.start()), found.start()
        lines = range(line, line + found[0].count("\n") + 1)
        tag = Tag(found.start(), found.end(), found[0], name[1] if name else "", found["unclosed"] is None, lines)
        yield tag
        if tag.text == "{#" or (tag.name == "raw" and not _is_whole(tag)):
            return


def tags_that_load(text: str) -> list[tuple[int, int]]:
    """Where a prompt loads another file."""
    return [(tag.start, tag.end) for tag in tags(text) if tag.name in ("include", "import", "from", "extends")]


def explained(error: TemplateSyntaxError, text: str, environment: Environment) -> Mistake:
    """The mistake behind an error of Jinja2, which names no more than a line."""
    said = error.message or ""
    if "needs to be closed" in said or "raw directive" in said:
        return _of_blocks(text, said, error.lineno)
    unknown = re.match(r"No (filter|test) named '([\w.]+)'", said)
    if unknown:
        return _unknown(text, unknown[1], unknown[2], error.lineno, environment)
    return _in_some_tag(text, said, error.lineno, environment)


def _in_some_tag(text: str, said: str, line: int, environment: Environment) -> Mistake:
    tried = 0
    for tag in tags(text):
        if not tag.closed and tag.lines.start <= line:
            closing = _CLOSING[tag.text]
            return Mistake(
                tag.start, tag.end, f"{tag.text!r} is not closed", repr(closing), f"add {closing}, or {_TEXT}"
            )
        if line in tag.lines and tried < _TRIES:
            tried += 1
            if _core(_said_of(tag.text, environment)) == _core(said):
                return _in_tag(tag, said)
    return Mistake(*_line(text, line), _core(said), _ALLOWED, f"correct it, or {_TEXT}")


def _line(text: str, line: int) -> tuple[int, int]:
    lines = text.split("\n")
    start = sum(len(each) + 1 for each in lines[: line - 1])
    return start, start + max(len(lines[min(line, len(lines)) - 1]), 1)


def _said_of(text: str, environment: Environment) -> str:
    """What Jinja2 says of a tag that stands alone."""
    try:
        environment.compile(environment.parse(text))
    except TemplateSyntaxError as error:
        return error.message or ""
    return ""


def _core(said: str) -> str:
    """Without the offset, and with the signs in place of their names."""
    said = re.sub(r" at \d+$", "", said)
    return said.replace("end of print statement", "}}").replace("end of statement block", "%}")


def _unknown(text: str, what: str, name: str, line: int, environment: Environment) -> Mistake:
    sign = re.compile(rf"{_SIGNS[what]}\s*({re.escape(name)})\b")
    words = ((tag.start, sign.search(tag.text)) for tag in tags(text) if line in tag.lines)
    places = ((start + word.start(1), start + word.end(1)) for start, word in words if word)
    near = nearest(name, environment.filters if what == "filter" else environment.tests)
    fix = f"did you mean {near!r}?" if near else "remove it, and do the work in a transform"
    return Mistake(*next(places, _line(text, line)), f"there is no {what} {name!r}", f"a {what} of Jinja2", fix)


def _in_tag(tag: Tag, said: str) -> Mistake:
    if said.startswith("Encountered unknown tag") and tag.name in _NAMES:
        fix = "remove it, or open before it what it belongs to"
        return Mistake(tag.start, tag.end, f"{tag.name!r} belongs to nothing", "an open block", fix)
    if said.startswith("Encountered unknown tag"):
        near = nearest(tag.name, _NAMES)
        fix = f"did you mean {near!r}?" if near else f"remove it, or {_TEXT}"
        return Mistake(tag.start, tag.end, f"there is no tag {tag.name!r}", "a tag of Jinja2", fix)
    return Mistake(tag.start, tag.end, _core(said), _ALLOWED, f"correct it, or {_TEXT}")


def _of_blocks(text: str, said: str, line: int) -> Mistake:
    """What can be seen only from several tags together: blocks that are not closed, or not in order."""
    unknown = re.match(r"Encountered unknown tag '(\w+)'", said)
    innermost = re.search(r"needs to be closed is '(\w+)'", said)
    name = innermost[1] if innermost else "raw"
    closing = f"{{% end{name} %}}"
    if unknown is None:
        start, end = _open(text, name)
        return Mistake(start, end, f"this {name!r} is not closed", closing, f"add {closing}")
    here = [(tag.start, tag.end) for tag in tags(text) if tag.name == unknown[1] and line in tag.lines]
    start, end = here[0] if here else _line(text, line)
    message = f"{unknown[1]!r} stands where {name!r} has to be closed"
    return Mistake(start, end, message, closing, f"add {closing} before it, or remove it")


def _open(text: str, name: str) -> tuple[int, int]:
    """The last block of a name that nothing closes."""
    opened: list[Tag] = []
    for tag in tags(text):
        if tag.name in _BLOCKS and not _is_whole(tag):
            opened.append(tag)
        elif tag.name.startswith("end") and opened:
            opened.pop()
    found = [tag for tag in opened if tag.name == name]
    return (found[-1].start, found[-1].end) if found else (0, len(text))


def _is_whole(tag: Tag) -> bool:
    """Whether a tag that may open a block does not: `{% set a = 1 %}`, or a raw one up to its end."""
    return "=" in tag.text if tag.name == "set" else "endraw" in tag.text
