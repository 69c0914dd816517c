"""The many servers that speak OpenAI's protocol: vLLM, SGLang, llama.cpp, TGI, and whatever else is `compatible`."""

from __future__ import annotations

from activities.models.chat import Chat, take
from activities.models.hearing import Hearing
from activities.models.protocol import READ_S, Ask
from activities.models.wire import client, events, reading


class CompatibleChat(Chat):
    """Without the client of a vendor, which takes a second to load and costs more than the request itself."""

    def __init__(self, address: str, key: str | None, *, read_s: float = READ_S) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        http = client("text/event-stream", read_s=read_s, headers=headers)
        http.base_url = address
        super().__init__(http, f"openai_compatible at {http.base_url.host}", key, "response_format", "temperature")

    async def _listened(self, ask: Ask, hearing: Hearing) -> bool:
        request = self._request(ask)
        async with self._http.stream("POST", "/chat/completions", json=request) as response:
            if not response.is_success:
                await response.aread()
                if self._dialect.learns(ask, request, response):
                    return False
                response.raise_for_status()
            with reading():
                async for chunk in events(response.aiter_bytes()):
                    take(chunk, hearing)
        return True
