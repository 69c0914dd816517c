"""What holds for every answer: what is valid stays as it is, and nothing comes out that did not go in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.answers.reading import Read, Unreadable, read

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "default": 3},
        "kind": {"enum": ["small box", "crate"]},
        "more": {"type": "array", "items": {"type": "object", "properties": {"note": {"default": "none"}}}},
    },
}
# What slips are made of.
PIECES = [
    *"{}[],:\"'\\#/ \n\tntu0159-.e",
    '\\"',
    "```",
    "```json\n",
    "//",
    "/*",
    "*/",
    "True",
    "null",
    "nul",
    "</think>",
]
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\(.)", re.DOTALL)

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(max_size=12) | st.sampled_from(
    ['it\'s "so"', "C:\\dir", "a\nb", "[1, {", "```", "</think>", "☃ 😀", "12"]
)
documents = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
goods = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "size": st.integers(0, 99) | st.integers(0, 99).map(str),
        "kind": st.sampled_from(["small box", "Crate", " crate"]),
        "more": st.lists(st.dictionaries(texts, scalars | texts, max_size=3), max_size=3),
    },
)
slips = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.sampled_from(["", *PIECES])), max_size=4)


def written(value: Any, style: int) -> str:
    return json.dumps(value, ensure_ascii=style % 2 == 0, indent=[None, 1, "\t"][style % 3])


def slipped(text: str, slips: list[tuple[int, int, str]], end: int) -> str:
    """The text with some of its characters gone and others come, and cut off."""
    for at, gone, come in slips:
        at = min(at, len(text))
        text = text[:at] + come + text[at + gone :]
    return text[: len(text) - end]


def told(value: Any) -> Iterator[str | float]:
    """Every text, name and number in a value."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            waiting += [*current, *current.values()]
        elif isinstance(current, list):
            waiting += current
        elif current is not None and not isinstance(current, bool):
            yield current


def unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        if found[1] is None:
            pairs = json.loads(f'"{found[0]}"')
            return str(pairs)
        return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(found[1]) or (
            found[1] if found[1] in "\"'\\/" else found[0]
        )

    return ESCAPE.sub(meant, text)


def made_up(value: Any, text: str, schema: dict[str, Any]) -> list[str | float]:
    once = unescaped(text)
    sources = (text, once, unescaped(once))
    written = {each for source in sources for each in NUMBER.findall(source)}
    numbers = {float(each) for each in written} | {int(each) for each in written if each.lstrip("-").isdigit()}
    known = set(told(schema))

    def is_there(each: str | float) -> bool:
        return each in known or (any(each in it for it in sources) if isinstance(each, str) else each in numbers)

    return [each for each in told(value) if not is_there(each)]


@given(documents, st.integers(0, 5))
def test_a_valid_document_is_never_changed(value: Any, style: int) -> None:
    found = read(written(value, style), {})
    assert (found.rung, found.steps) == ("strict", ())
    assert json.dumps(found.value) == json.dumps(value)


@given(documents.filter(lambda value: isinstance(value, dict | list)), st.integers(0, 5), st.integers(0, 2))
def test_a_valid_document_in_an_answer_is_never_changed(value: Any, style: int, around: int) -> None:
    before, after = [("```json\n", "\n```"), ("Here it is: ", " It says it all."), ("<think>[1]</think>", "")][around]
    found = read(before + written(value, style) + after, {"type": ["object", "array"]})
    assert (json.dumps(found.value), found.steps) == (json.dumps(value), ())


@given(documents, st.integers(0, 5), slips, st.integers(0, 60))
def test_nothing_is_made_up_from_a_broken_document(
    value: Any, style: int, slips: list[tuple[int, int, str]], end: int
) -> None:
    text = slipped(written(value, style), slips, end)
    try:
        found = read(text, {})
    except Unreadable:
        return
    assert made_up(found.value, text, {}) == []


@given(goods, st.integers(0, 5), slips, st.integers(0, 20))
def test_nothing_is_made_up_to_fit_a_schema(
    value: Any, style: int, slips: list[tuple[int, int, str]], end: int
) -> None:
    text = slipped(written(value, style), slips, end)
    try:
        found = read(text, SCHEMA)
    except Unreadable:
        return
    assert made_up(found.value, text, SCHEMA) == []


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text, SCHEMA)


# --- what others wrote


def test_what_the_json_test_suite_accepts_is_read_as_python_reads_it(shared_corpora: Path) -> None:
    files = sorted((shared_corpora / "json-test-suite" / "test_parsing").glob("y_*.json"))
    assert len(files) == 95
    for file in files:
        text = file.read_text(encoding="utf-8")
        found = read(text, {})
        assert (repr(found.value), found.rung) == (repr(json.loads(text)), "strict"), file.name


@pytest.mark.parametrize(("kind", "number"), [("n", 188), ("i", 35)])
def test_what_the_json_test_suite_does_not_accept_is_read_or_refused(
    shared_corpora: Path, kind: str, number: int
) -> None:
    files = sorted((shared_corpora / "json-test-suite" / "test_parsing").glob(f"{kind}_*.json"))
    assert len(files) == number
    for file in files:
        for errors in ("surrogateescape", "replace"):
            text = file.read_bytes().decode("utf-8", errors)
            try:
                found = read(text, {})
            except Unreadable:
                continue
            assert found.rung != "strict" or kind == "i", file.name
            assert made_up(found.value, text, {}) == [], file.name


def test_naughty_strings_are_refused_as_answers_and_kept_as_texts(shared_corpora: Path) -> None:
    strings = json.loads((shared_corpora / "payloads" / "naughty-strings.json").read_text(encoding="utf-8"))
    assert len(strings) > 400
    for each in strings:
        with pytest.raises(Unreadable):
            read(each, SCHEMA)
        answer = {"name": each, "size": 1}
        assert read(json.dumps(answer), SCHEMA) == Read(answer, "strict")
