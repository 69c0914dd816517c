"""What files may hold, what their values mean, and what is refused where."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.problems import Problem
from manifests.reading import (
    MAX_BYTES,
    MAX_NODES,
    Unreadable,
    parse_json,
    parse_yaml,
    read_json,
    read_text,
    read_yaml,
)
from manifests.source import Mapping, Scalar, Source


def refusal(read: Callable[[], Source]) -> Problem:
    with pytest.raises(Unreadable) as refused:
        read()
    return refused.value.problem


def yaml_refusal(text: str) -> Problem:
    return refusal(lambda: parse_yaml(text, "a.yaml"))


def json_refusal(text: str) -> Problem:
    return refusal(lambda: parse_json(text, "a.json"))


def at(problem: Problem) -> tuple[int, int, int, int]:
    span = problem.span
    return span.line, span.column, span.end_line, span.end_column


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"),
        ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"),
        ("false", False), ("False", False), ("FALSE", False),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None), ("nil", "nil"),
        ("0", 0), ("17", 17), ("017", 17), ("-3", -3), ("+12", 12), ("0o17", 15), ("0x1F", 31), ("0b11", "0b11"),
        ("1_000", "1_000"), ("08", 8), ("-0x1F", "-0x1F"), ("٣", "٣"),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("0" * 40 + "1", 1),
        ("12:30:45", "12:30:45"), ("2001-12-14", "2001-12-14"), ("2001-12-14t21:59:43.10-05:00",) * 2,
        ("1e3", 1000.0), ("1E-2", 0.01), (".5", 0.5), ("-.5", -0.5), ("1.", 1.0), ("0.50", 0.5), ("1.5e+3", 1500.0),
        ("1e", "1e"), (".", "."), ("-", None), ("+", "+"), ("1.2.3", "1.2.3"), ("0x", "0x"), ("..inf", "..inf"),
        ('"1"', "1"), ("'true'", "true"), ('""', ""), ("! 12", "12"), ("!  null", "null"), ("<<", "<<"), ("=", "="),
        ("${a.b}", "${a.b}"), ("${a[0] > 1}", "${a[0] > 1}"), ("a -> b", "a -> b"), ("http://x:1/y", "http://x:1/y"),
    ],
)  # fmt: skip
def test_a_scalar_means_what_yaml_1_2_says(written: str, value: object) -> None:
    data = parse_yaml(f"k: {written}" if written != "-" else "k:", "a.yaml").data
    assert data == {"k": value}
    assert type(data["k"]) is type(value)


def test_a_number_keeps_its_spelling() -> None:
    root = parse_yaml("price: 0.50", "a.yaml").root
    assert isinstance(root, Mapping)
    value = root.entries["price"][1]
    assert isinstance(value, Scalar)
    assert (value.value, value.text) == (0.5, "0.50")


def test_keys_are_their_text() -> None:
    assert parse_yaml("1: a\ntrue: b\nnull: c\n'<<': d\n1.50: e\n99999999999999999999: f", "a.yaml").data == {
        "1": "a", "true": "b", "null": "c", "<<": "d", "1.50": "e", "99999999999999999999": "f",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None), ("# nothing\n", None), ("---\n", None), ("--- a\n...\n", "a"), ("\ufeffa: 1", {"a": 1}),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": 1, "b": "x\ny\n"}), ("%YAML 1.2\n---\na", "a"),
        ("- a\n-\n- [b, {c: d}]", ["a", None, ["b", {"c": "d"}]]), ("? a\n? b", {"a": None, "b": None}),
    ],
)  # fmt: skip
def test_a_file_is_one_document(text: str, data: object) -> None:
    assert parse_yaml(text, "a.yaml").data == data


def test_a_last_line_means_the_same_without_its_line_feed() -> None:
    assert parse_yaml("a: |\n  x", "a.yaml").data == parse_yaml("a: |\n  x\n", "a.yaml").data == {"a": "x\n"}


def test_a_few_aliases_are_written_out() -> None:
    source = parse_yaml("retry: &r {attempts: 3}\na: *r\nb: [*r, *r]\n&k key: *k", "a.yaml")
    retry = {"attempts": 3}
    assert source.data == {"retry": retry, "a": retry, "b": [retry, retry], "key": "key"}
    assert (source.place / "b" / 1 / "attempts").span.line == 1


NESTED = "a: &a [1]\nb: &b [*a]\nc: *b"


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "HL004", (3, 1, 3, 2), "'a' stands twice, first at line 1, column 1"),
        ('1: a\n"1": b', "HL004", (2, 1, 2, 4), "'1' stands twice"),
        ("{a: 1, a: 2}", "HL004", (1, 8, 1, 9), "'a' stands twice"),
        ("a: !!str 1", "HL005", (1, 4, 1, 9), "'!!str'"),
        ("a: &x !Foo [1]", "HL005", (1, 7, 1, 11), "'!Foo'"),
        ("- !<tag:yaml.org,2002:str> x", "HL005", (1, 3, 1, 27), "2002:str>'"),
        ("%TAG ! tag:x,2000:\n---\na", "HL005", (1, 1, 1, 5), "tags"),
        ("a: *x", "HL006", (1, 4, 1, 6), "no value with the anchor '&x'"),
        ("a: &x [*x]", "HL006", (1, 8, 1, 10), "no value with the anchor '&x'"),
        ("- &x 1\n- &x [*x]", "HL006", (2, 7, 2, 9), "no value with the anchor '&x'"),
        (NESTED, "HL006", (3, 4, 3, 6), "'&b' holds an alias itself"),
        ("- &a 1\n" + "- *a\n" * 33, "HL006", (34, 3, 34, 5), "more than 32 aliases"),
        ("a: &x:y b", "HL006", (1, 4, 1, 7), "letters, digits"),
        ("a: 1\n--- \nb: 2", "HL008", (2, 1, 2, 4), "second document"),
        ("a: .inf", "HL009", (1, 4, 1, 8), ".inf"),
        ("- -.INF", "HL009", (1, 3, 1, 8), "-.INF"),
        ("- .nan", "HL009", (1, 3, 1, 7), ".nan"),
        ("- 1e400", "HL009", (1, 3, 1, 8), "1e400"),
        ("- 9223372036854775808", "HL009", (1, 3, 1, 22), "64 bits"),
        ("- 0xFFFFFFFFFFFFFFFFF", "HL009", (1, 3, 1, 22), "64 bits"),
        ("? [a]\n: b", "HL010", (1, 3, 1, 4), "a key is a name"),
        ("? a: b\n: c", "HL010", (1, 3, 1, 3), "a key is a name"),
        ("- &a [b]\n- *a : c", "HL010", (2, 3, 2, 5), "a key is a name"),
        ("a: {{ b }}", "HL010", (1, 5, 1, 6), "a key is a name"),
        ("a: \0", "HL002", (1, 4, 1, 5), "U+0000"),
        ("a: é\x1b[1m", "HL002", (1, 5, 1, 6), "U+001B"),
        ("a: x\u2028y", "HL002", (1, 5, 1, 6), "U+2028"),
        ("a: 1\rb: 2", "HL002", (1, 5, 1, 6), "U+000D"),
        ("a: \ud800", "HL002", (1, 4, 1, 5), "U+D800"),
        ("a: b\ufeff", "HL002", (1, 5, 1, 6), "U+FEFF"),
    ],
)
def test_what_is_refused(text: str, code: str, place: tuple[int, int, int, int], words: str) -> None:
    problem = yaml_refusal(text)
    assert (problem.code, at(problem)) == (code, place)
    assert words in problem.message
    assert problem.expected
    assert problem.fix


@pytest.mark.parametrize(
    ("text", "place", "message", "fix"),
    [
        ("a:\n\tb: 1", (2, 1, 2, 2), "a tab stands", "indent with spaces"),
        ("a: x\n\tb: 1", (2, 1, 2, 2), "a tab stands", "indent with spaces"),
        ("a: |\n\tb", (2, 1, 2, 2), "a tab stands", "indent with spaces"),
        ("a: 'x\nb: 1\n", (1, 4, 1, 5), "never closed", "close it"),
        ("a: it's\nb: \"x", (2, 4, 2, 5), "never closed", "close it"),
        ("a: 'x\n---\nb", (1, 4, 1, 5), "not closed before the next document", "close it"),
        ("a: [1, 2\nb: 3\n", (1, 4, 1, 5), "'[' is not closed", "add the ']'"),
        ("a: {x: 1\n", (1, 4, 1, 5), "'{' is not closed", "add the '}'"),
        ("a: [1 {2}]", (1, 7, 1, 8), "a ',' or ']' is missing here, in the '[' of line 1, column 4", "commas"),
        ("a: b: c", (1, 5, 1, 6), "': ' stands where no key can be", "quote the value"),
        ("a: 1\n  b: 2", (2, 4, 2, 5), "': ' stands where no key can be", "indent"),
        ("a: - b", (1, 4, 1, 5), "a list item cannot start here", "line of its own"),
        ("a: 1\nb\nc: 2", (2, 1, 2, 2), "no ':' after its key", "add the ':'"),
        ("a: @x", (1, 4, 1, 5), "cannot start with '@'", "quote the value"),
        ("a: %x", (1, 4, 1, 5), "cannot start with '%'", "quote the value"),
        ("a: `x`", (1, 4, 1, 5), "cannot start with '`'", "quote the value"),
        ('a: "\\q"', (1, 5, 1, 6), "do not know this escape", "single quotes"),
        ('a: "\\x4"', (1, 7, 1, 8), "lacks digits", "complete it"),
        ('a: "\\ud83d\\ude00"', (1, 7, 1, 8), "half of a surrogate pair", "write the character itself"),
        ('a: "x" y', (1, 8, 1, 9), "the value ends before this", "quote the whole value"),
        ("a:\n  b: 1\n c: 2", (3, 2, 3, 3), "mapping that starts at line 1, column 1", "same column"),
        ("- a\nb: 1", (2, 1, 2, 2), "neither an item of the list", "same column"),
        (": a\n: b", (1, 1, 1, 2), "no key before", "write the key"),
        ("a: ]", (1, 4, 1, 5), "no value here", "quote it"),
        ("a: |x\n  b", (1, 5, 1, 6), "only a comment", "next line"),
        ("a: *", (1, 5, 1, 5), "no name follows", "quote the value"),
        ("{x: ${a.b}}", (1, 6, 1, 7), "cannot stand here without quotes", "quote values with ${…} inside { }"),
        ("- [a, ${b}]", (1, 8, 1, 9), "cannot stand here without quotes", "quote values with ${…} inside [ ]"),
        ("a: ${b ? c : d}", (1, 12, 1, 13), "cannot stand here without quotes", "quote values with ${…}"),
        ("{?a: 1}", (1, 3, 1, 4), "cannot start with '?'", "quote the key"),
        ("%YAML 1.3\n---\na", (1, 1, 1, 2), "version of YAML", "remove"),
        ("%FOO\n---\na", (1, 5, 1, 5), "directive", "quote"),
        ("a: !x!y z", (1, 4, 1, 5), "tags are not part", "remove the tag"),
        ("a\n...\nb", (3, 1, 3, 2), "end before this line", "same column"),
    ],
)
def test_a_syntax_error_says_what_to_do(text: str, place: tuple[int, int, int, int], message: str, fix: str) -> None:
    problem = yaml_refusal(text)
    assert (problem.code, at(problem)) == ("HL003", place)
    assert message in problem.message
    assert fix in problem.fix
    assert problem.expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 20_000, "HL007"),
        ("- " * 20_000, "HL007"),
        ("{a: " * 20_000, "HL007"),
        ("".join(" " * depth + "a:\n" for depth in range(200)), "HL007"),
        ("? " * 20_000, "HL010"),
        ("".join(f"k{number}: 1\n" for number in range(1_000_000)), "HL007"),
        ("a: [" + "1," * MAX_NODES + "]", "HL007"),
        ("a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in pairwise("abcdefgh")), "HL006"),
        ("a: &a [" + "x," * 20_000 + "]\n" + "".join(f"b{number}: *a\n" for number in range(20)), "HL007"),
        ("a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 10 + "*a" + "]" * 10, "HL007"),
        ("---\n" * 1_000_000, "HL008"),
        ("%TAG !a! b\n" * 300_000, "HL005"),
    ],
    ids=[
        "deep flow lists", "deep block lists", "deep flow mappings", "deep block mappings", "deep keys", "many keys",
        "many items", "alias bomb", "large aliases", "deep aliases", "many documents", "many directives",
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str, code: str) -> None:
    assert yaml_refusal(text).code == code


def test_depth_is_bounded_by_64() -> None:
    assert parse_yaml("[" * 64 + "]" * 64, "a.yaml").data
    assert at(yaml_refusal("[" * 65 + "]" * 65)) == (1, 65, 1, 66)


def test_many_small_properties_take_linear_time() -> None:
    assert len(parse_yaml("- ! x\n- &a y\n" * 90_000, "a.yaml").data) == 180_000


@given(st.text())
def test_any_text_is_read_or_refused_inside_the_file(text: str) -> None:
    for parse in (parse_yaml, parse_json):
        try:
            parse(text, "a")
        except Unreadable as refused:
            assert_inside(refused.problem, text)


def assert_inside(problem: Problem, text: str) -> None:
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    span = problem.span
    assert 1 <= span.line <= len(lines)
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1
    assert (span.line, span.column) <= (span.end_line, span.end_column)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert repr(parse_json(text, "a.json").data) == repr(value)


def test_json_values_have_places() -> None:
    source = parse_json('{\n  "é": [1, {"b": "\\ud83d\\ude00xy"}]\n}', "a.json")
    assert source.data == {"é": [1, {"b": "😀xy"}]}
    span = (source.place / "é" / 1 / "b").within(1, 2).span
    assert (span.line, span.column, span.end_column) == (2, 31, 32)
    assert (source.place / "é").key.span.column == 3
    whole = source.place.span
    assert (whole.line, whole.column, whole.end_line, whole.end_column) == (1, 1, 3, 2)


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "fix"),
    [
        ('{"a": 1,\n "a": 2}', "HL004", (2, 2, 2, 5), "first at line 1, column 2", "rename"),
        ("[NaN]", "HL009", (1, 2, 1, 5), "NaN", "quote it"),
        ("[-Infinity]", "HL009", (1, 2, 1, 11), "-Infinity", "quote it"),
        ("[1e999]", "HL009", (1, 2, 1, 7), "1e999", "quote it"),
        ("[9223372036854775808]", "HL009", (1, 2, 1, 21), "64 bits", "quote it"),
        (r'["\ud800"]', "HL002", (1, 2, 1, 10), "half of a surrogate pair", "both halves"),
        ("[" * 65, "HL007", (1, 65, 1, 66), "64 deep", "flatten"),
        ("[" + "1," * MAX_NODES, "HL007", (1, 400_000, 1, 400_001), "200,000", "split"),
        ("", "HL011", (1, 1, 1, 1), "too early", "complete"),
        ('{"a": ', "HL011", (1, 7, 1, 7), "too early", "complete"),
        ("[1,]", "HL011", (1, 4, 1, 5), "not ']'", "remove the comma"),
        ('{"a": 1,}', "HL011", (1, 9, 1, 10), "a key should stand here", "remove the comma"),
        ("{a: 1}", "HL011", (1, 2, 1, 3), "'a' cannot start", "quote"),
        ("{'a': 1}", "HL011", (1, 2, 1, 3), "cannot start", "double quotes"),
        ("[1] // x", "HL011", (1, 5, 1, 6), "cannot start", "remove the comment"),
        ('{"a" 1}', "HL011", (1, 6, 1, 7), "':' is missing", "add"),
        ("[1 2]", "HL011", (1, 4, 1, 5), "',' or ']' is missing", "add"),
        ("[012]", "HL011", (1, 3, 1, 5), "',' or ']' is missing", "add"),
        ("1 2", "HL011", (1, 3, 1, 4), "follows", "remove"),
        (r'["\q"]', "HL011", (1, 3, 1, 4), "does not know this escape", r"write \\"),
        ('["a\tb"]', "HL011", (1, 4, 1, 5), "a tab may not", r"write \t"),
        ('["a', "HL011", (1, 2, 1, 3), "not closed", "close it"),
        ('["a\nb"]', "HL011", (1, 2, 1, 3), "not closed", "close it"),
    ],
)
def test_what_json_refuses(text: str, code: str, place: tuple[int, int, int, int], message: str, fix: str) -> None:
    problem = json_refusal(text)
    assert (problem.code, at(problem)) == (code, place)
    assert message in problem.message
    assert fix in problem.fix


# What the grammar allows and we refuse on purpose.
TWINS = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


def test_the_json_corpus_is_read_as_it_should_be(shared_corpora: Path) -> None:
    files = sorted((shared_corpora / "json-test-suite" / "test_parsing").glob("*.json"))
    assert len(files) == 318
    for file in files:
        verdict = json_verdict(file)
        if file.name.startswith("y_"):
            assert verdict == ("HL004" if file.name in TWINS else "read"), file.name
        elif file.name.startswith("n_"):
            assert verdict != "read", file.name


def json_verdict(file: Path) -> str:
    try:
        data = read_json(file, file.name).data
    except Unreadable as refused:
        return refused.problem.code
    assert repr(data) == repr(json.loads(file.read_bytes().decode("utf-8-sig")))
    return "read"


Read = Callable[[Path, str], Source]


@pytest.mark.parametrize("read", [read_yaml, read_json, read_text])
class TestFiles:
    def test_a_byte_order_mark_is_ignored(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b'\xef\xbb\xbf"a"')
        assert read(tmp_path / "f", "f").data in ("a", '"a"')

    def test_a_missing_file_is_named(self, read: Read, tmp_path: Path) -> None:
        problem = refusal(lambda: read(tmp_path / "f", "prompts/f"))
        assert (problem.code, problem.message) == ("HL001", "there is no file prompts/f")

    @pytest.mark.parametrize("name", ["\0", "x" * 300, "."])
    def test_an_unreadable_name_is_refused(self, read: Read, tmp_path: Path, name: str) -> None:
        assert refusal(lambda: read(tmp_path / name, "f")).code == "HL001"

    def test_a_pipe_is_not_waited_for(self, read: Read, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "f")
        assert refusal(lambda: read(tmp_path / "f", "f")).code == "HL001"

    def test_a_bad_byte_has_a_place(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes("a: é\nb: é".encode() + b"\xff\n")
        problem = refusal(lambda: read(tmp_path / "f", "f"))
        assert (problem.code, at(problem)) == ("HL002", (2, 5, 2, 5))
        assert problem.message == "byte 0xff at offset 11 is not UTF-8"

    @pytest.mark.parametrize("text", ["a\0", "a\x1b", "a\rb"])
    def test_control_characters_are_refused(self, read: Read, tmp_path: Path, text: str) -> None:
        (tmp_path / "f").write_bytes(text.encode())
        problem = refusal(lambda: read(tmp_path / "f", "f"))
        assert (problem.code, at(problem)[:2]) == ("HL002", (1, 2))

    def test_a_large_file_is_not_read(self, read: Read, tmp_path: Path) -> None:
        with (tmp_path / "f").open("wb") as file:
            file.truncate(50_000_000)
        assert refusal(lambda: read(tmp_path / "f", "f")).code == "HL007"

    def test_the_limit_itself_is_allowed(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b'"' + b"x" * (MAX_BYTES - 2) + b'"')
        assert len(read(tmp_path / "f", "f").data) >= MAX_BYTES - 2


def test_a_prompt_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_bytes("Hello {{ name }}\r\n\r\n  é {{ age }}\u2028".encode())
    source = read_text(tmp_path / "p.md", "prompts/p.md")
    assert source.data == source.text == "Hello {{ name }}\n\n  é {{ age }}\u2028"
    start = source.text.index("age")
    span = source.place.within(start, start + 3).span
    assert (span.file, span.line, span.column, span.end_column) == ("prompts/p.md", 3, 8, 11)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_survives_yaml(value: float) -> None:
    data = parse_yaml(f"k: {value!r}", "a.yaml").data["k"]
    assert data == value
    assert math.copysign(1, data) == math.copysign(1, value)
