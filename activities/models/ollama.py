"""Ollama's own protocol: a line of JSON for every piece of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from activities.models.hearing import Hearing
from activities.models.protocol import READ_S, Ask, Heard, Message, functions
from activities.models.trouble import Complaint, told
from activities.models.wire import client, lines, reading


class Ollama:
    def __init__(self, address: str, key: str | None, *, read_s: float = READ_S) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = client("application/x-ndjson", "application/json", read_s=read_s, headers=headers)
        self._http.base_url = address
        self._key = key
        self._where = f"ollama at {self._http.base_url.host}"

    async def close(self) -> None:
        await self._http.aclose()

    async def answer(self, ask: Ask, on_text: Callable[[str], None]) -> Heard:
        hearing, asked = Hearing(self._where, ask, on_text), request(ask)
        with told(hearing, self._key):
            async with self._http.stream("POST", "/api/chat", json=asked) as response:
                if not response.is_success:
                    await response.aread()
                    response.raise_for_status()
                with reading():
                    async for line in lines(response.aiter_bytes()):
                        if line.strip():
                            _take(json.loads(line), hearing)
        return hearing.heard()


def request(ask: Ask) -> dict[str, Any]:
    # A schema is enforced from the first word on, and no tool could be called.
    if ask.tools:
        ask = ask.in_words()
    # Its own context is a small one, and by itself it cuts off what does not fit, without a word.
    options: dict[str, Any] = {"num_predict": ask.max_output, "num_ctx": ask.context}
    if ask.temperature is not None:
        options["temperature"] = ask.temperature
    more: dict[str, Any] = {}
    if ask.tools:
        more["tools"] = functions(ask)
    if ask.schema is not None:
        more["format"] = ask.schema
    messages = [_message(each) for each in ask.messages]
    kept = {"truncate": False, "shift": False}
    return {"model": ask.model, "messages": messages, "stream": True, "options": options, **kept, **more}


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.spoken}
    if message.role == "tool":
        said["tool_name"] = message.tool
    if message.calls:
        said["tool_calls"] = [{"function": {"name": each.tool, "arguments": each.arguments}} for each in message.calls]
    return said


def _take(event: Any, hearing: Hearing) -> None:
    if event.get("error"):
        raise Complaint(event)
    hearing.begin()
    message = event.get("message") or {}
    if message.get("content"):
        hearing.add(message["content"])
    for each in message.get("tool_calls") or ():
        asked = each["function"]
        hearing.call(hearing.called, tool=asked["name"], arguments=json.dumps(asked.get("arguments") or {}))
    if event.get("done"):
        hearing.finish = "length" if event.get("done_reason") == "length" else "stop"
        hearing.model = str(event.get("model") or hearing.model)
        hearing.count(tokens_in=event.get("prompt_eval_count"), tokens_out=event.get("eval_count"))
