"""Evaluates expressions and fills in templates at run time: the same values in, the same JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from manifests.expressions import engine
from manifests.expressions.loops import Looping, may_loop
from manifests.expressions.programs import ExpressionFailed, Program, compiled, followed, value
from manifests.expressions.syntax import plain_path
from manifests.expressions.templates import Embedded, Part, is_whole, parts

__all__ = ["Evaluator", "ExpressionFailed", "Judge", "as_text"]

Judge: TypeAlias = Callable[[str, Mapping[str, Any]], None]


class Evaluator:
    """Compiles each text once; holds nothing else, so one serves a whole worker."""

    def __init__(self) -> None:
        self._programs: dict[str, Program | Looping | tuple[str, ...]] = {}

    def evaluate(self, text: str, scope: Mapping[str, Any]) -> Any:
        """The expression's value as plain JSON; raises `ExpressionFailed`."""
        program = self._programs.get(text)
        if program is None:
            program = self._programs[text] = _way(text) or _program(text)
        if isinstance(program, tuple):
            return followed(text, program, scope)
        return value(program, scope) if isinstance(program, Program) else program.value(scope)

    def render(self, template: Any, scope: Mapping[str, Any]) -> Any:
        """A value with every `${ … }` filled in; a string that is one expression takes that expression's value."""
        if isinstance(template, str):
            return self.filled(template, scope) if "${" in template else template
        if isinstance(template, Mapping):
            return {key: self.render(below, scope) for key, below in template.items()}
        if isinstance(template, list):
            return [self.render(below, scope) for below in template]
        return template

    def filled(self, template: str, scope: Mapping[str, Any], judge: Judge | None = None) -> Any:
        """A text with its expressions in place; `judge` may refuse an expression that is more than a way to a value."""
        found = parts(template)
        if is_whole(found):
            return self._part(found[0], scope, judge if _way(found[0].text) is None else None)
        return "".join(as_text(self._part(part, scope, judge)) for part in found)

    def _part(self, part: Part, scope: Mapping[str, Any], judge: Judge | None) -> Any:
        if not isinstance(part, Embedded):
            return part.text
        if judge is not None:
            judge(part.text, scope)
        return self.evaluate(part.text, scope)


@lru_cache(maxsize=8192)
def _way(text: str) -> tuple[str, ...] | None:
    """The names of `a.b.c`, and None for every other expression."""
    return plain_path(text.strip())


def _program(text: str) -> Program | Looping:
    return Looping(text) if may_loop(text) else compiled(text, text, engine.LONGEST)


def as_text(value: Any) -> str:
    """A value inside a longer text: strings as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
