"""A secret is a name in a manifest, never a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from manifests.draft import Draft
from manifests.problems import Problem
from manifests.source import Mapping, Place, Scalar, Sequence, Source, Step, Tree

_LOOKS_SECRET = re.compile(
    r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|glpat-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}"
    r"|\bBearer [A-Za-z0-9._~+/-]{16,}|(?:api[_-]?key|password|passwd|token|secret)=[^&\s${}]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}|://[^/\s:@]+:[^/\s:@$]{3,}@"
)
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|apikey|authorization|password|passwd|secret|token|private_?key)$", re.IGNORECASE
)


# Whoever takes so many out of one text looks through the rest of it, too.
_MOST = 10
# What is expected in place of a secret, and the way there.
_A_NAME = ("a name", "write `{secret: NAME}` and give it a new value")
_NOTHING = ("a text without secrets", "take it out, and give it a new value where it is used")


def secrets_are_names(draft: Draft) -> Iterator[Problem]:
    bundle = draft.bundle
    for source in [*bundle.sources, *(scenario.at.source for scenario in bundle.scenarios)]:
        for path, text in _texts(source.root, ()):
            yield from _text(text, Place(source, path))
    for source in bundle.attached.values():
        yield from _attached(source)


def _attached(source: Source) -> Iterator[Problem]:
    """A prompt or a schema is frozen into the plan as it stands: no name of a secret is looked up in it."""
    if isinstance(source.root, Scalar):
        yield from _patterns(str(source.root.value), source.place, *_NOTHING)
    for path, text in _texts(source.root, ()):
        yield from _patterns(text, Place(source, path), *_NOTHING)


def _texts(tree: Tree, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str]]:
    """The texts that might be secrets, with the way to them; `{secret: NAME}` is a name, as it should be."""
    below: Iterable[tuple[Step, Tree]] = ()
    if isinstance(tree, Sequence):
        below = enumerate(tree.items)
    elif isinstance(tree, Mapping) and not _is_reference(tree):
        below = ((name, value) for name, (_, value) in tree.entries.items())
    for step, each in below:
        if not isinstance(each, Scalar):
            yield from _texts(each, (*path, step))
        elif isinstance(each.value, str) and (_LOOKS_SECRET.search(each.value) or _is_secret_key((*path, step))):
            yield (*path, step), each.value


def _is_reference(tree: Mapping) -> bool:
    return tree.entries.keys() == {"secret"} and isinstance(tree.entries["secret"][1], Scalar)


def _is_secret_key(path: tuple[Step, ...]) -> bool:
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    return "with" in path and _SECRET_KEY.search(key) is not None


def _text(text: str, at: Place) -> Iterator[Problem]:
    found = list(_patterns(text, at, *_A_NAME))
    yield from found
    if found:
        return
    if _is_secret_key(at.path) and text and "${" not in text:
        key = next(step for step in reversed(at.path) if isinstance(step, str))
        yield Problem("HL420", at, f"{key!r} is written as a value", "a name", "write `{secret: NAME}`")


def _patterns(text: str, at: Place, expected: str, fix: str) -> Iterator[Problem]:
    for found in islice(_LOOKS_SECRET.finditer(text), _MOST):
        place = at.within(found.start(), found.end())
        yield Problem("HL420", place, "this looks like a secret", expected, fix)


CHECKS = (secrets_are_names,)
