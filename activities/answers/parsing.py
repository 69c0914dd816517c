"""JSON as it stands: parsed as Python's `json` does, within a depth; what cannot travel on is refused."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

DEPTH = 200

# A string ends with its quote or with the text, so that the search never tries one twice.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\(?:.|\Z))*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_MAYBE_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class NotJson(ValueError):
    """What is wrong with a text, and where in it."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class TooDeep(NotJson):
    def __init__(self, at: int) -> None:
        super().__init__(f"it is nested more than {DEPTH} deep", at)


def parsed(text: str) -> Any:
    """The value of a text that is JSON; raises `NotJson`. Of names that come twice the last one holds."""
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] in ("[", "{"):
        closing(text, start)
    return decoded(text)


def decoded(text: str) -> Any:
    """The same for a text that is known not to be too deep."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    except ValueError as error:
        raise NotJson(str(error), 0) from None
    if has_lone_surrogate(text, value):
        raise NotJson("a text holds half of a surrogate pair", 0)
    return value


def closing(text: str, start: int, depth: int = 0, stop: int = sys.maxsize) -> int | None:
    """Where the value ends whose bracket opens here, None when it never does; raises `TooDeep`."""
    above = depth
    for found in _STRING_OR_BRACKET.finditer(text, start, stop):
        if found[0] in ("[", "{"):
            depth += 1
        elif found[0] in ("]", "}"):
            depth -= 1
        if depth > DEPTH:
            raise TooDeep(found.start())
        if depth == above:
            return found.end()
    return None


def has_lone_surrogate(text: str, value: Any) -> bool:
    """Half a pair is no character: no message can carry it."""
    return bool(_MAYBE_SURROGATE.search(text) and _SURROGATE.search(json.dumps(value, ensure_ascii=False)))


def number(written: str) -> float:
    value = float(written)
    if math.isinf(value):
        raise ValueError(f"the number {written[:40]} is too large")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_float=number, parse_constant=_no_constant)
