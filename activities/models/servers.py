"""What a model server says of itself: whether it is well, which models it has, and how many calls it takes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

# Seconds that a server has to say so.
PATIENCE_S = 1.0
# Names that are said to whoever wonders why a model is missing.
_NAMED = 5


@dataclass(frozen=True)
class Seen:
    """`trouble` is why it gets no calls; `slots` is how many it takes at once, if it says so."""

    trouble: str = ""
    slots: int | None = None


class _Unwell(Exception):
    pass


def client(address: str, key: str | None) -> httpx2.AsyncClient:
    """For an address with or without the `/v1` of OpenAI's protocol."""
    return httpx2.AsyncClient(
        base_url=address.rstrip("/").removesuffix("/v1"),
        timeout=httpx2.Timeout(PATIENCE_S),
        headers={"authorization": f"Bearer {key}"} if key else {},
    )


async def seen(http: httpx2.AsyncClient, models: Sequence[str]) -> Seen:
    """Asks it: llama.cpp, vLLM, SGLang, TGI, Ollama, and whatever else speaks OpenAI's protocol."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            # Some list their models while they still load them, or when their engine is dead.
            await _asked(http, "/health")
            if models:
                _check(models, await _listed(http))
            props = await _asked(http, "/props")
    except _Unwell as unwell:
        return Seen(str(unwell))
    except (TimeoutError, httpx2.TimeoutException):
        return Seen(f"it says nothing for {PATIENCE_S:g} s")
    except (httpx2.HTTPError, OSError) as error:
        return Seen(f"it cannot be reached ({type(error).__name__})")
    except Exception as error:
        return Seen(f"what it says cannot be read ({type(error).__name__})")
    slots = props.get("total_slots")
    return Seen(slots=slots if isinstance(slots, int) and slots > 0 else None)


async def _listed(http: httpx2.AsyncClient) -> list[str]:
    for path, list_of, name in (("/v1/models", "data", "id"), ("/api/tags", "models", "name")):
        found = (await _asked(http, path)).get(list_of)
        if isinstance(found, list):
            return [str(each.get(name)) for each in found if isinstance(each, dict)]
    raise _Unwell("it has neither /v1/models nor /api/tags")


def _check(models: Sequence[str], listed: list[str]) -> None:
    missing = [each for each in models if each not in listed and f"{each}:latest" not in listed]
    if missing:
        has = ", ".join(listed[:_NAMED]) or "none"
        raise _Unwell(f"it does not have the model {', '.join(missing)}; it has {has}")


async def _asked(http: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    """What stands at a path; nothing where a server has no such page."""
    response = await http.get(path)
    # TGI and others know a path and not this way of asking, or do not show it to everybody.
    if response.status_code in (404, 405, 501) or (path == "/props" and not response.is_success):
        return {}
    if not response.is_success:
        raise _Unwell(f"its {path} says {response.status_code}")
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
