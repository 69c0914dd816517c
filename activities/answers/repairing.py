"""What is nearly JSON: read with the slips that models make, each named, and nothing made up.

A bare word is no text, a quote inside a text ends it, and a number that the end of the text cuts into is left out: its
last digits may be missing. What cannot be told for sure is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from activities.answers.parsing import DEPTH, NotJson, TooDeep, closing, decoded, number, parsed

Container: TypeAlias = dict[str, Any] | list[Any]

# What a subtree that is tried as plain JSON in vain may cost, in lengths of the text.
_TRIES = 4

_SOLID = frozenset("\"'[]{},:-0123456789")
_BLANK = re.compile(r"(?:[ \t\n\r]++|((?://|#)[^\n]*+\n|/\*.*?\*/)|([^\S \t\n\r]|\ufeff))*+", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?(?![\w.+-])")
_CUT_NUMBER = re.compile(r"[-0-9][-+.0-9eE]*+\Z")
_WORD = re.compile(r"[A-Za-z]++")
_BARE = re.compile(r"[A-Za-z_$][\w$-]*+(?=\s*+(:|\Z))")
_KEY = re.compile(r"""(?:"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|[A-Za-z_$][\w$-]*+)\s*+:""")
_BODIES = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\(?:.|\Z))*+)({quote}?)", re.DOTALL) for quote in ('"', "'")}
_SPECIAL = re.compile(r"[\x00-\x1f\"\\]")
_CONTROL = re.compile(r"[\x00-\x1f]")
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\(u[0-9a-fA-F]{0,3}\Z|.|\Z)|"', re.DOTALL)
_ESCAPED = re.compile(r'[\[{](?:\s|\\[nrt])*+\\"')
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_CUT = object()


class Repaired:
    """Reads the value that opens with the bracket at `start`; `end` is where it ends, `steps` what was done to it.

    `wasted` is how many characters were tried as plain JSON in vain.
    """

    def __init__(self, text: str, start: int, stop: int) -> None:
        self._text = text
        self._stop = stop
        self.end = start
        self._steps: dict[str, None] = {}
        self._open: list[Container] = []
        self.wasted = 0
        self._may_waste = _TRIES * (stop - start)

    def value(self) -> Any:
        """Raises `NotJson`; `end` is then how far it came."""
        return self._unescaped() if _ESCAPED.match(self._text, self.end, self._stop) else self._read_all()

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self._steps)

    def _unescaped(self) -> Any:
        """JSON that is written as inside of a text, without the quotes around it."""
        self._steps["escaped quotes"] = None
        start, end = self.end, max(self._text.rfind(each, self.end, self._stop) for each in "]}") + 1
        self.end = max(end, start)
        try:
            return parsed(json.loads(f'"{self._text[start:end]}"', strict=False))
        except ValueError:
            raise NotJson("its quotes are escaped in part", start) from None

    def _read_all(self) -> Any:
        root = self._opened(self._text[self.end])
        while self._open:
            self._skip()
            if self._is_over():
                self._steps["closed at the end"] = None
                self._open.clear()
                if not root:
                    raise NotJson("it ends before anything is said", self.end)
            elif self._text[self.end] in "]}":
                self._close(self._text[self.end])
            else:
                self._take(self._open[-1])
        return root

    def _is_over(self) -> bool:
        return self.end >= self._stop

    def _skip(self) -> None:
        if self._text[self.end : self.end + 1] in _SOLID:
            return
        found = _BLANK.match(self._text, self.end, self._stop)
        if found is not None and found.end() > self.end:
            self.end = found.end()
            if found[1]:
                self._steps["comment"] = None
            if found[2]:
                self._steps["odd blank"] = None

    def _take(self, container: Container) -> None:
        """The next member or item, with the comma after it; a member that the end cuts off is left out."""
        key = ""
        if isinstance(container, dict):
            key = self._key()
            self._skip()
            if self._is_over():
                return
            if self._text[self.end] != ":":
                raise NotJson(f"a colon is missing after {key[:40]!r}", self.end)
            self.end += 1
            self._skip()
            if self._is_over():
                return
        value = self._value()
        if value is _CUT:
            return
        if isinstance(container, dict):
            container[key] = value
        else:
            container.append(value)
        if self._open[-1] is container:
            self._separate(container)

    def _key(self) -> str:
        if self._text[self.end] in "\"'":
            return self._string()
        found = _BARE.match(self._text, self.end, self._stop)
        if found is None:
            raise NotJson("the name of a property is missing", self.end)
        self._steps["bare key"] = None
        self.end = found.end()
        return found[0]

    def _value(self) -> Any:
        at = self._text[self.end]
        if at in "[{":
            return self._whole() or self._opened(at)
        if at in "\"'":
            return self._string()
        if at in "-0123456789":
            return self._number()
        found = _WORD.match(self._text, self.end, self._stop)
        if found is not None and found[0] in _LITERALS:
            self.end = found.end()
            if found[0][0].isupper():
                self._steps["Python literal"] = None
            return _LITERALS[found[0]]
        if found is not None and found.end() == self._stop and any(w.startswith(found[0]) for w in _LITERALS):
            self.end = found.end()
            return _CUT
        raise NotJson("a value is missing", self.end)

    def _whole(self) -> Container | None:
        """A part that is JSON as it stands, in one go; nothing when it is not, or when it is empty."""
        if self.wasted > self._may_waste:
            return None
        start, end = self.end, None
        try:
            end = closing(self._text, start, len(self._open), self._stop)
            value: Container = {} if end is None else decoded(self._text[start:end])
        except NotJson as error:
            end = error.at if isinstance(error, TooDeep) else end
            value = {}
        if not value or end is None:
            self.wasted += (end or self._stop) - start
            return None
        self.end = end
        return value

    def _opened(self, bracket: str) -> Container:
        if len(self._open) == DEPTH:
            raise TooDeep(self.end)
        container: Container = {} if bracket == "{" else []
        self._open.append(container)
        self.end += 1
        return container

    def _close(self, bracket: str) -> None:
        """Closes what the bracket belongs to, and what was left open inside of it."""
        wanted = dict if bracket == "}" else list
        while self._open and not isinstance(self._open.pop(), wanted):
            self._steps["closed a bracket"] = None
            if not self._open:
                raise NotJson(f"nothing is open for {bracket!r}", self.end)
        self.end += 1
        if self._open:
            self._separate(self._open[-1])

    def _separate(self, container: Container) -> None:
        before = self.end
        self._skip()
        if self._is_over() or self._text[self.end] in "]}":
            return
        if self._text[self.end] == ",":
            self.end += 1
            self._skip()
            if not self._is_over() and self._text[self.end] in "]}":
                self._steps["trailing comma"] = None
        elif self._lacks_comma(container, before):
            self._steps["missing comma"] = None
        else:
            raise NotJson("a comma or a closing bracket is missing", self.end)

    def _lacks_comma(self, container: Container, before: int) -> bool:
        """Whether something new begins for sure: a key with its colon, a bracket at either side, or a new line."""
        if isinstance(container, dict):
            return _KEY.match(self._text, self.end, self._stop) is not None
        return self._text[self.end] in "[{" or self._text[before - 1] in "]}" or "\n" in self._text[before : self.end]

    def _number(self) -> Any:
        cut = _CUT_NUMBER.match(self._text, self.end, self._stop)
        if cut is not None:
            self.end = cut.end()
            return _CUT
        found = _NUMBER.match(self._text, self.end, self._stop)
        if found is None:
            raise NotJson("that is no number", self.end)
        try:
            value = int(found[0]) if found[1] is None and found[2] is None else number(found[0])
        except ValueError as error:
            raise NotJson(str(error), self.end) from None
        self.end = found.end()
        return value

    def _string(self) -> str:
        quote = self._text[self.end]
        found = _BODIES[quote].match(self._text, self.end, self._stop)
        assert found is not None
        self.end = found.end()
        if not found[2] and "\n" in found[1]:
            raise NotJson("a text goes on over the end of its line, and never ends", self.end)
        if quote == "'":
            self._steps["single quotes"] = None
        return self._spelt(found[1], quote, bool(found[2])) if _SPECIAL.search(found[1]) else found[1]

    def _spelt(self, body: str, quote: str, is_closed: bool) -> str:
        """Undoes the escapes; what is none stays as it is written, and one that the end cuts off is left out."""

        def spelt(found: re.Match[str]) -> str:
            if found[0] == '"':
                return '\\"'
            if found[1] is not None:
                return found[0]
            if not is_closed and found.end() == len(body) and found[2][:1] in ("", "u"):
                return ""
            if found[2] != quote:
                self._steps["odd escape"] = None
            return "'" if found[2] == "'" else f"\\\\{found[2]}"

        if _CONTROL.search(body):
            self._steps["control character"] = None
        text: str = json.loads(f'"{_ESCAPE.sub(spelt, body)}"', strict=False)
        return text
