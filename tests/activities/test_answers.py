"""Answers of models: read as they stand, found, repaired, led into their schema, or refused; and never made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activities.answers.finding import PLACES, REPAIRABLE, candidates
from activities.answers.parsing import DEPTH, NotJson, TooDeep, closing, parsed
from activities.answers.reading import FEW, MOST, QUOTED, Read, Unreadable, ask_again, fitted, read

ANY: dict[str, Any] = {}
ITEM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer"},
        "price": {"type": "number"},
        "new": {"type": "boolean"},
        "kind": {"enum": ["Box", "crate", 7]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "of": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "in": {"$ref": "#/$defs/place"},
    },
    "$defs": {"place": {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}},
    "additionalProperties": False,
}
A = {"name": "a"}


def refusal(text: str, schema: dict[str, Any] = ITEM) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(text, schema)
    return caught.value


# --- as it stands


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"name": "a"}', A),
        (' \n[1, 2.5, true, null, "x"] ', [1, 2.5, True, None, "x"]),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"just text"', "just text"),
        ("-0", 0),
        ('"' + "[" * 1_000 + '"', "[" * 1_000),
        ('"\\ud83d\\ude00"', "😀"),
        ("[" * DEPTH + "]" * DEPTH, parsed("[" * DEPTH + "]" * DEPTH)),
    ],
)
def test_json_is_read_as_it_stands(text: str, value: Any) -> None:
    assert read(text, ANY) == Read(value, "strict")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e400", "[-1e400]", '["\\ud800"]', '["\ud800"]', "9" * 5_000])
def test_what_no_message_can_carry_is_refused(text: str) -> None:
    assert refusal(text, ANY).category == "json_syntax"


@pytest.mark.parametrize("text", [str(2**63), f"[{-(2**63) - 1}]", f'{{"a": "{2**63}"}}'])
def test_a_whole_number_beyond_64_bits_is_refused(text: str) -> None:
    schema = {"properties": {"a": {"type": "integer"}}}
    assert refusal(text, schema).category == "json_minor"


def test_whole_numbers_are_doubles_where_the_schema_says_number() -> None:
    assert isinstance(read('{"name": "a", "price": 2}', ITEM).value["price"], float)


# --- found


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "a"}\n```',
        'Sure!\n```\n{"name": "a"}\n```\nAnything else, such as {"name": "b"}?',
        '```python\nprint([{"name": "b"}])\n```\nSo: {"name": "a"}',
        'The answer is {"name": "a"}, as you asked.',
        'First {"name": "b"}, and at last {"name": "a"}.',
        'See [1] and {x}: {"name": "a"}',
        'I read it [twice {"name": "a"} and more].',
        '<think>{"name": "b"}?</think>{"name": "a"}',
        'Perhaps {"name": "b"}.\n</think>\n\n{"name": "a"}',
        '<thinking>["oops {</thinking>{"name": "a"}',
        '{"name": "a"} or so. {"other": 1}',
        '\ufeff{"name": "a"}',
        '{"name": "a"}{"size": ',
    ],
)
def test_json_is_found_in_what_stands_around_it(text: str) -> None:
    assert read(text, ITEM) == Read(A, "extracted")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"name": "```py\\nx = [1]\\n```"}\n```', {"name": "```py\nx = [1]\n```"}),
        ('Here: {"name": "</think>"}', {"name": "</think>"}),
    ],
)
def test_fences_and_tags_within_a_text_are_text(text: str, value: Any) -> None:
    assert read(text, ITEM) == Read(value, "extracted")


@pytest.mark.parametrize(("content", "value"), [("42", 42), ('"yes"', "yes"), ("null", None)])
def test_a_fence_may_hold_a_plain_value(content: str, value: Any) -> None:
    assert read(f"It is\n```json\n{content}\n```", ANY) == Read(value, "extracted")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "I cannot help with that.",
        "The answer is 42.",
        "It's {unclear} to me [see above].",
        '<think>{"name": "a"}',
        '<think>{"name": "a"}</think>Sorry.',
        '{"outer": oops, "name": {"name": "a"}}',
        '"outer": {"name": "a"}, "more": 1',
        '{"name": "a"}, "size": 1}',
        '[1, {"name": "a"}, 2]]',
    ],
)
def test_what_holds_no_whole_value_is_refused(text: str) -> None:
    assert refusal(text, ANY).category == "json_syntax"


# --- repaired


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ('{"a": [1, 2,],}', {"a": [1, 2]}, "trailing comma"),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}, "missing comma"),
        ('[{"a": 1} {"a": 2}]', [{"a": 1}, {"a": 2}], "missing comma"),
        ('["a"\n"b"]', ["a", "b"], "missing comma"),
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}, "single quotes"),
        ('{"a": True, "b": [None, False]}', {"a": True, "b": [None, False]}, "Python literal"),
        ('{a: 1, b_2: {"c": 3}}', {"a": 1, "b_2": {"c": 3}}, "bare key"),
        ('{"a": 1, // one\n"b": /* two */ 2, # three\n"c": 3}', {"a": 1, "b": 2, "c": 3}, "comment"),
        ('{"a":\u00a01}', {"a": 1}, "odd blank"),
        ('{"a": "one\ntwo\t"}', {"a": "one\ntwo\t"}, "control character"),
        ('{"a": "C:\\dir \\d+"}', {"a": "C:\\dir \\d+"}, "odd escape"),
        ('{\\"a\\": \\"b\\", \\"c\\": [1]}', {"a": "b", "c": [1]}, "escaped quotes"),
        ('{"a": {"b": [1, 2}}', {"a": {"b": [1, 2]}}, "closed a bracket"),
        ('{"a": [1, {"b": "c', {"a": [1, {"b": "c"}]}, "closed at the end"),
        ('{"a": 1, "b', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b"', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b": ', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b": 12', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b": -1.', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b": tru', {"a": 1}, "closed at the end"),
        ('{"a": 1, "b": true', {"a": 1, "b": True}, "closed at the end"),
        ('{"a": 1, "b": 12\n', {"a": 1, "b": 12}, "closed at the end"),
        ('{"a": "b\\', {"a": "b"}, "closed at the end"),
        ('{"a": "b\\u00', {"a": "b"}, "closed at the end"),
        ('{"a": "b\\\\', {"a": "b\\"}, "closed at the end"),
        ("[1, 2, ", [1, 2], "closed at the end"),
        ('```json\n{"a": "b", "c": [1\n```', {"a": "b", "c": [1]}, "closed at the end"),
    ],
)
def test_a_slip_is_repaired_and_named(text: str, value: Any, step: str) -> None:
    assert read(text, ANY) == Read(value, "repaired", (step,))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a"',
        '{"a": 12',
        '{"a": word}',
        "[one, two]",
        '{"a": "he said "no" to it"}',
        '{"a": 1 000}',
        '["a" "b"]',
        "[1,,2]",
        "[,1]",
        '{"a" 1}',
        '{"a": 01}',
        '{"a": +1}',
        '{"a": .5}',
        '{"a": NaN}',
        '{"a": 1e999,}',
        "{'a': '\\ud800'}",
        '{"a": 1, "b": 2 // c}',
        '{"a": 1, "b": 2 /* c}',
        '{"a": 1, "b: 2\n}',
        '{"a": 1]',
        '{"a": 1]}',
        "{{}}",
        '{1: "a"}',
        '{\\"a\\": "b"}',
    ],
)
def test_what_could_mean_two_things_is_not_repaired(text: str) -> None:
    assert refusal(text, ANY).category == "json_syntax"


def test_what_is_whole_comes_before_what_is_repaired() -> None:
    assert read('{"name": "a"} and {\'name\': "b"}', ITEM) == Read(A, "extracted")
    assert read('{"other": "a"} and {\'name\': "a"}', ITEM) == Read(A, "repaired", ("single quotes",))


# --- led into the schema


@pytest.mark.parametrize(
    ("given", "wanted", "step"),
    [
        ({"size": "12"}, {"size": 12}, "number from text"),
        ({"size": "-3"}, {"size": -3}, "number from text"),
        ({"price": "1.5"}, {"price": 1.5}, "number from text"),
        ({"price": "2e3"}, {"price": 2000.0}, "number from text"),
        ({"new": "true"}, {"new": True}, "boolean from text"),
        ({"new": "False"}, {"new": False}, "boolean from text"),
        ({"of": "5"}, {"of": 5}, "number from text"),
        ({"of": "null"}, {"of": None}, "null from text"),
        ({"name": 12}, {"name": "12"}, "number as text"),
        ({"tags": "x"}, {"tags": ["x"]}, "list of one"),
        ({"tags": '["x", "y"]'}, {"tags": ["x", "y"]}, "JSON from text"),
        ({"in": '{"x": 1}'}, {"in": {"x": 1}}, "JSON from text"),
        ({"in": [{"x": 1}]}, {"in": {"x": 1}}, "out of a list"),
        ({"in": {"place": {"x": 1}}}, {"in": {"x": 1}}, "out of an envelope"),
        ({"size": {"value": 3}}, {"size": 3}, "out of an envelope"),
        ({"kind": " box"}, {"kind": "Box"}, "option spelt otherwise"),
        ({"kind": "CRATE"}, {"kind": "crate"}, "option spelt otherwise"),
        ({"kind": "7"}, {"kind": 7}, "option spelt otherwise"),
        ({"more": 1}, {}, "property dropped"),
        ({"size": None}, {}, "null left out"),
    ],
)
def test_a_misfit_is_put_right_and_named(given: dict[str, Any], wanted: dict[str, Any], step: str) -> None:
    assert fitted({**A, **given}, ITEM) == Read({**A, **wanted}, "coerced", (step,))


@pytest.mark.parametrize("given", [[A], {"answer": A}, json.dumps(A), [{"item": A}]])
def test_the_whole_is_taken_out_of_what_is_around_it(given: Any) -> None:
    found = read(json.dumps(given), {**ITEM, "required": ["name"]})
    assert (found.value, found.rung) == (A, "coerced")


@pytest.mark.parametrize(
    "given",
    [
        {"size": "12 boxes"},
        {"size": " 12"},
        {"size": "012"},
        {"size": "1.5"},
        {"size": "9" * 19},
        {"size": True},
        {"size": [3, 4]},
        {"price": "cheap"},
        {"price": "1,5"},
        {"price": "NaN"},
        {"new": "yes"},
        {"new": 1},
        {"name": None},
        {"name": 1.5},
        {"name": ["a"]},
        {"tags": None, "size": "x"},
        {"tags": [1.5]},
        {"in": [{"x": 1}, {"x": 2}]},
        {"in": "x"},
        {"in": {}},
        {"kind": "barrel"},
        {"kind": ["Box"]},
        {"of": "five"},
        {"more": 1, "size": "x"},
    ],
)
def test_what_is_no_such_thing_is_not_put_right(given: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as caught:
        fitted({**A, **given}, ITEM)
    assert caught.value.category == "json_minor"


def test_two_options_that_differ_in_case_are_not_guessed_between() -> None:
    with pytest.raises(Unreadable):
        fitted("A", {"enum": ["a", "a "]})


def test_two_ways_into_a_schema_are_not_chosen_between() -> None:
    assert fitted("5", {"anyOf": [{"type": "integer"}, {"type": "object"}]}).value == 5
    assert fitted("5", {"oneOf": [{"type": "integer"}, {"type": "null"}]}).value == 5
    with pytest.raises(Unreadable):
        fitted("5", {"anyOf": [{"type": "integer"}, {"type": "boolean"}, {"enum": [5]}]})


def test_nothing_is_dropped_when_nothing_is_left() -> None:
    with pytest.raises(Unreadable):
        fitted({"more": 1}, {**ITEM, "required": []})


def test_defaults_of_absent_properties_are_filled_in() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 5}}}
    assert read("{}", schema) == Read({"n": 5}, "coerced", ("default",))
    assert read('{"n": null}', schema) == Read({"n": 5}, "coerced", ("null left out", "default"))


def test_repairs_and_coercions_are_told_in_order() -> None:
    found = read("So: {'name': 'a', 'size': '3',}", ITEM)
    assert found == Read({**A, "size": 3}, "coerced", ("single quotes", "trailing comma", "number from text"))


# --- refused


@pytest.mark.parametrize(
    ("text", "category", "at", "says", "offending"),
    [
        ('{"name": "a", "size": "big"}', "json_minor", "/size", '/size: "big" is not of type "integer"', '"big"'),
        ('{"size": 1}', "json_minor", "", 'the whole: "name" is a required property', '{"size": 1}'),
        ('{"name": "a", "in": {"x/y": 1}}', "json_minor", "/in", '/in: "x" is a required property', '{"x/y": 1}'),
        ('{"nothing": 1}', "json_major", "", '"name" is a required property', '{"nothing": 1}'),
        ("[1, 2]", "json_major", "", 'the whole: [1,2] is not of type "object"', "[1, 2]"),
        ('"prose"', "json_major", "", 'the whole: "prose" is not of type "object"', '"prose"'),
        ('{\n"name": oops}', "json_syntax", "", "a value is missing, at line 2, column 9", "oops"),
        ("No.", "json_syntax", "", "there is no JSON in it", "No."),
    ],
)
def test_a_refusal_says_what_is_wrong_and_where(text: str, category: str, at: str, says: str, offending: str) -> None:
    refused = refusal(text)
    assert (refused.category, refused.at) == (category, at)
    assert says in refused.message
    assert offending in refused.offending


def test_few_misfits_are_minor_and_many_are_major() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert refusal(json.dumps(["x"] * FEW), schema).category == "json_minor"
    assert refusal(json.dumps(["x"] * (FEW + 1)), schema).category == "json_major"


def test_what_is_quoted_is_short() -> None:
    refused = refusal(json.dumps({"name": "a", "size": "x" * 10_000}))
    assert len(refused.offending) <= QUOTED
    assert len(refused.message) <= 2 * QUOTED
    assert 'is not of type "integer"' in refused.message


def test_the_model_is_told_what_was_wrong_and_what_is_wanted() -> None:
    said = ask_again(refusal('{"name": "a", "size": "big"}'), ITEM)
    assert '/size: "big" is not of type "integer"' in said
    assert json.dumps(ITEM) in said


# --- limits


def test_a_text_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(Unreadable, match="at most 10 are read"):
        read("[" * 11, ANY, most=10)
    assert refusal("x" * (MOST + 1)).category == "json_major"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "So: " + "[" * 100_000, "{'a':" * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    refused = refusal(text, ANY)
    assert (refused.category, f"more than {DEPTH} deep" in refused.message) == ("json_major", True)


@pytest.mark.parametrize("opening", ["[", '{"a":', "{'a':", '[1, {"b": ['])
def test_reading_stops_where_it_gets_too_deep(opening: str) -> None:
    with pytest.raises(TooDeep) as caught:
        closing(opening * 100_000, 0)
    assert caught.value.at <= DEPTH * len(opening)
    with pytest.raises(TooDeep) as caught:
        candidates(opening * 100_000)
    assert caught.value.at <= DEPTH * len(opening)


def test_brackets_that_open_nothing_are_tried_so_often_and_no_more() -> None:
    with pytest.raises(NotJson) as caught:
        candidates("[x] " * (PLACES + 1_000))
    assert caught.value.at == 4 * PLACES


def test_what_is_tried_in_vain_is_bounded_by_the_length_of_the_text() -> None:
    text = ("[x" + "y" * 9_998) * 20
    with pytest.raises(NotJson, match="too many brackets") as caught:
        candidates(text)
    assert caught.value.at <= 10_000 * (4 * REPAIRABLE // len(text) + 4)


def test_a_large_text_is_not_repaired() -> None:
    text = json.dumps(["x" * REPAIRABLE])
    assert read(f"So: {text}", ANY).rung == "extracted"
    assert refusal(text[:-1], ANY).category == "json_syntax"
