"""What the compiler has to say: a problem has a code, a place, what was expected and a way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from manifests.source import Place, Span


@dataclass(frozen=True)
class Problem:
    code: str
    at: Place | Span
    message: str
    expected: str = ""
    fix: str = ""
    span: Span = field(init=False, compare=False)

    def __post_init__(self) -> None:
        span = self.at.span if isinstance(self.at, Place) else self.at
        object.__setattr__(self, "span", span)

    def as_json(self) -> dict[str, str | int]:
        return {
            "code": self.code,
            "file": self.span.file,
            "line": self.span.line,
            "column": self.span.column,
            "end_line": self.span.end_line,
            "end_column": self.span.end_column,
            "message": self.message,
            "expected": self.expected,
            "fix": self.fix,
        }


class Refused(Exception):
    """A bundle that does not compile, with every problem found, in source order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_source_order(problems)
        super().__init__(f"{len(self.problems)} problems, first: {self.problems[0].message}")


def in_source_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by file and place."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.span, problem.code, problem.message))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    names = list(known)
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in names}
    same = folded.get(name.lower().replace("-", "_"))
    if same:
        return same
    close = difflib.get_close_matches(name, names[:2000], n=1, cutoff=0.6)
    return close[0] if close else None


def an(what: str) -> str:
    return f"an {what}" if what[:1] in "aeio" else f"a {what}"


def did_you_mean(name: str, known: Iterable[str], what: str) -> str:
    """A way out of an unknown name: the one that was meant, or the ones there are."""
    names = sorted(known)
    meant = nearest(name, names)
    if meant:
        return f"did you mean {meant!r}?"
    if not names:
        return f"define {what} {name!r} first"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"use one of: {shown}"
