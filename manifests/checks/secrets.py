"""A secret is a name in a manifest, never a value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manifests.draft import Draft
from manifests.problems import Problem
from manifests.source import Mapping, Place, Scalar, Sequence, Tree

_LOOKS_SECRET = re.compile(
    r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|glpat-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}"
    r"|\bBearer [A-Za-z0-9._~+/-]{16,}|(?:api[_-]?key|password|passwd|token|secret)=[^&\s${}]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}|://[^/\s:@]+:[^/\s:@$]{3,}@"
)
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|apikey|authorization|password|passwd|secret|token|private_?key)$", re.IGNORECASE
)


def secrets_are_names(draft: Draft) -> Iterator[Problem]:
    for source in draft.bundle.sources:
        yield from _below(source.root, source.place, "")
    for contract in draft.contracts.agents.values():
        if contract.prompt is not None:
            yield from _text(contract.prompt.text, contract.prompt.at, "")
    for scenario in draft.bundle.scenarios:
        yield from _below(scenario.at.source.root, scenario.at, "")


def _below(tree: Tree, at: Place, key: str) -> Iterator[Problem]:
    match tree:
        case Mapping(entries=entries) if entries.keys() == {"secret"}:
            return  # a name, as it should be
        case Mapping(entries=entries):
            for name, (_, value) in entries.items():
                yield from _below(value, at / name, name)
        case Sequence(items=items):
            for index, item in enumerate(items):
                yield from _below(item, at / index, key)
        case Scalar(value=str(text)) if text:
            yield from _text(text, at, key)


def _text(text: str, at: Place, key: str) -> Iterator[Problem]:
    found = _LOOKS_SECRET.search(text)
    if found:
        place = at.within(found.start(), found.end())
        yield Problem(
            "HL420", place, "this looks like a secret", "a name", "write `{secret: NAME}` and give it a new value"
        )
    elif _SECRET_KEY.search(key) and "with" in at.path and "${" not in text:
        message = f"{key!r} is written as a value"
        yield Problem("HL420", at, message, "a name", "write `{secret: NAME}`")


CHECKS = (secrets_are_names,)
