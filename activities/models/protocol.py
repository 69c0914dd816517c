"""What every provider of models is: one question in, one answer heard, whatever its wire looks like."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

from activities.contracts import ToolCalled, Usage

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
# Seconds of silence in the middle of an answer; a model may think for long before its first word.
READ_S = 120.0
# Where an answer ended: by itself, or at its limit of tokens.
Finish: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True)
class Message:
    """One thing said: `by` whom, where a person or a node wrote to the agent; `calls` are what a model asked for.

    What a tool said is the result of the call `id`.
    """

    role: Role
    text: str = ""
    by: str = ""
    calls: tuple[ToolCalled, ...] = ()
    id: str = ""
    tool: str = ""
    failed: bool = False

    @property
    def spoken(self) -> str:
        return f"{self.by}: {self.text}" if self.by else self.text

    def as_json(self) -> dict[str, Any]:
        """As a transcript has it: what is empty is left out."""
        more = {
            "from": self.by,
            "calls": [each.model_dump() for each in self.calls],
            "id": self.id,
            "tool": self.tool,
            "failed": self.failed,
        }
        return {"role": self.role, "text": self.text, **{name: value for name, value in more.items() if value}}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Message:
        facts = dict(data)
        calls = tuple(ToolCalled.model_validate(each) for each in facts.pop("calls", ()))
        return cls(by=facts.pop("from", ""), calls=calls, **facts)


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """One call of a model. `schema` is that of the answer; `context` is how many tokens fit, in and out."""

    model: str
    messages: tuple[Message, ...]
    max_output: int
    context: int
    tools: tuple[Tool, ...] = ()
    schema: Mapping[str, Any] | None = None
    temperature: float | None = None

    def in_words(self) -> Ask:
        """The same, with the schema told in the first message, which stays the same from turn to turn."""
        if self.schema is None:
            return self
        asked = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
        said = f"When you answer, answer with JSON that fits this JSON Schema, and with nothing else:\n{asked}"
        first = self.messages[0]
        told = replace(first, text=f"{first.text}\n\n{said}")
        return replace(self, messages=(told, *self.messages[1:]), schema=None)


@dataclass(frozen=True)
class Heard:
    """A whole answer; with a schema, `text` is JSON as the model wrote it. A script may give the value itself."""

    text: str
    calls: tuple[ToolCalled, ...]
    usage: Usage
    model: str
    finish: Finish
    json: tuple[Any, ...] = ()


def functions(ask: Ask) -> list[dict[str, Any]]:
    """The tools, as OpenAI describes them and others after it."""
    return [
        {
            "type": "function",
            "function": {"name": each.name, "description": each.description, "parameters": each.input},
        }
        for each in ask.tools
    ]


class Unspoken(str):
    """A piece of an answer that nobody is to read along, such as the arguments of a call."""


class Spoiled(Exception):
    """What came is no answer."""


class Provider(Protocol):
    async def answer(self, ask: Ask, on_text: Callable[[str], None]) -> Heard:
        """Tells the text as it comes, after an empty piece when the answer begins, and as `Unspoken` what comes beside.

        Raises `Failing`; when it is cancelled, the model stops.
        """
        ...

    async def close(self) -> None: ...
