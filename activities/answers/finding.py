"""Where JSON stands in an answer: between fences, in prose, after thinking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from activities.answers.parsing import NotJson, TooDeep, closing, decoded, has_lone_surrogate, parsed
from activities.answers.repairing import Repaired

# Texts above this are not repaired.
REPAIRABLE = 250_000
# So many brackets are tried, and so many lengths of the text, or of one that is that long, are read in vain.
PLACES = 1_000
LENGTHS = 4

_MARKS = re.compile(r"[\[{]|```([\w+-]*)|<(/?)(think|thinking)>")
_FENCES = ("", "json", "jsonc", "json5")
_NAME_BEFORE = re.compile(r"[\"']\s*:\s*\Z")
# A bracket or another member after it: what has been read is a part of something broken.
_PART_AFTER = re.compile(r"\s*+(?:[\]}]|,\s*+(?:[\[{]|\"[^\"\n]{0,200}+\"\s*+:))")


@dataclass(frozen=True)
class Candidate:
    value: Any
    # What repair did; nothing for JSON as it stands.
    steps: tuple[str, ...] = ()
    is_fenced: bool = False


def candidates(text: str) -> list[Candidate]:
    """What may be the answer, the best last: of what is fenced, else of all, the last; raises `NotJson` for nothing."""
    search = _Search(text)
    search.go()
    if not search.found:
        raise search.wrong
    return sorted(search.found, key=lambda each: each.is_fenced)


class _Search:
    def __init__(self, text: str) -> None:
        self.found: list[Candidate] = []
        self.wrong = NotJson("there is no JSON in it", 0)
        self._text = text
        self._at = 0
        self._fence: str | None = None
        self._places = PLACES
        self._spare = LENGTHS * max(len(text), REPAIRABLE)

    def go(self) -> None:
        while mark := _MARKS.search(self._text, self._at):
            self._at = mark.end()
            if mark[3]:
                self._think(is_over=bool(mark[2]), tag=mark[3])
            elif mark[0] in ("[", "{"):
                self._try(mark.start())
            else:
                self._fence = mark[1].lower() if self._fence is None else None
                self._try_plain()

    def _think(self, *, is_over: bool, tag: str) -> None:
        """What is thought is no answer: neither what comes before the end of it, nor what has no end."""
        if is_over:
            self.found.clear()
            self._fence = None
        else:
            end = self._text.find(f"</{tag}>", self._at)
            self._at = len(self._text) if end < 0 else end

    def _try_plain(self) -> None:
        """A text, a number or a word that is all that a fence holds."""
        end = self._text.find("```", self._at) if self._is_fenced() else -1
        content = self._text[self._at : end].strip() if end >= 0 else ""
        if content and content[0] not in "[{":
            try:
                self.found.append(Candidate(parsed(content), (), True))
            except NotJson:
                return
            self._at = end

    def _try(self, start: int) -> None:
        """What opens with the bracket here, if it is a whole value; else the search goes on behind the bracket."""
        self._places -= 1
        if self._places < 0 or self._spare < 0:
            raise NotJson("too many brackets in it open nothing", start)
        try:
            value, end, steps = self._read(start)
        except TooDeep:
            raise
        except NotJson as error:
            if error.at >= self.wrong.at:
                self.wrong = error
            return
        self._at = end
        if self._is_part(start, end):
            self.wrong = NotJson("this is a part of something broken", start)
        else:
            self.found.append(Candidate(value, steps, self._is_fenced()))

    def _read(self, start: int) -> tuple[Any, int, tuple[str, ...]]:
        end = None
        try:
            end = closing(self._text, start)
            if end is not None:
                return decoded(self._text[start:end]), end, ()
            wrong = NotJson("it ends in the middle", len(self._text))
        except TooDeep as error:
            # Brackets that nothing closes, in prose, count here; how deep it really is, repair finds out.
            wrong, end = error, error.at
        except NotJson as error:
            wrong = NotJson(error.message, start + error.at)
        self._spare -= (end or len(self._text)) - start
        if len(self._text) > REPAIRABLE:
            raise wrong
        return self._repaired(start)

    def _repaired(self, start: int) -> tuple[Any, int, tuple[str, ...]]:
        fence = self._text.rfind("```", start) if self._is_fenced() else -1
        repair = Repaired(self._text, start, fence if fence >= 0 else len(self._text))
        try:
            value = repair.value()
        finally:
            self._spare -= repair.end - start + repair.wasted
        if has_lone_surrogate(self._text[start : repair.end], value):
            raise NotJson("a text holds half of a surrogate pair", start)
        return value, repair.end, repair.steps

    def _is_fenced(self) -> bool:
        return self._fence in _FENCES

    def _is_part(self, start: int, end: int) -> bool:
        before = self._text[max(0, start - 50) : start]
        return bool(_NAME_BEFORE.search(before) or _PART_AFTER.match(self._text, end))
