"""OpenAI itself, by its own client."""

from __future__ import annotations

import openai

from activities.models.chat import Chat, take
from activities.models.hearing import Hearing
from activities.models.protocol import READ_S, Ask
from activities.models.wire import client, reading

_Stream = openai.AsyncStream[object]


class OpenAiChat(Chat):
    has_all = True

    def __init__(self, address: str, key: str | None, *, read_s: float = READ_S) -> None:
        http = client("text/event-stream", read_s=read_s)
        self._sdk = openai.AsyncOpenAI(
            base_url=address, api_key=key or "none", http_client=http, max_retries=0, timeout=http.timeout
        )
        super().__init__(http, f"openai at {self._sdk.base_url.host}", key, "response_format", "temperature")

    async def _listened(self, ask: Ask, hearing: Hearing) -> bool:
        request = self._request(ask)
        try:
            # Its typed methods go over every part of a request and of a piece again: as costly as to send them.
            stream = await self._sdk.post(
                "/chat/completions", body=request, cast_to=object, stream=True, stream_cls=_Stream
            )
        except openai.APIStatusError as error:
            if self._dialect.learns(ask, request, error.response):
                return False
            raise
        async with stream:
            with reading():
                async for chunk in stream:
                    take(chunk, hearing)
        return True
