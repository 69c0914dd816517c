"""Agents, tools, models and stores as the Plan freezes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from manifests import plan
from manifests.bundle import Bundle
from manifests.contracts import AgentContract, ToolContract
from manifests.draft import Draft
from manifests.lowering.ladders import climbs_on, ladder
from manifests.shape.base import Budget
from manifests.shape.models import Model


def agents(draft: Draft) -> dict[str, plan.AgentSpec]:
    return {name: _agent(draft.bundle, contract) for name, contract in draft.contracts.agents.items()}


def _agent(bundle: Bundle, contract: AgentContract) -> plan.AgentSpec:
    agent = contract.agent
    return plan.AgentSpec(
        description=agent.description,
        role=agent.role,
        prompt=contract.prompt.text if contract.prompt else "",
        ladder=ladder(bundle, agent.model),
        next_rung_on=climbs_on(bundle, agent.model),
        context=agent.context,
        tools=agent.tools,
        max_turns=agent.max_turns,
        ask_again=agent.ask_again,
        calls_per_turn=agent.calls_per_turn,
        max_output=agent.max_output,
        temperature=agent.temperature,
        cache_ms=agent.cache.ttl if agent.cache else None,
        output=contract.output,
        budget=budget(agent.budget) if agent.budget else None,
    )


def budget(written: Budget | None) -> plan.Budget:
    if written is None:
        return plan.Budget()
    usd = None if written.usd is None else money(written.usd)
    return plan.Budget(tokens=written.tokens, usd=usd, time_ms=written.time, calls=written.calls)


def money(amount: Decimal) -> str:
    """A decimal without an exponent or needless zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def tools(draft: Draft) -> dict[str, plan.ToolSpec]:
    return {name: _tool(contract) for name, contract in draft.contracts.tools.items()}


def _tool(contract: ToolContract) -> plan.ToolSpec:
    tool = contract.tool
    allowed = tool.permissions
    return plan.ToolSpec(
        uses=tool.uses,
        description=tool.description,
        input=contract.input,
        output=contract.output,
        settings=tool.with_,
        effect=tool.effect,
        undo=tool.undo,
        idempotency_key=tool.idempotency_key,
        risk=tool.risk,
        read=allowed.filesystem.read,
        write=allowed.filesystem.write,
        network=allowed.network,
        commands=allowed.commands,
        secrets=allowed.secrets,
        time_ms=tool.limits.time,
        memory=tool.limits.memory,
        processes=tool.limits.processes,
        most_output=tool.limits.output,
    )


def models(bundle: Bundle) -> dict[str, plan.ModelSpec]:
    return {name: _model(defined.value) for name, defined in bundle.models.items()}


def _model(model: Model) -> plan.ModelSpec:
    prices: dict[str, Any] = {}
    if model.price:
        prices = {"input_price": money(model.price.input), "output_price": money(model.price.output)}
        prices["cached_price"] = None if model.price.cached is None else money(model.price.cached)
        prices["per"] = model.price.per
    address = model.base_url
    return plan.ModelSpec(
        provider=model.provider,
        model=model.model,
        base_url=address if address is None or isinstance(address, str) else address.model_dump(exclude_none=True),
        api_key=model.api_key.model_dump() if model.api_key else None,
        pool=model.pool,
        context=model.context,
        concurrency=model.concurrency,
        wait_ms=model.wait,
        **prices,
    )


def stores(bundle: Bundle) -> dict[str, plan.StoreSpec]:
    return {
        name: plan.StoreSpec(
            scope=defined.value.scope,
            search=defined.value.search,
            ttl_ms=defined.value.ttl,
            readers=defined.value.access.read,
            writers=defined.value.access.write,
        )
        for name, defined in bundle.stores.items()
    }


def profiles(bundle: Bundle) -> dict[str, plan.ProfileSpec]:
    return {
        name: plan.ProfileSpec(
            max_tokens=defined.value.max_tokens,
            sources=[plan.SourceSpec(**source.model_dump()) for source in defined.value.sources],
            head=defined.value.keep.head,
            tail=defined.value.keep.tail,
        )
        for name, defined in bundle.profiles.items()
    }


def plugins(bundle: Bundle) -> dict[str, plan.PluginSpec]:
    return {
        name: plan.PluginSpec(uses=defined.value.uses, settings=defined.value.with_)
        for name, defined in bundle.plugins.items()
    }
