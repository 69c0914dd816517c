"""An answer while it comes in, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from activities.contracts import ToolCalled, Usage
from activities.failing import Failing
from activities.models.protocol import Ask, Heard, Spoiled, Unspoken

# Characters of text and arguments together.
MOST_TEXT = 8 * 1024 * 1024
# How much of a refusal is quoted.
QUOTED = 300


@dataclass
class _Call:
    id: str = ""
    tool: str = ""
    arguments: list[str] = field(default_factory=list)


class Hearing:
    """From `where`. `finish` is set once the answer is whole: nothing that happens to the line after that matters.

    With `is_call` the answer itself comes as the arguments of a call, the first one; what is said around it is no part
    of the answer.
    """

    def __init__(self, where: str, ask: Ask, on_text: Callable[[str], None]) -> None:
        self.where = where
        self._ask = ask
        self._on_text = on_text
        self._text: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._size = 0
        self._counts: dict[str, int] = {}
        self.model = ask.model
        self.began = False
        self.is_call = False
        self.finish: Literal["stop", "length", "refusal", "context"] | None = None

    def begin(self) -> None:
        """Something has come, be it no text: whoever listens is told by an empty piece."""
        if not self.began:
            self.began = True
            self._on_text("")

    def add(self, piece: str) -> None:
        self._grow(piece)
        self._text.append(piece)
        self._on_text(Unspoken(piece) if self.is_call else piece)

    def call(self, place: int, id: str = "", tool: str = "", arguments: str = "") -> None:
        """A piece of the call at this place of the answer; its arguments are JSON."""
        for piece in (id, tool, arguments):
            self._grow(piece)
        call = self._calls.setdefault(place, _Call())
        call.id, call.tool = call.id or id, call.tool or tool
        call.arguments.append(arguments)
        is_answer = self.is_call and place == min(self._calls)
        self._on_text(arguments if is_answer else Unspoken(arguments))

    @property
    def called(self) -> int:
        """How many tools it has called."""
        return len(self._calls)

    def _grow(self, piece: str) -> None:
        if not isinstance(piece, str):
            raise Spoiled(f"a piece of its answer is no text but {type(piece).__name__}")
        self._size += len(piece)
        if self._size > MOST_TEXT:
            raise Spoiled(f"its answer has more than {MOST_TEXT:,} characters")

    def count(self, **counts: Any) -> None:
        """What the provider says it has counted, from the beginning; what is no count is not taken for one."""
        self._counts |= {name: told for name, told in counts.items() if isinstance(told, int) and told >= 0}

    def usage(self) -> Usage:
        """As counted by the provider; of what it did not count, about as much as came through."""
        near = {"tokens_out": about(self._size)} if self._size else {}
        if self._size or self.finish:
            near["tokens_in"] = about(sum(len(each.text) for each in self._ask.messages))
        return Usage(**(near | self._counts))

    def heard(self) -> Heard:
        """The whole answer; raises `Failing`."""
        if self.is_call and self._calls:
            self._text = self._calls.pop(min(self._calls)).arguments
            self._calls.clear()
        text, usage = in_unicode("".join(self._text)), self.usage()
        match self.finish:
            case None:
                said = "its answer is cut off" if self.began else "its answer has an empty body"
                raise Failing("unavailable", f"{self.where}: {said}", usage=usage)
            case "refusal":
                said = f"{self.model} refuses to answer: {text[:QUOTED]}"
                raise Failing("refusal", f"{self.where}: {said}", usage=usage)
            case "context":
                raise Failing("context", f"{self.where}: {self.model} has no room for its answer", usage=usage)
        return Heard(text, self._called(usage), usage, self.model, self.finish)

    def _called(self, usage: Usage) -> tuple[ToolCalled, ...]:
        turn = len(self._ask.messages)
        return tuple(
            ToolCalled(id=call.id or f"call-{turn}-{place}", tool=call.tool, arguments=self._read(call, usage))
            for place, call in sorted(self._calls.items())
        )

    def _read(self, call: _Call, usage: Usage) -> dict[str, Any]:
        try:
            found = json.loads("".join(call.arguments) or "{}")
            json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            if self.finish == "length":
                said = f"{self.where}: {self.model} was cut off at {self._ask.max_output:,} tokens"
                raise Failing("context", said, usage=usage, is_cut=True) from None
            said = f"{self.where}: {self.model} calls {call.tool!r} with what is not JSON"
            raise Failing("json_syntax", said, usage=usage) from None
        if not isinstance(found, dict):
            said = f"{self.where}: {self.model} calls {call.tool!r} with what is no object"
            raise Failing("json_major", said, usage=usage)
        return found


def about(characters: int) -> int:
    """Tokens, at four characters each."""
    return characters // 4 + 1


def halved(text: str) -> tuple[str, str]:
    """A text in whole characters, and the half of one where it ends with that."""
    end = len(text) - ("\ud800" <= text[-1:] <= "\udbff")
    return in_unicode(text[:end]), text[end:]


def in_unicode(text: str) -> str:
    """Characters that were cut in two become whole again; what is left of a half is marked as such."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
