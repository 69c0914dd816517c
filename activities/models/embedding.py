"""Texts as vectors: OpenAI's protocol and Ollama's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activities.contracts import Usage
from activities.failing import Failing
from activities.models.hearing import Hearing
from activities.models.protocol import READ_S, Ask, Spoiled
from activities.models.trouble import told
from activities.models.wire import client, reading


@dataclass(frozen=True)
class Embedded:
    """A vector for each text, in their order."""

    vectors: list[list[float]]
    usage: Usage


class Embedder:
    def __init__(self, provider: str, address: str, key: str | None, *, read_s: float = READ_S) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = client("application/json", read_s=read_s, headers=headers)
        self._provider, self._address, self._key = provider, address.rstrip("/"), key

    async def close(self) -> None:
        await self._http.aclose()

    async def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """Raises `Failing`."""
        if self._provider == "anthropic":
            raise Failing("engine", "anthropic has no embeddings: name a model of another provider")
        ollama = self._provider == "ollama"
        path = "/api/embed" if ollama else "/embeddings"
        asked = {"model": model, "input": list(texts)} | ({"truncate": False} if ollama else {})
        where = f"{self._provider} at {self._http.build_request('POST', self._address).url.host}"
        with told(Hearing(where, Ask(model, (), 0, 0), lambda piece: None), self._key):
            response = await self._http.post(f"{self._address}{path}", json=asked)
            response.raise_for_status()
            with reading():
                return _read(response.json(), len(texts))
        raise AssertionError("what goes wrong is told")


def _read(said: Any, many: int) -> Embedded:
    if "embeddings" in said:
        vectors, tokens = said["embeddings"], said.get("prompt_eval_count")
    else:
        vectors = [each["embedding"] for each in sorted(said["data"], key=lambda each: int(each["index"]))]
        tokens = (said.get("usage") or {}).get("prompt_tokens")
    if len(vectors) != many:
        raise Spoiled(f"it gave {len(vectors)} vectors for {many} texts")
    found = [[float(number) for number in vector] for vector in vectors]
    if not all(vector and all(map(math.isfinite, vector)) for vector in found):
        raise Spoiled("a vector of its answer is empty, or holds what is no number")
    return Embedded(found, Usage(tokens_in=tokens if isinstance(tokens, int) and tokens > 0 else 0))
