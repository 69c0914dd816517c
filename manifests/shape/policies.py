"""`policies.yaml`: what agents and tools may do, and when a person is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manifests.shape.base import ManifestFile, Name, Risk, Shape
from manifests.shape.tools import Permissions


class AgentPolicy(Shape):
    tools: list[Name] | None = Field(None, description="The only tools it may have; absent means any.")
    deny: list[Name] = Field(default_factory=list, description="Tools it may not have.")
    max_risk: Risk = Field("high", description="Highest risk of a tool it may have.")


class SafeMode(Shape):
    effects: list[Literal["pure", "idempotent", "compensable"]] = Field(
        description="The effects that may happen in this mode."
    )


class PoliciesFile(ManifestFile):
    """`policies.yaml`"""

    default: Permissions | None = Field(None, description="The most any tool may touch; absent means what it declares.")
    agents: dict[Name, AgentPolicy] = Field(default_factory=dict, description="Per agent.")
    tools: dict[Name, Permissions] = Field(default_factory=dict, description="Per tool, in place of `default`.")
    gates: dict[Risk, Literal["human", "none"]] = Field(
        default_factory=dict, description="By risk: `human` wants a gate before every such tool."
    )
    modes: dict[Literal["analysis_only", "dry_run"], SafeMode] = Field(
        default_factory=dict, description="What the safe modes allow; absent means `pure` only."
    )
