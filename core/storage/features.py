"""What the connected TimescaleDB has, found in its own catalogue: 2.13 to 2.29 differ, and no version is guessed at."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database

_EVERY_S = 60.0  # the extension may be updated below a console that goes on running

# Columns and routines in one answer; a table or a routine that is not there simply has no row.
_FOUND = text("""
SELECT c.relname || '.' || a.attname AS name FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = '_timescaledb_catalog'
WHERE c.relname IN ('chunk', 'dimension_slice') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT p.proname || '(' || coalesce(array_to_string(p.proargnames, ','), '') || ')' FROM pg_catalog.pg_proc p
WHERE p.proname IN ('add_columnstore_policy', 'add_continuous_aggregate_policy')
""")


@dataclass(frozen=True, slots=True)
class Features:
    """The differences that our statements heed."""

    dropped_marked: bool  # up to 2.25: chunk.dropped marks chunks that are gone
    chunk_relid: bool  # from 2.29: chunk.relid stands for schema_name and table_name
    slice_of_chunk: bool  # from 2.28: dimension_slice.chunk_id stands for the table chunk_constraint
    columnstore: bool  # from 2.18: columnstore is said where compression was
    refresh_batches: bool  # from 2.20: a refresh policy works in batches of buckets


def choose(found: Iterable[str]) -> Features:
    """Return the features of a catalogue with these columns ("table.column") and routines ("name(arguments)")."""
    names = set(found)
    refresh = next((name for name in names if name.startswith("add_continuous_aggregate_policy(")), "")
    return Features(
        dropped_marked="chunk.dropped" in names,
        chunk_relid="chunk.relid" in names and "chunk.table_name" not in names,
        slice_of_chunk="dimension_slice.chunk_id" in names,
        columnstore=any(name.startswith("add_columnstore_policy(") for name in names),
        refresh_batches="buckets_per_batch" in refresh,
    )


async def features(database: Database, connection: AsyncConnection) -> Features:
    """Return what the server has; asked once a minute, about a millisecond."""
    known: tuple[Features, float] | None = database.slow_figures.get("features")
    if known is None or time.monotonic() - known[1] > _EVERY_S:
        known = choose((await connection.execute(_FOUND)).scalars()), time.monotonic()
        database.slow_figures["features"] = known
    return known[0]
