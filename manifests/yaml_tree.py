"""YAML to a tree with places: events in, values out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import yaml
from yaml.error import MarkedYAMLError

from manifests import text as texts
from manifests.scalars import NotJson, Value, resolved
from manifests.source import Mapping, Position, Scalar, Sequence, Source, Style, Tree
from manifests.text import MAX_DEPTH, MAX_NODES, Unreadable, refuse
from manifests.yaml_events import Event, after_properties, check_properties, events, refuse_tag_directives
from manifests.yaml_mistakes import explained

MAX_ALIASES = 32


def parse_yaml(text: str, name: str) -> Source:
    """The values of one YAML document and where each of them stands."""
    text = texts.allowed(text, name, texts.YAML)
    # What a last line means should not hang on the line feed behind it; for libyaml the end of a block of text does.
    source = Source(name, text if text.endswith("\n") or not text else text + "\n")
    refuse_tag_directives(source)
    with texts.collector_paused():
        source.root = _Builder(source).read()
    return source


@dataclass(slots=True)
class _Open:
    """A collection that is still being read, and the key that waits for its value."""

    tree: Mapping | Sequence
    anchor: str | None
    aliases_before: int
    key: Scalar | None = None


@dataclass(slots=True)
class _Anchor:
    tree: Tree
    has_aliases: bool


class _Builder:
    """Builds the tree on a stack of its own, so that depth is a limit we set and not one we hit."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._root: Tree = Scalar(None, "", "plain", (0, 0), (0, 0))
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchor] = {}
        self._documents = self._nodes = self._aliases = 0
        self._last_end: Position = (0, 0)

    def read(self) -> Tree:
        steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            for event in events(self._source.text):
                step = steps.get(type(event))
                if step is not None:
                    step(event)
        except MarkedYAMLError as error:
            raise Unreadable(explained(error, self._source.name, self._source.text)) from None
        return self._root

    def _document(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._refuse(
                "HL008",
                event,
                "a second document starts here",
                "one document in a file",
                "remove the '---', or move what follows to a file of its own",
            )

    def _scalar(self, event: Event) -> None:
        first, last = event.start_mark, event.end_mark
        start, end = (first.line, first.column), (last.line, last.column)
        style = cast(Style, event.style or "plain")
        text = event.value
        if event.tag is not None or event.anchor is not None:
            check_properties(self._source, event)
            start = after_properties(self._source, event) if text or style != "plain" else end
        if style in "|>":
            end = self._block_end(start, end)
        above = self._stack[-1] if self._stack else None
        if start == end and above is not None and above.key is not None and start[0] > self._last_end[0]:
            # A key without a colon (`? key`): libyaml puts the missing value at whatever comes next.
            start = end = self._last_end
        is_key = above is not None and above.key is None and type(above.tree) is Mapping
        value = text if is_key or style != "plain" or event.tag else self._resolved(text, event)
        scalar = Scalar(value, text, style, start, end)
        self._last_end = end
        self._add(scalar, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(scalar, has_aliases=False)

    def _resolved(self, text: str, event: Event) -> Value:
        try:
            return resolved(text)
        except NotJson as error:
            self._refuse(
                "HL009",
                event,
                str(error),
                "a finite number; whole numbers from -2^63 to 2^63-1",
                "quote it, if text is meant",
            )

    def _mapping(self, event: Event) -> None:
        mark = event.start_mark
        start = (mark.line, mark.column)
        self._open(Mapping({}, start, start), event)

    def _sequence(self, event: Event) -> None:
        mark = event.start_mark
        start = (mark.line, mark.column)
        self._open(Sequence([], start, start), event)

    def _open(self, tree: Mapping | Sequence, event: Event) -> None:
        check_properties(self._source, event)
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(event)
        self._add(tree, event)
        self._stack.append(_Open(tree, event.anchor, self._aliases))
        # Inside, the name stands for this very collection, which is never finished there.
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)

    def _close(self, event: Event) -> None:
        first, last = event.start_mark, event.end_mark
        if last.index > first.index:
            self._last_end = (last.line, last.column)
        # A block collection has no closing bracket: libyaml ends it at the next token, people where its text ends.
        closed = self._stack.pop()
        closed.tree.end = self._last_end
        if closed.anchor is not None:
            self._anchors[closed.anchor] = _Anchor(closed.tree, self._aliases > closed.aliases_before)

    def _alias(self, event: Event) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse_alias(event, f"more than {MAX_ALIASES} aliases", "write the value out")
        anchor = self._anchors.get(event.anchor or "")
        if anchor is None:
            self._refuse_alias(
                event,
                f"no value with the anchor '&{event.anchor}' ends before this alias",
                f"quote '*{event.anchor}', if text is meant",
            )
        if anchor.has_aliases:
            self._refuse_alias(event, f"'&{event.anchor}' holds an alias itself", "write the value out")
        nodes, height = _size(anchor.tree)
        if len(self._stack) + height > MAX_DEPTH:
            self._too_deep(event)
        self._nodes += nodes - 1
        self._last_end = (event.end_mark.line, event.end_mark.column)
        self._add(anchor.tree, event)

    def _add(self, tree: Tree, event: Event) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(
                "HL007",
                event,
                f"more than {MAX_NODES:,} values and keys",
                f"at most {MAX_NODES:,} in a file",
                "split the file, or move data out of the bundle",
            )
        if not self._stack:
            self._root = tree
            return
        above = self._stack[-1]
        if isinstance(above.tree, Sequence):
            above.tree.items.append(tree)
        elif above.key is None:
            above.key = self._key(tree, above.tree, event)
        else:
            above.tree.entries[above.key.text] = (above.key, tree)
            above.key = None

    def _key(self, tree: Tree, mapping: Mapping, event: Event) -> Scalar:
        if not isinstance(tree, Scalar):
            template = self._source.text.startswith("{", event.start_mark.index)
            self._refuse(
                "HL010",
                event,
                "a key is a name, not a mapping or a list",
                "a plain name before the ':'",
                "quote values that start with '{'" if template else "give it a name, and put this into its value",
            )
        index = event.start_mark.index
        if self._source.text.startswith("?", index - 1) and not self._source.text.startswith("?", index):
            # Inside brackets libyaml takes the '?' of `{?a: 1}` for a sign and drops it; in YAML 1.2 it is text.
            self._refuse("HL003", event, "a key cannot start with '?'", "a plain name before the ':'", "quote the key")
        if tree.text == "<<" and tree.style == "plain":
            self._refuse(
                "HL017",
                event,
                "'<<' merges nothing here: YAML 1.2 has no merge keys",
                "the keys themselves",
                "write the keys out; quote '<<' if a key of this name is meant",
            )
        earlier = mapping.entries.get(tree.text)
        if earlier is not None:
            line, column = earlier[0].start
            self._refuse(
                "HL004",
                event,
                f"the key {tree.text!r} stands twice, first at line {line + 1}, column {column + 1}",
                "each key once",
                "remove or rename one of the two",
            )
        return tree if tree.value is tree.text else Scalar(tree.text, tree.text, tree.style, tree.start, tree.end)

    def _block_end(self, start: Position, end: Position) -> Position:
        """The end of the last line of a block scalar that is not blank; libyaml goes on to the next token."""
        lines = self._source.lines
        line, column = end
        while line > start[0] and not lines[line][:column].strip():
            line, column = line - 1, len(lines[line - 1])
        return line, column

    def _too_deep(self, event: Event) -> NoReturn:
        self._refuse(
            "HL007",
            event,
            f"values are nested more than {MAX_DEPTH} deep",
            f"at most {MAX_DEPTH} levels",
            "flatten the value, or move data out of the bundle",
        )

    def _refuse_alias(self, event: Event, message: str, fix: str) -> NoReturn:
        self._refuse("HL006", event, message, f"at most {MAX_ALIASES} aliases, each to a plain value above it", fix)

    def _refuse(self, code: str, event: Event, message: str, expected: str, fix: str) -> NoReturn:
        at = texts.span(self._source.name, self._source.text, event.start_mark.index, event.end_mark.index)
        refuse(code, at, message, expected, fix)


def _size(tree: Tree) -> tuple[int, int]:
    """How many values and keys a tree has, and how many collections lie inside each other in it."""
    nodes, height = 0, 0
    level = [tree]
    while level:
        collections = [each for each in level if not isinstance(each, Scalar)]
        nodes += len(level) + sum(len(each.entries) for each in collections if isinstance(each, Mapping))
        height += bool(collections)
        level = [below for each in collections for below in _children(each)]
    return nodes, height


def _children(tree: Mapping | Sequence) -> list[Tree]:
    return tree.items if isinstance(tree, Sequence) else [value for _, value in tree.entries.values()]
