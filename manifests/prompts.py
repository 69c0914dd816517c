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
    """A prompt's text, its variables, and how many words it has in any case.

    It cannot do without those it `needs` and takes all that it `knows`; it `mentions` these and names of its own.
    """

    text: str
    at: Place
    needs: frozenset[str]
    knows: frozenset[str]
    mentions: frozenset[str]
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
    """The prompt, or a problem at the tag where Jinja2 stumbles."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return Prompt(text, at, frozenset(), frozenset(), frozenset(), len(text.split()))
    from jinja2 import TemplateSyntaxError, meta, nodes

    try:
        tree = environment().parse(text)
        _refuse_unknown(tree)
        environment().compile(tree)
    except TemplateSyntaxError as error:
        from manifests.prompt_mistakes import explained

        found = explained(error, text, environment())
        message = f"the prompt is not Jinja2: {found.message}"
        problems.append(Problem("HL330", at.within(found.start, found.end), message, found.expected, found.fix))
        return None
    if any(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        problems += _loads(text, at)
    knows = frozenset(meta.find_undeclared_variables(environment().parse(text)))
    mentions = frozenset(name.name for name in tree.find_all(nodes.Name))
    return Prompt(text, at, knows - _optional(tree), knows, mentions | knows, _least_words(tree))


def _refuse_unknown(tree: nodes.Template) -> None:
    """Inside of conditions Jinja2 itself would find out only when it renders."""
    from jinja2 import TemplateSyntaxError, nodes

    for node in tree.find_all((nodes.Filter, nodes.Test)):
        what, known = (
            ("filter", environment().filters) if isinstance(node, nodes.Filter) else ("test", environment().tests)
        )
        if node.name not in known:
            raise TemplateSyntaxError(f"No {what} named {node.name!r}.", node.lineno)


def _loads(text: str, at: Place) -> list[Problem]:
    from manifests.prompt_mistakes import tags_that_load

    places = [at.within(*where) for where in tags_that_load(text)] or [at]
    message, fix = "a prompt cannot load other files", "copy the other text into this one"
    return [Problem("HL331", place, message, "one text", fix) for place in places]


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
