"""Alembic's environment: the connection and the storage mode are handed in by core.storage.migrate."""

from __future__ import annotations

from alembic import context

from core.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="jumpwatch_schema",
    transaction_per_migration=False,
)
context.run_migrations()  # the caller's transaction: all revisions or none
