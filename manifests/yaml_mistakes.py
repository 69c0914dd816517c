"""What libyaml's complaints mean to an author, and the way out of each."""

from __future__ import annotations

from typing import NamedTuple

from yaml.error import MarkedYAMLError

from manifests.problems import Problem
from manifests.text import position, span


class _Mistake(NamedTuple):
    complaint: str
    message: str
    expected: str
    fix: str
    at_context: bool = False


_INDENTATION = "indent the keys of one mapping, and the '-' of one list, to the same column"

# fmt: off
# Looked up by a part of libyaml's message, first match wins; PyYAML's own parser words a few of them differently.
_MISTAKES = (
    _Mistake(
        "mapping values are not allowed",
        "a ': ' stands where no key can be", "one 'key: value' on a line",
        "quote the value if the ': ' belongs to it; otherwise indent this line like its neighbours",
    ),
    _Mistake(
        "block sequence entries are not allowed",
        "a list item cannot start here", "'- ' at the beginning of a line",
        "put the '- ' on a line of its own, indented; or quote the value if it starts with '-'",
    ),
    _Mistake(
        "mapping keys are not allowed",
        "a '? ' stands where no key can be", "a plain name before the ':'", "quote the value if it starts with '?'",
    ),
    _Mistake(
        "found unexpected ':'",
        "a ':' stands right before a bracket or a comma", "'key: value'",
        "put a blank after the ':', or quote the text",
    ),
    _Mistake(
        "could not find expected ':'",
        "this line has no ':' after its key", "'key: value'",
        "add the ':', or indent the line so that it goes on with the value above it", at_context=True,
    ),
    _Mistake(
        "found unexpected end of stream",
        "this quote is never closed", "a closing quote",
        "close it; inside single quotes write '' for a quote", at_context=True,
    ),
    _Mistake(
        "found unexpected document indicator",
        "this quote is not closed before the next document", "a closing quote",
        "close it, or indent the '---' that belongs to the text", at_context=True,
    ),
    _Mistake(
        "found unknown escape character",
        "double quotes do not know this escape", 'one of \\n \\t \\" \\\\ \\x41 \\u0041',
        "write \\\\ for a backslash, or use single quotes, where it needs no escape",
    ),
    _Mistake(
        "hexdecimal number",
        "this escape lacks digits", "\\x with 2, \\u with 4 or \\U with 8 hexadecimal digits",
        "complete it, or write \\\\ for a backslash",
    ),
    _Mistake(
        "expected escape sequence of",
        "this escape lacks digits", "\\x with 2, \\u with 4 or \\U with 8 hexadecimal digits",
        "complete it, or write \\\\ for a backslash",
    ),
    _Mistake(
        "invalid Unicode character escape code",
        "this escape is half of a surrogate pair or no character at all", "a Unicode character",
        "write the character itself, or one \\U with 8 digits",
    ),
    _Mistake(
        "found a tab character",
        "a tab stands where the indentation is", "spaces", "indent with spaces",
    ),
    _Mistake(
        "expected alphabetic or numeric character",
        "'&' and '*' start anchors and aliases, and no name follows", "a name, or a quoted value", "quote the value",
    ),
    _Mistake(
        "did not find expected comment or line break",
        "only a comment may follow here", "the end of the line", "start the text on the next line, or quote it",
    ),
    _Mistake(
        "found an indentation indicator equal to 0",
        "a block of text cannot be indented by 0", "a digit from 1 to 9", "leave the digit out",
    ),
    _Mistake(
        "did not find expected '-' indicator",
        "this line is neither an item of the list above it nor indented like anything before it",
        "'- ' or the indentation of an earlier line", _INDENTATION,
    ),
    _Mistake(
        "did not find expected <document start>",
        "the values of the file end before this line", "one value, usually a mapping", _INDENTATION,
    ),
    _Mistake(
        "did not find expected node content",
        "there is no value here", "a value", "write one, or quote it if it starts with this character",
    ),
    _Mistake(
        "found incompatible YAML document",
        "this version of YAML is not known", "YAML 1.2", "remove the %YAML line",
    ),
    _Mistake(
        "undefined tag handle",
        "tags are not part of the language", "a value without a tag",
        "remove the tag; quote a value that starts with !",
    ),
    _Mistake(
        "scanning a tag",
        "tags are not part of the language", "a value without a tag",
        "remove the tag; quote a value that starts with !",
    ),
    _Mistake(
        "directive",
        "a line that starts with '%' is a directive, and this is none", "%YAML or a value",
        "quote a value that starts with %",
    ),
)
# fmt: on


def explained(error: MarkedYAMLError, name: str, text: str) -> Problem:
    """The problem behind an error of the parser, in the words of an author."""
    # Only the index can be relied on: at the end of a file without a last line feed libyaml counts a line too many.
    at = error.problem_mark.index if error.problem_mark else len(text)
    if at >= len(text):
        at = len(text.rstrip())
    opened = min(error.context_mark.index, at) if error.context_mark else at
    mistake = _recognised(error.problem or "", error.context or "", text, opened, at)
    start = opened if mistake.at_context else at
    end = start if text[start : start + 1] in ("", "\n") else start + 1
    return Problem("HL003", span(name, text, start, end), mistake.message, mistake.expected, mistake.fix)


def _recognised(problem: str, context: str, text: str, opened: int, at: int) -> _Mistake:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    if text.startswith("->", at) and line.rstrip().endswith("]"):
        fix = "write an edge for each, as in `- a -> c` and `- b -> c`"
        return _Mistake("", "a list of nodes cannot stand in an edge", "names joined by ->", fix)
    if "expected ',' or" in problem:
        return _in_brackets(text, opened, at)
    if "cannot start any token" in problem:
        return _first_character(text[at : at + 1])
    if "mapping values are not allowed" in problem and "${" in line:
        return _expression("quote values with ${…} when they hold a ': '")
    if "did not find expected key" in problem and text.startswith(":", at):
        return _Mistake("", "there is no key before this ':'", "'key: value'", "write the key, or quote the value")
    if "did not find expected key" in problem:
        return _after_value() if line.strip(" \t-") else _not_aligned(text, opened)
    for mistake in _MISTAKES:
        if mistake.complaint in problem or mistake.complaint in context:
            return mistake
    message = f"this is not YAML: {problem or context}"
    return _Mistake("", message, "YAML 1.2", "quote the value, or check the indentation")


def _in_brackets(text: str, opened: int, at: int) -> _Mistake:
    bracket = text[opened : opened + 1]
    if text[max(at - 1, 0) : at + 1] == "${":
        return _expression(f"quote values with ${{…}} inside {'[ ]' if bracket == '[' else '{ }'}")
    closing = "]" if bracket == "[" else "}"
    if text[at : at + 1] in ("", "\n", ":", "]", "}"):
        return _Mistake(
            "",
            f"this {bracket!r} is not closed",
            f"{closing!r}",
            f"add the {closing!r}, put each key on one line with its ':', or quote what starts with {bracket!r}",
            at_context=True,
        )
    line, column = position(text, opened)
    return _Mistake(
        "",
        f"a ',' or {closing!r} is missing here, in the {bracket!r} of line {line + 1}, column {column + 1}",
        f"',' or {closing!r}",
        "separate the items by commas; quote values that hold any of [ ] { } , or quotes",
    )


def _expression(fix: str) -> _Mistake:
    return _Mistake("", "the ${…} cannot stand here without quotes", 'a quoted value, as in "${a.b}"', fix)


def _first_character(character: str) -> _Mistake:
    if character == "\t":
        return _Mistake("", "a tab stands where the indentation is", "spaces", "indent with spaces")
    return _Mistake("", f"a value cannot start with {character!r}", "a quoted value", "quote the value")


def _after_value() -> _Mistake:
    return _Mistake(
        "",
        "the value ends before this",
        "the end of the line",
        "quote the whole value; inside single quotes write '' for a quote",
    )


def _not_aligned(text: str, opened: int) -> _Mistake:
    line, column = position(text, opened)
    return _Mistake(
        "",
        f"this line is not indented like the mapping that starts at line {line + 1}, column {column + 1}",
        f"a key at column {column + 1}",
        _INDENTATION,
    )
