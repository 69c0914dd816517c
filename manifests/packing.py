"""A plan as a history carries it."""

from __future__ import annotations

import base64
import gzip

from manifests.plan import Plan, loaded


def packed(plan: Plan) -> str:
    """A third of its JSON or less: `base64 -d | gunzip` gives that back."""
    return base64.b64encode(gzip.compress(plan.canonical(), mtime=0)).decode()


def carried(data: object) -> Plan:
    """The plan that a history has; older ones have it as JSON."""
    return loaded(gzip.decompress(base64.b64decode(data))) if isinstance(data, str) else Plan.model_validate(data)
