"""Expressions and templates over what a run knows; a value that is kept outside can be passed on, not looked into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.contracts import BLOB
from manifests.expressions.evaluation import Evaluator, ExpressionFailed
from manifests.expressions.syntax import parse
from manifests.expressions.tree import Node, Step, children, path_of
from workflows.failures import Failed


class Values:
    """`holds_blobs` is set with the first value that is kept outside: until then nobody looks for them."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.holds_blobs = False

    def evaluate(self, text: str, scope: Mapping[str, Any]) -> Any:
        """The value of an expression; raises `Failed`."""
        try:
            if self.holds_blobs:
                _refuse_blobs(text, scope)
            return self._evaluator.evaluate(text, scope)
        except ExpressionFailed as error:
            raise self._explained(error, scope) from None

    def render(self, template: Any, scope: Mapping[str, Any]) -> Any:
        """A value with every `${ … }` filled in; raises `Failed`."""
        if isinstance(template, str):
            if "${" not in template:
                return template
            try:
                return self._evaluator.filled(template, scope, _refuse_blobs if self.holds_blobs else None)
            except ExpressionFailed as error:
                raise self._explained(error, scope) from None
        if isinstance(template, dict):
            return {key: self.render(below, scope) for key, below in template.items()}
        if isinstance(template, list):
            return [self.render(below, scope) for below in template]
        return template

    def _explained(self, error: ExpressionFailed, scope: Mapping[str, Any]) -> Failed:
        """A field that is not there may be one that is kept outside."""
        try:
            if self.holds_blobs:
                _refuse_blobs(error.text, scope)
        except ExpressionFailed as better:
            error = better
        return Failed("input", str(error))


def _refuse_blobs(text: str, scope: Mapping[str, Any]) -> None:
    """An expression that computes with a value which is kept outside would compute with its stand-in."""
    for path in _paths(parse(text).root):
        if path[0] not in scope:
            continue
        found = _held(scope[str(path[0])], path[1:])
        if found is not None:
            spelt = ".".join(str(step) for step in path)
            size = found.get("size", 0)
            raise ExpressionFailed(
                text, f"{spelt} has {size:,} bytes and is kept outside of the run: pass it on whole, as ${{{spelt}}}"
            )


def _paths(node: Node) -> list[tuple[Step, ...]]:
    path = path_of(node)
    return [path] if path is not None else [each for child in children(node) for each in _paths(child)]


def _held(value: Any, path: tuple[Step, ...]) -> dict[str, Any] | None:
    """The mark of what is kept outside, where a path ends in it; a field beside a mark is here."""
    for step in path:
        if isinstance(value, dict) and BLOB in value and step not in value:
            return dict(value[BLOB])
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return dict(value[BLOB]) if isinstance(value, dict) and BLOB in value else None


def has_blob(value: Any) -> bool:
    """Whether a mark stands anywhere in a value."""
    if isinstance(value, dict):
        return BLOB in value or any(map(has_blob, value.values()))
    return isinstance(value, list) and any(map(has_blob, value))


def is_held(output: dict[str, Any]) -> bool:
    """The same for an output as activities give it: the mark is at its top, or at the top of one of its fields."""
    return BLOB in output or any(isinstance(value, dict) and BLOB in value for value in output.values())
