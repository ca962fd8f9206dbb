"""What stands beside the tables: chunks, compression, rollups and their policies, compared with the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database
from core.storage.schema import ROLLUPS, SAMPLE_TABLES
from core.storage.setup_times import keep_for
from core.storage.timescale import COMPRESSION, REFRESH, RETENTION

Row = tuple[str, str, str, str]  # kind, target, what was found, the way out
_MAKES = "`jumpwatch db init` makes it"
_SETS = "`jumpwatch db init` brings it to the settings"

_HYPERTABLES = text("""
SELECT h.id, coalesce(c.user_view_name, h.table_name)::text AS name, c.mat_hypertable_id IS NOT NULL AS rollup,
       h.compression_state = 1 OR h.status & 4 <> 0 AS compression, d.interval_length AS interval_us
FROM _timescaledb_catalog.hypertable h
JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id AND d.interval_length IS NOT NULL
LEFT JOIN _timescaledb_catalog.continuous_agg c ON c.mat_hypertable_id = h.id
WHERE h.compression_state <> 2 AND (h.schema_name = 'public' OR c.user_view_schema = 'public')
""")
_POLICIES = text("""
SELECT j.job_id, j.proc_name::text AS proc, j.config::text AS config, j.scheduled,
       coalesce(j.config->>'mat_hypertable_id', j.config->>'hypertable_id') AS table_id
FROM timescaledb_information.jobs j WHERE j.proc_name = ANY (CAST(:procs AS text[]))
""")
_SECONDS = text("SELECT extract(epoch FROM CAST(CAST(:value AS text) AS interval))::float8")
_DEFAULTS = text("""
SELECT parent.relname::text AS name FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent AND parent.relkind = 'p'
JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid
WHERE pg_get_expr(child.relpartbound, child.oid) = 'DEFAULT' AND parent.relnamespace = 'public'::regnamespace
""")


async def policy_drift(database: Database, connection: AsyncConnection, kinds: dict[str, str]) -> list[Row]:
    """Return what lacks or differs; ``kinds`` are the relkinds of the tables and rollups that are there."""
    if database.timescale:
        return await _timescale(database, connection, kinds)
    return [*_partitioned(kinds, {row.name for row in await connection.execute(_DEFAULTS)})]


def _partitioned(kinds: dict[str, str], defaults: set[str]) -> Iterator[Row]:
    for name in keep_for_names():
        rollup = name not in {table.name for table in SAMPLE_TABLES}
        if name not in kinds:
            if rollup:
                yield "rollup", name, "missing", _MAKES
        elif kinds[name] != "p":
            way = "rename it, `jumpwatch db init` makes it anew, then copy its rows into it"
            yield "partitions", name, "it is not partitioned", way
        elif name not in defaults:
            yield "partitions", f"{name}_default", f"missing: a row of {name} without a partition is refused", _MAKES


def keep_for_names() -> list[str]:
    """Return the names of our sample tables and rollups, in order."""
    return [*(table.name for table in SAMPLE_TABLES), *(rollup.name for rollup in ROLLUPS)]


async def _timescale(database: Database, connection: AsyncConnection, kinds: dict[str, str]) -> list[Row]:
    settings = database.retention
    owners = {row.name: row for row in await connection.execute(_HYPERTABLES)}
    jobs: dict[tuple[str, str], Any] = {}
    for row in await connection.execute(_POLICIES, {"procs": [COMPRESSION, REFRESH, RETENTION]}):
        jobs[row.proc, row.table_id] = row
    keep, found = keep_for(settings), list[Row]()
    for table in SAMPLE_TABLES:
        owner = owners.get(table.name)
        if owner is None:
            if table.name in kinds:
                found.append(("hypertable", table.name, "it is a plain table", "`jumpwatch db init` converts it"))
            continue
        wanted = settings.chunk_interval
        if owner.interval_us != wanted // timedelta(microseconds=1):
            is_ = timedelta(microseconds=owner.interval_us)
            found.append(("hypertable", table.name, f"its chunks are of {is_}, {wanted} is set", _SETS))
        if not owner.compression:
            found.append(("compression", table.name, "not enabled", _MAKES))
        times = {"compress_after": settings.compress_after}
        found += await _policy(connection, jobs.get((COMPRESSION, str(owner.id))), "compression", table.name, times)
        times = {"drop_after": keep[table.name]}
        found += await _policy(connection, jobs.get((RETENTION, str(owner.id))), "retention", table.name, times)
    for rollup in ROLLUPS:
        owner = owners.get(rollup.name)
        if owner is None:
            other = "a table of that name is no rollup: rename it" if rollup.name in kinds else "missing"
            found.append(("rollup", rollup.name, other, _MAKES))
            continue
        times = {"start_offset": settings.refresh_start, "end_offset": timedelta(seconds=rollup.width_s)}
        found += await _policy(connection, jobs.get((REFRESH, str(owner.id))), "refresh", rollup.name, times)
        times = {"drop_after": keep[rollup.name]}
        found += await _policy(connection, jobs.get((RETENTION, str(owner.id))), "retention", rollup.name, times)
    return found


async def _policy(
    connection: AsyncConnection, job: Any, kind: str, target: str, wanted: dict[str, timedelta]
) -> list[Row]:
    """Compare one policy's times with the settings."""
    if job is None:
        return [("policy", target, f"no {kind} policy", _MAKES)]
    config, found = json.loads(job.config), list[Row]()
    for key, value in wanted.items():
        is_ = config.get(key)
        seconds = await connection.scalar(_SECONDS, {"value": str(is_)}) if is_ is not None else None
        if seconds != value.total_seconds():
            found.append(("policy", target, f"its {kind} policy has {key} {is_}, {value} is set", _SETS))
    return found
