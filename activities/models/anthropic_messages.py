"""Anthropic's messages."""

from __future__ import annotations

from typing import Any

import anthropic

from activities.models.dialect import Learner, is_strict
from activities.models.hearing import Hearing
from activities.models.protocol import READ_S, Ask, Message
from activities.models.wire import client, reading

# The tool that an answer with a schema is given through, until a model does not take the order to call it.
ANSWER = "answer"
# All up to this mark is kept by the provider for the next call.
_CACHED = {"cache_control": {"type": "ephemeral"}}
_FINISH: Any = {"max_tokens": "length", "refusal": "refusal", "model_context_window_exceeded": "context"}


class AnthropicMessages(Learner):
    def __init__(self, address: str, key: str | None, *, read_s: float = READ_S) -> None:
        http = client("text/event-stream", read_s=read_s)
        self._sdk = anthropic.AsyncAnthropic(
            # Servers that speak both protocols are told by the address of the other one, too.
            base_url=address.removesuffix("/").removesuffix("/v1"),
            api_key=key or "none",
            http_client=http,
            max_retries=0,
            timeout=http.timeout,
        )
        where = f"anthropic at {self._sdk.base_url.host}"
        super().__init__(http, where, key, "tool_choice", "output_config", "temperature")

    async def _listened(self, ask: Ask, hearing: Hearing) -> bool:
        asked = request(ask, self._dialect.without(ask))
        try:
            stream: Any = await self._sdk.messages.create(**asked)
        except anthropic.APIStatusError as error:
            if self._dialect.learns(ask, {*asked, *asked.get("extra_body", ())}, error.response):
                return False
            raise
        hearing.is_call = "tool_choice" in asked
        async with stream:
            with reading():
                async for event in stream:
                    _take(event, hearing)
        if hearing.is_call and hearing.finish is not None and not hearing.called:
            # Servers whose model knows no tools read over the order, and over every other one about the schema.
            self._dialect.without(ask).update(("tool_choice", "output_config"))
        return True


def request(ask: Ask, without: set[str]) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if ask.schema is not None and not ask.tools and ask.schema.get("type") == "object" and "tool_choice" not in without:
        more["tools"] = [{"name": ANSWER, "description": "Give the answer.", "input_schema": ask.schema}]
        more["tool_choice"] = {"type": "tool", "name": ANSWER}
    elif not ask.tools and "output_config" not in without and is_strict(ask.schema):
        more["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    else:
        ask = ask.in_words()
    if ask.tools:
        more["tools"] = [
            {"name": each.name, "description": each.description, "input_schema": each.input} for each in ask.tools
        ]
    head = "\n\n".join(each.text for each in ask.messages if each.role == "system")
    if head:
        more["system"] = [{"type": "text", "text": head, **_CACHED}]
    if ask.temperature is not None and "temperature" not in without:
        # Newer versions of the protocol have none, and newer models take none; others go up to 2.
        more["extra_headers"] = {"anthropic-version": "2023-06-01"}
        more["extra_body"] = {"temperature": min(ask.temperature, 1.0)}
    return {"model": ask.model, "max_tokens": ask.max_output, "messages": _turns(ask), "stream": True, **more}


def _turns(ask: Ask) -> list[dict[str, Any]]:
    """Turn by turn; whatever one side says in a row is one turn, and who says nothing has none."""
    turns: list[dict[str, Any]] = []
    for message in ask.messages:
        blocks = [] if message.role == "system" else _blocks(message)
        if not blocks:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1]["role"] != role:
            turns.append({"role": role, "content": []})
        turns[-1]["content"] += blocks
    if ask.tools and turns:
        # What has been said so far is said again in the next turn; without tools there is none.
        turns[-1]["content"][-1] |= _CACHED
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.id, "content": message.text}
        return [result | ({"is_error": True} if message.failed else {})]
    said = [{"type": "text", "text": message.spoken}] if message.spoken.strip() else []
    used = [{"type": "tool_use", "id": each.id, "name": each.tool, "input": each.arguments} for each in message.calls]
    return [*said, *used]


def _take(event: Any, hearing: Hearing) -> None:
    hearing.begin()
    match event.type:
        case "message_start":
            hearing.model = str(event.message.model or hearing.model)
            _count_in(event.message.usage, hearing)
        case "content_block_start" if event.content_block.type == "tool_use":
            hearing.call(event.index, event.content_block.id, event.content_block.name)
        case "content_block_delta" if event.delta.type == "text_delta":
            hearing.add(event.delta.text)
        case "content_block_delta" if event.delta.type == "input_json_delta":
            hearing.call(event.index, arguments=event.delta.partial_json)
        case "message_delta":
            _count_out(event.usage, hearing)
            if event.delta.stop_reason:
                hearing.finish = _FINISH.get(event.delta.stop_reason, "stop")


def _count_in(usage: Any, hearing: Hearing) -> None:
    """What went into the cache and what came out of it is counted beside the rest here, and with it elsewhere."""
    counts = [usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens]
    hearing.count(tokens_in=sum(each or 0 for each in counts), cached=usage.cache_read_input_tokens)


def _count_out(usage: Any, hearing: Hearing) -> None:
    thought = usage.output_tokens_details
    hearing.count(tokens_out=usage.output_tokens, reasoning=thought and thought.thinking_tokens)
