"""Run by Alembic, in the transaction that whoever migrates has begun."""

from __future__ import annotations

from alembic import context

from activities.store.migrations.running import VERSIONS
from activities.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSIONS)
context.run_migrations()
