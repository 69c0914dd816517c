"""The settings of a process, read once; nobody else looks at the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

T = TypeVar("T")
# In the environment a list is written with commas.
Listed = Annotated[list[T], NoDecode, BeforeValidator(lambda said: said.split(",") if isinstance(said, str) else said)]


class Settings(BaseSettings):
    """`HAULAGE_…`; how to reach Temporal is Temporal's own to say (`TEMPORAL_ADDRESS`, profiles, TLS)."""

    model_config = SettingsConfigDict(env_prefix="HAULAGE_", frozen=True, extra="ignore")

    queue: str = Field("haulage", description="Task queue of the runs.")
    bundles: Listed[Path] = Field([Path("manifests/catalog")], description="Bundles, or folders of bundles.")
    home: Path = Field(Path(".haulage"), description="Where plans, blobs and the embedded server's data are kept.")
    blobs: str = Field("blobs", description="Where large values are kept: a folder below `home`, `file://…`, `s3://…`.")
    store: SecretStr | None = Field(
        None,
        description="What is kept of runs: `sqlite:///path` or `postgresql://user@host/database`; "
        "absent means `store.db` below `home`.",
    )
    heartbeat_ms: int = Field(10_000, ge=500, description="A worker that is silent for so long is taken for lost.")
    told_ms: int = Field(
        500,
        ge=50,
        description="How often a model's call tells how far it is: what watchers see, and what a loss costs.",
    )
    lost_attempts: int = Field(10, ge=1, description="How often a call is given out again when its worker is lost.")
    runs: int = Field(200, ge=1, description="Workflow tasks that a worker works on at once.")
    activities: int = Field(100, ge=1, description="Activities that a worker works on at once.")
    cached_runs: int = Field(1_000, ge=0, description="Runs that a worker keeps in memory.")
    drain_s: float = Field(30.0, ge=0, description="How long a worker that stops waits for what is under way.")
    pool: Listed[str] = Field(["default"], description="Pools that a `models` worker serves.")
    server: str | None = Field(None, description="The one pool's model server, to watch; calls go to `base_url`.")
    server_models: Listed[str] = Field([], description="Models that the server must have before it gets calls.")
    server_key: str | None = Field(None, description="Name of the secret that the server wants.")
    slots: int | None = Field(None, ge=1, description="Calls that the server takes at once; else what it says itself.")
    queues: Listed[str] = Field([], description="More queues to serve: those that nodes name under `queue`.")
    deployment: str | None = Field(None, description="Name of the worker deployment; runs are pinned to its version.")
    script: Path | None = Field(None, description="A scenario that answers for models, tools and memories.")
    effects: Path | None = Field(None, description="Where a script writes down what it did.")
    secrets: Path | None = Field(None, description="A file of secrets that are not in the environment, mode 600.")
    metrics: str | None = Field(None, description="Address of the metrics of `haul worker`, as `host:port`.")
    health: str | None = Field(None, description="Address for health checks, as `host:port`.")
