"""What of a protocol a server takes: learnt from what it refuses, and asked again without it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping

import httpx2

from activities.models.hearing import Hearing
from activities.models.protocol import Ask, Heard
from activities.models.trouble import told

# The keywords of schemas that providers hold an answer to.
_STRICT = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
    "title", "description", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems",
}  # fmt: skip


class Dialect:
    """Parts of a request that may be left out where a model, or a model with a schema, does not take them."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts
        self._refused: dict[tuple[str, str], set[str]] = {}

    def without(self, ask: Ask) -> set[str]:
        return self._refused.setdefault((ask.model, json.dumps(ask.schema, sort_keys=True)), set())

    def learns(self, ask: Ask, sent: Collection[str], refused: httpx2.Response) -> bool:
        """Whether a refusal names a part that was sent: it is not sent again."""
        if refused.status_code not in (400, 422):
            return False
        named = next((part for part in self._parts if part in sent and part in refused.text), None)
        if named is not None:
            self.without(ask).add(named)
        return named is not None


class Learner(ABC):
    """A provider whose servers take different parts of one protocol."""

    def __init__(self, http: httpx2.AsyncClient, where: str, key: str | None, *parts: str) -> None:
        self._http = http
        self._where = where
        self._key = key
        self._dialect = Dialect(*parts)

    async def close(self) -> None:
        await self._http.aclose()

    async def answer(self, ask: Ask, on_text: Callable[[str], None]) -> Heard:
        hearing = Hearing(self._where, ask, on_text)
        with told(hearing, self._key):
            while not await self._listened(ask, hearing):
                pass
        return hearing.heard()

    @abstractmethod
    async def _listened(self, ask: Ask, hearing: Hearing) -> bool:
        """Whether the server took the request; if not, it will take the next one better."""


def is_strict(schema: object, root: bool = True) -> bool:
    """Whether a provider can hold an answer to all of a schema: closed objects, all fields required, known keywords."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _STRICT:
        return False
    if root and schema.get("type") != "object":
        return False
    properties = schema.get("properties", {})
    if "properties" in schema or "object" in str(schema.get("type")):
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
    below = [*properties.values(), *schema.get("anyOf", ()), *schema.get("$defs", {}).values()]
    below += [schema["items"]] if "items" in schema else []
    return all(is_strict(each, False) for each in below)
