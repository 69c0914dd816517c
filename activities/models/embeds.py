"""`models.embed`: texts of a run as vectors, from the model that its plan names."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from temporalio import activity

from activities.blobs import Keeper
from activities.contracts import Embed, Usage, Vectors
from activities.failing import Failing
from activities.models.clipping import check_texts
from activities.models.embedding import Embedded
from activities.models.endpoints import Endpoints
from activities.models.hearing import about
from activities.models.metrics import Measured
from activities.models.prices import priced
from activities.models.telling import check_first
from activities.plans import Plans
from activities.script import Script
from activities.watching import broken_off
from manifests.builtins import TOOLS
from manifests.plan import ModelSpec
from manifests.values import misfit


class EmbedActivities:
    def __init__(self, plans: Plans, keeper: Keeper, script: Script | None, endpoints: Endpoints) -> None:
        self._plans, self._keeper, self._script, self._endpoints = plans, keeper, script, endpoints

    @activity.defn(name="models.embed")
    async def embed(self, request: Embed) -> Vectors:
        plan = await asyncio.to_thread(self._plans.by_hash, request.plan)
        given = {"texts": await asyncio.to_thread(self._keeper.brought_back, request.texts)}
        wrong = misfit(TOOLS["embed"].input, given)
        if wrong:
            raise Failing("input", f"what is to be embedded does not fit: {wrong}")
        model, usage = plan.models[request.model], Usage()
        await asyncio.to_thread(check_texts, given["texts"], model, request.cap)
        if self._script is not None:
            output = await asyncio.to_thread(self._script.tool, request, request.tool)
        elif model.provider == "scripted":
            output = {"vectors": [_made_up(text) for text in given["texts"]]}
        else:
            found = await self._embedded(request, model, given["texts"])
            output, usage = {"vectors": found.vectors}, found.usage
        return Vectors(output=await asyncio.to_thread(self._keeper.taken_in, output, request.keep), usage=usage)

    async def _embedded(self, request: Embed, model: ModelSpec, texts: list[str]) -> Embedded:
        provider = await self._endpoints.reached(request.model, model)
        measured = Measured(model, provider.breaker)
        used = priced(model, Usage(tokens_in=about(sum(map(len, texts)))))
        check_first(request.cap, used)
        broken_off(used)
        try:
            found = await provider.embed(model.model, texts, self._endpoints.place(model))
        except Failing as failing:
            measured.ended(failing.type or "engine", failing.usage)
            usage = failing.usage and priced(model, failing.usage)
            after = failing.retry_after_ms
            raise Failing(failing.type or "engine", failing.message, retry_after_ms=after, usage=usage) from None
        broken_off(priced(model, found.usage))
        measured.ended("ok", found.usage)
        return Embedded(found.vectors, priced(model, found.usage))


def _made_up(text: str) -> list[Any]:
    """The same for the same text, and of no meaning."""
    return [byte / 255 for byte in hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]]
