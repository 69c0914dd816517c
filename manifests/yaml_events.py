"""The events that libyaml splits a text into, and the properties (anchors, tags) that stand before a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import yaml
from yaml.error import Mark

from manifests import text as texts
from manifests.source import Position, Source
from manifests.text import refuse

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # a PyYAML built without libyaml: the same events, about ten times slower

    class _Parser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


# Between the start of a value with an anchor or a tag and the value itself.
_PROPERTIES = re.compile(r"(?:\s+|&[\w-]+|!|#[^\n]*)*")
_TAG_DIRECTIVE = re.compile(r"^%TAG\b", re.MULTILINE)
_TAG = re.compile(r"!<[^>\s]*>|![^\s,\[\]{}]*")


class Event(Protocol):
    """What we use of libyaml's events; each kind has some of the last four."""

    start_mark: Mark
    end_mark: Mark
    value: str
    style: str | None
    tag: str | None
    anchor: str | None


def events(text: str) -> Iterator[Event]:
    next_event: Callable[[], Any] = _Parser(text).get_event
    while (event := next_event()) is not None:
        yield event


def refuse_tag_directives(source: Source) -> None:
    """Before libyaml sees them: it compares each with all the others, 94 s for 200,000 of them."""
    found = _TAG_DIRECTIVE.search(source.text)
    if found is not None:
        refuse(
            "HL005",
            texts.span(source.name, source.text, found.start(), found.end()),
            "tags are not part of the language",
            "no %TAG lines",
            "remove the line, or indent it if it is text",
        )


def check_properties(source: Source, event: Event) -> None:
    if event.anchor is not None:
        _check_anchor(source, event)
    if event.tag is None or event.tag == "!":
        return
    start = source.text.index("!", event.start_mark.index)
    written = _TAG.match(source.text, start)
    end = written.end() if written else start + 1
    refuse(
        "HL005",
        texts.span(source.name, source.text, start, end),
        f"tags such as {source.text[start:end]!r} are not part of the language",
        "a value without a tag",
        "remove the tag; quote the value, if text is meant",
    )


def _check_anchor(source: Source, event: Event) -> None:
    """libyaml ends `&a:b` at the colon and takes the rest for the value."""
    start = source.text.index("&", event.start_mark.index)
    end = start + 1 + len(event.anchor or "")
    if source.text[end : end + 1] in tuple("?:%@`"):
        refuse(
            "HL006",
            texts.span(source.name, source.text, start, end + 1),
            "the name of an anchor is made of letters, digits, '_' and '-'",
            "a blank after the anchor",
            "rename it; quote the value if it starts with '&'",
        )


def after_properties(source: Source, event: Event) -> Position:
    """Where the value itself starts, behind its anchor and its tag."""
    mark = event.start_mark
    found = _PROPERTIES.match(source.text, mark.index, event.end_mark.index)
    line, column = texts.position(found[0] if found else "", len(found[0]) if found else 0)
    return mark.line + line, column if line else mark.column + column
