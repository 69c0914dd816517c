"""From the models of a plan to the servers that answer for them, at this place and with its keys."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from activities.failing import Failing
from activities.models.breaker import FREE, Guarded, Place
from activities.models.embedding import Embedder
from activities.models.protocol import READ_S, Provider
from activities.models.secrets import Secrets
from manifests.plan import ModelSpec

OWN = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://127.0.0.1:11434",
}


@dataclass(frozen=True)
class Endpoint:
    provider: str
    address: str
    key: str | None = field(repr=False)


class Endpoints:
    """One provider, with one pool of connections, for each endpoint, for as long as this is open."""

    def __init__(self, secrets: Secrets, *, read_s: float = READ_S) -> None:
        self._secrets = secrets
        self._read_s = read_s
        self._open: dict[Endpoint, Guarded] = {}
        self._places: dict[tuple[str, str, str, int], asyncio.Semaphore] = {}
        self._lock = threading.Lock()

    def provider(self, name: str, model: ModelSpec) -> Guarded:
        """Who answers for this model; `name` is what the manifest calls it. Raises `Failing`."""
        endpoint = self._endpoint(name, model)
        with self._lock:
            if endpoint not in self._open:
                self._open[endpoint] = self._guarded(endpoint)
            return self._open[endpoint]

    async def reached(self, name: str, model: ModelSpec) -> Guarded:
        """The same for a loop, which waits neither for a vendor's client to load nor for a file of secrets."""
        if self._secrets.file is None and (known := self._open.get(self._endpoint(name, model))):
            return known
        return await asyncio.to_thread(self.provider, name, model)

    def _guarded(self, endpoint: Endpoint) -> Guarded:
        embedder = Embedder(endpoint.provider, endpoint.address, endpoint.key, read_s=self._read_s)
        return Guarded(opened(endpoint, self._read_s), embedder, urlsplit(endpoint.address).netloc)

    def place(self, model: ModelSpec) -> Place:
        """Waits until this process makes fewer calls of the model than it may make at once."""
        if model.concurrency is None:
            return FREE
        which = (model.provider, json.dumps(model.base_url), model.model, model.concurrency)
        return self._places.setdefault(which, asyncio.Semaphore(model.concurrency))

    @property
    def resting(self) -> list[str]:
        """Those that have failed again and again, and are left alone."""
        return sorted(each.breaker.where for each in list(self._open.values()) if each.breaker.is_open)

    async def close(self) -> None:
        while self._open:
            await self._open.popitem()[1].close()

    def _endpoint(self, name: str, model: ModelSpec) -> Endpoint:
        whose = f"the model {name!r}"
        key = self._secrets.named(model.api_key["secret"], whose) if model.api_key else None
        if model.base_url is None and key is None and model.provider in ("openai", "anthropic"):
            said = f"{whose} wants a key: name it in models.yaml, as in `api_key: {{secret: MY_KEY}}`"
            raise Failing("engine", said)
        return Endpoint(model.provider, self._address(whose, model), key)

    def address(self, name: str, model: ModelSpec) -> str:
        """Where it is reached from here; raises `Failing`."""
        return self._address(f"the model {name!r}", model)

    def _address(self, whose: str, model: ModelSpec) -> str:
        address = OWN.get(model.provider) if model.base_url is None else self._setting(whose, model.base_url)
        if address is None:
            raise Failing("engine", f"{whose} has no address: give it a base_url in models.yaml")
        if not is_address(address):
            said = "is http:// or https://, a host, and perhaps a port and a path; keys go under api_key"
            raise Failing("engine", f"the address of {whose} {said}")
        return address

    def _setting(self, whose: str, setting: str | Mapping[str, Any]) -> str:
        if isinstance(setting, str):
            return setting
        found = self._secrets.environment.get(setting["env"]) or setting.get("default")
        if not found:
            said = f"{whose} wants {setting['env']}: set it in the environment of this worker"
            raise Failing("engine", f"{said}, or give it a default in models.yaml")
        return str(found)


def is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    more = "@" in url.netloc or url.query or url.fragment or not re.fullmatch("[!-~]+", text)
    return url.scheme in ("http", "https") and bool(url.hostname) and not more and port != 0


def opened(endpoint: Endpoint, read_s: float) -> Provider:
    """The clients of vendors take a second to load: only those that are used are."""
    address, key = endpoint.address, endpoint.key
    match endpoint.provider:
        case "anthropic":
            from activities.models.anthropic_messages import AnthropicMessages

            return AnthropicMessages(address, key, read_s=read_s)
        case "ollama":
            from activities.models.ollama import Ollama

            return Ollama(address, key, read_s=read_s)
        case "openai":
            from activities.models.openai_chat import OpenAiChat

            return OpenAiChat(address, key, read_s=read_s)
        case _:
            from activities.models.compatible import CompatibleChat

            return CompatibleChat(address, key, read_s=read_s)
