"""OpenAI's chat completions, in and out, whoever speaks them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from activities.models.dialect import Learner, is_strict
from activities.models.hearing import Hearing
from activities.models.protocol import Ask, Message, functions
from activities.models.trouble import Complaint

_FINISH: Any = {"length": "length", "content_filter": "refusal"}


class Chat(Learner):
    """A server that has a part of the protocol, or OpenAI's own, which has all of it."""

    has_all: ClassVar[bool] = False

    def _request(self, ask: Ask) -> dict[str, Any]:
        without = self._dialect.without(ask)
        # A schema that is enforced keeps most servers from calling tools; OpenAI's own does both.
        if (ask.tools and not self.has_all) or "response_format" in without:
            ask = ask.in_words()
        request: dict[str, Any] = {
            "model": ask.model,
            "messages": [_message(each) for each in ask.messages],
            "max_completion_tokens" if self.has_all else "max_tokens": ask.max_output,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.temperature is not None and "temperature" not in without:
            request["temperature"] = ask.temperature
        if ask.tools:
            request["tools"] = functions(ask)
        if ask.schema is not None:
            form = {"name": "answer", "schema": ask.schema, "strict": is_strict(ask.schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        return request


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.spoken}
    if message.role == "tool":
        said["tool_call_id"] = message.id
    if message.calls:
        said["tool_calls"] = [
            {
                "id": each.id,
                "type": "function",
                "function": {"name": each.tool, "arguments": json.dumps(each.arguments, ensure_ascii=False)},
            }
            for each in message.calls
        ]
    return said


def take(chunk: Any, hearing: Hearing) -> None:
    """A piece of an answer."""
    if chunk.get("error"):
        raise Complaint(chunk)
    hearing.begin()
    if isinstance(model := chunk.get("model"), str) and model:
        hearing.model = model
    for choice in chunk.get("choices") or ():
        if delta := choice.get("delta"):
            _take_delta(delta, hearing)
        if finish := choice.get("finish_reason"):
            hearing.finish = hearing.finish or _FINISH.get(finish, "stop")
    if usage := chunk.get("usage"):
        of_in, of_out = (usage.get(f"{side}_tokens_details") or {} for side in ("prompt", "completion"))
        hearing.count(
            tokens_in=usage.get("prompt_tokens"),
            tokens_out=usage.get("completion_tokens"),
            cached=of_in.get("cached_tokens"),
            reasoning=of_out.get("reasoning_tokens"),
        )


def _take_delta(delta: dict[str, Any], hearing: Hearing) -> None:
    if text := delta.get("content"):
        hearing.add(text)
    if refusal := delta.get("refusal"):
        # It ends like any other answer.
        hearing.add(refusal)
        hearing.finish = "refusal"
    for piece in delta.get("tool_calls") or ():
        place, asked = piece.get("index"), piece.get("function") or {}
        hearing.call(
            place if isinstance(place, int) else 0,
            piece.get("id") or "",
            asked.get("name") or "",
            asked.get("arguments") or "",
        )
