"""Prompts: Jinja2 texts, read for the variables that they want."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from manifests.problems import Problem
from manifests.source import Place

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment


@dataclass(frozen=True)
class Prompt:
    """A prompt's text, the variables it cannot do without, all it knows, and how many words it has in any case."""

    text: str
    at: Place
    needs: frozenset[str]
    knows: frozenset[str]
    least_words: int

    def place_of(self, variable: str) -> Place:
        found = re.search(rf"{{[{{%][^}}]*?\b({re.escape(variable)})\b", self.text)
        return self.at.within(found.start(1), found.end(1)) if found else self.at


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    """The one way prompts are read and rendered; an undefined variable is an error, not an empty string."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


def read(text: str, at: Place, problems: list[Problem]) -> Prompt | None:
    """The prompt, or a problem in the line where Jinja2 stumbles."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return Prompt(text, at, frozenset(), frozenset(), len(text.split()))
    from jinja2 import TemplateSyntaxError, meta, nodes

    try:
        tree = environment().parse(text)
        environment().compile(tree)
    except TemplateSyntaxError as error:
        where = _line(text, at, error.lineno)
        message = f"the prompt is not Jinja2: {error.message}"
        problems.append(Problem("HL330", where, message, "a Jinja2 template", "correct the template"))
        return None
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        where = _line(text, at, node.lineno)
        message = "a prompt cannot load other files"
        problems.append(Problem("HL331", where, message, "one text", "copy the other text into this one"))
    knows = frozenset(meta.find_undeclared_variables(environment().parse(text)))
    return Prompt(text, at, knows - _optional(tree), knows, _least_words(tree))


def _optional(tree: nodes.Template) -> frozenset[str]:
    """Variables that the prompt tests with `is defined` or gives a default."""
    from jinja2 import nodes

    asked = [test.node for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined")]
    given = [kept.node for kept in tree.find_all(nodes.Filter) if kept.name in ("default", "d")]
    return frozenset(node.name for node in [*asked, *given] if isinstance(node, nodes.Name))


def _least_words(tree: nodes.Template) -> int:
    """Words that stand outside of every condition and loop."""
    from jinja2 import nodes

    outputs = [node for node in tree.body if isinstance(node, nodes.Output)]
    texts = [part.data for node in outputs for part in node.nodes if isinstance(part, nodes.TemplateData)]
    return sum(len(text.split()) for text in texts)


def _line(text: str, at: Place, line: int) -> Place:
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    length = len(text.split("\n")[min(line, text.count("\n") + 1) - 1])
    return at.within(start, start + max(length, 1))
