"""What an unquoted scalar means: the core schema of YAML 1.2, within what JSON can hold."""

from __future__ import annotations

import math
import re

Value = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class NotJson(ValueError):
    """A number that JSON, or a 64-bit reader of it, cannot hold."""


def resolved(text: str) -> Value:
    """The value that a plain scalar stands for."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMERIC else text


def integer(text: str, base: int = 10) -> int:
    # Python refuses to read more than 4,300 digits, and 2**63 has 19 (22 in octal).
    digits = text.lstrip("+-0")
    value = int(text, base) if len(digits) <= 22 else 2**64
    if not -(2**63) <= value < 2**63:
        raise NotJson(f"the number {_shown(text)} does not fit in 64 bits")
    return value


def real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJson(f"the number {_shown(text)} is out of range")
    return value


def _number(text: str) -> Value:
    if _DECIMAL.fullmatch(text):
        return integer(text)
    if _OCTAL.fullmatch(text):
        return integer(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return integer(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return real(text)
    if _NOT_FINITE.fullmatch(text):
        raise NotJson(f"{text} is not a number that JSON can hold")
    return text


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
