"""Budgets, deadlines and call limits that the plan can keep."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from manifests import plan
from manifests.analysis import Analysis
from manifests.draft import Node
from manifests.lowering.bounds import tries, worst_ms
from manifests.problems import Problem
from manifests.shape.base import shown_duration


def budgets_can_be_met(found: Analysis, made: plan.Plan) -> Iterator[Problem]:
    at = found.draft.bundle.workflow.at / "budget"
    least, budget = made.bounds, made.budget
    if budget.tokens is not None and budget.tokens < least.least_tokens:
        message = f"every run needs at least {least.least_tokens} tokens, and may use {budget.tokens}"
        yield Problem(
            "HL501", at / "tokens", message, f"at least {least.least_tokens}", "raise it, or shorten the prompts"
        )
    if budget.time_ms is not None and budget.time_ms < least.least_ms:
        needed = shown_duration(least.least_ms)
        message = f"every run waits {needed}, and may take {shown_duration(budget.time_ms)}"
        yield Problem("HL501", at / "time", message, f"at least {needed}", "raise it, or wait for less")
    cheapest = _least_usd(made)
    if budget.usd is not None and Decimal(budget.usd) < cheapest:
        message = f"every run costs at least ${cheapest:f}, and may cost ${budget.usd}"
        yield Problem("HL501", at / "usd", message, f"at least {cheapest:f}", "raise it, or use a cheaper model")


def _least_usd(made: plan.Plan) -> Decimal:
    """The tokens that every run needs, at the lowest price there is."""
    used = {rung for agent in made.agents.values() for rung in agent.ladder}
    prices = [Decimal(made.models[rung].input_price) / made.models[rung].per for rung in used]
    return made.bounds.least_tokens * min(prices, default=Decimal(0))


def agents_can_afford_their_prompts(found: Analysis, made: plan.Plan) -> Iterator[Problem]:
    for contract in found.draft.contracts.agents.values():
        budget = contract.agent.budget
        words = contract.prompt.least_words + 1 if contract.prompt else 0
        if budget and budget.tokens is not None and budget.tokens < words:
            at = contract.defined.at / "budget" / "tokens"
            message = f"its prompt alone has {words} tokens or more, and it may use {budget.tokens}"
            yield Problem("HL501", at, message, f"at least {words}", "raise it, or shorten the prompt")


def ladders_end_in_time(found: Analysis, made: plan.Plan) -> Iterator[Problem]:
    for node, lowered in pairs(found, made):
        if lowered.retry is None:
            continue
        longest, deadline = worst_ms(lowered), made.budget.time_ms
        if deadline is not None and longest > deadline:
            said = f"{lowered.retry.attempts} tries of up to {shown_duration(lowered.timeout_ms or 0)}"
            longest_said, deadline_said = shown_duration(longest), shown_duration(deadline)
            message = f"{said} and the waits between them take {longest_said}, and the run has {deadline_said}"
            fix = "try less often, give `timeout` a smaller value, or raise `budget.time`"
            yield Problem("HL502", node.at / "retry", message, f"at most {deadline_said}", fix)


def ladders_stay_within_calls(found: Analysis, made: plan.Plan) -> Iterator[Problem]:
    limits = [limit for limit in (made.call_limit, made.budget.calls) if limit is not None]
    for node, lowered in pairs(found, made) if limits else ():
        calls, said = _calls(lowered, made)
        if calls > min(limits):
            at = node.at / "retry" if lowered.retry else node.at.key
            message = f"{node.id!r} may make {calls} calls ({said}), and {min(limits)} are allowed"
            fix = "try less often, take fewer turns, or raise the limit"
            yield Problem("HL503", at, message, f"at most {min(limits)}", fix)


def _calls(node: plan.Node, made: plan.Plan) -> tuple[int, str]:
    times = tries(node)
    if isinstance(node, plan.Agent):
        agent = made.agents[node.agent]
        models = times * agent.max_turns * len(agent.ladder)
        tools = times * (agent.max_turns - 1) * agent.calls_per_turn if agent.tools else 0
        said = f"{_tries(times)} × {agent.max_turns} turns × {len(agent.ladder)} models"
        return models + tools, said + (f" + {tools} tool calls" if tools else "")
    return (times, _tries(times)) if isinstance(node, plan.Tool) else (0, "")


def _tries(times: int) -> str:
    return "one try" if times == 1 else f"{times} tries"


def pairs(found: Analysis, made: plan.Plan) -> Iterator[tuple[Node, plan.Node]]:
    """The nodes as they are written, each with what became of it."""
    lowered = {node.path: node for node in made.graph.walk()}
    if made.final:
        lowered.update({node.path: node for node in made.final.walk()})
    for node in found.draft.nodes():
        if node.path in lowered:
            yield node, lowered[node.path]


CHECKS = (budgets_can_be_met, agents_can_afford_their_prompts, ladders_end_in_time, ladders_stay_within_calls)
