"""How many tokens a text has."""

from __future__ import annotations


def tokens(text: str) -> int:
    return len(text.encode()) // 3 + 1
