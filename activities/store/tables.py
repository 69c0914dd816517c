"""What is kept of runs, their nodes and their calls of models: never a prompt, an answer or a secret.

The one exception is `responses`, which is there to keep answers.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, Numeric, String, Text
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import BigInteger, Field, SQLModel

# The tables of a program that works beside us in one process are none of ours.
METADATA = MetaData()


class Exact(TypeDecorator[Decimal]):
    """A decimal that comes back as it was: SQLite would make a double of it, so there it is text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        exact = Numeric() if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(exact)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Table(SQLModel, registry=registry(metadata=METADATA)):
    """Every time is in UTC."""


class Run(Table, table=True):
    """A run, or a chain of runs that were continued as new: `run_id` is the latest of them."""

    __tablename__ = "runs"
    first_run_id: str = Field(primary_key=True)
    run_id: str
    workflow_id: str = Field(index=True)
    parent: str
    manifest: str
    plan: str
    version: str
    pipeline: str
    tenant: str
    mode: str
    status: str
    category: str
    node: str
    calls: int
    tokens: int = Field(sa_type=BigInteger)
    usd: Decimal = Field(sa_type=Exact)
    started: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    ended: datetime | None = Field(sa_type=DateTime(timezone=True))


class Try(Table):
    """One try of an activity: of a node's `attempt`, given out to a worker for the `worker_attempt`-th time."""

    id: str = Field(primary_key=True)
    workflow_id: str = Field(index=True)
    run_id: str
    activity_id: str
    node: str
    attempt: int
    worker_attempt: int
    category: str
    began: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    took_ms: int = Field(sa_type=BigInteger)


class Node(Try, table=True):
    __tablename__ = "nodes"
    activity: str


class ModelCall(Try, table=True):
    """`key` is the call's idempotency key, `name` what the manifest calls the model; a `hit` was not asked of it."""

    __tablename__ = "model_calls"
    key: str
    tenant: str
    agent: str
    name: str
    model: str
    provider: str
    pool: str
    rung: str
    finish: str
    hit: bool
    tokens_in: int = Field(sa_type=BigInteger)
    tokens_out: int = Field(sa_type=BigInteger)
    cached: int = Field(sa_type=BigInteger)
    reasoning: int = Field(sa_type=BigInteger)
    usd: Decimal = Field(sa_type=Exact)


class Response(Table, table=True):
    __tablename__ = "responses"
    key: str = Field(primary_key=True, sa_type=String(64))
    value: str = Field(sa_type=Text)
    expires: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class Statistic(Table, table=True):
    """What `model_calls` come to in one hour; `latencies` counts them by `statistics.step`. Hits are only counted."""

    __tablename__ = "statistics"
    hour: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    model: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    calls: int = Field(sa_type=BigInteger)
    hits: int = Field(sa_type=BigInteger)
    failures: dict[str, int] = Field(sa_type=JSON)
    rungs: dict[str, int] = Field(sa_type=JSON)
    tokens_in: int = Field(sa_type=BigInteger)
    tokens_out: int = Field(sa_type=BigInteger)
    cached: int = Field(sa_type=BigInteger)
    reasoning: int = Field(sa_type=BigInteger)
    usd: Decimal = Field(sa_type=Exact)
    took_ms: int = Field(sa_type=BigInteger)
    latencies: dict[str, int] = Field(sa_type=JSON)
