"""From a checked draft to a Plan: every default frozen, every name replaced by what it stands for."""

from manifests.lowering.plans import lower

__all__ = ["lower"]
