"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from activities.store.tables import Exact

revision = "0001"
down_revision = None
INDEXES = (
    *(("runs", "workflow_id"), ("runs", "started"), ("nodes", "workflow_id"), ("nodes", "began")),
    *(("model_calls", "workflow_id"), ("model_calls", "began"), ("responses", "expires")),
)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("first_run_id", sa.String(), primary_key=True),
        *_texts("run_id", "workflow_id", "parent", "manifest", "plan", "version", "pipeline", "tenant", "mode"),
        *_texts("status", "category", "node"),
        sa.Column("calls", sa.Integer(), nullable=False),
        *_numbers("tokens"),
        sa.Column("usd", Exact(), nullable=False),
        _time("started"),
        sa.Column("ended", sa.DateTime(timezone=True)),
    )
    op.create_table("nodes", *_try(), *_texts("activity"))
    op.create_table(
        "model_calls",
        *_try(),
        *_texts("key", "tenant", "agent", "name", "model", "provider", "pool", "rung", "finish"),
        sa.Column("hit", sa.Boolean(), nullable=False),
        *_numbers("tokens_in", "tokens_out", "cached", "reasoning"),
        sa.Column("usd", Exact(), nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
        _time("expires"),
    )
    op.create_table(
        "statistics",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("model", "provider", "pool")),
        *_numbers("calls", "hits", "tokens_in", "tokens_out", "cached", "reasoning", "took_ms"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("failures", "rungs", "latencies")),
        sa.Column("usd", Exact(), nullable=False),
    )
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table in ("runs", "nodes", "model_calls", "responses", "statistics"):
        op.drop_table(table)


def _try() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.String(), primary_key=True),
        *_texts("workflow_id", "run_id", "activity_id", "node"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_attempt", sa.Integer(), nullable=False),
        *_texts("category"),
        _time("began"),
        *_numbers("took_ms"),
    ]


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
