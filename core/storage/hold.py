"""TimescaleDB's retention jobs drop by age alone: they are held while a rollup is behind what they would drop next."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database
from core.storage.schema import SAMPLE_TABLE

HELD = "retention_held"

# What a job would drop within a day from now (``cut``), against how far every rollup of its table has come.
_JOBS = text("""
SELECT j.job_id, j.scheduled, h.table_name::text AS name,
       now() + INTERVAL '1 day' - (j.config->>'drop_after')::interval AS cut,
       (SELECT CASE WHEN min(w.watermark) > 0 THEN to_timestamp(min(w.watermark) / 1e6) END
        FROM _timescaledb_catalog.continuous_agg c
        JOIN _timescaledb_catalog.continuous_aggs_watermark w ON w.mat_hypertable_id = c.mat_hypertable_id
        WHERE c.raw_hypertable_id = h.id) AS rolled
FROM timescaledb_information.jobs j
JOIN _timescaledb_catalog.hypertable h ON h.id = (j.config->>'hypertable_id')::int
WHERE j.proc_name = 'policy_retention' AND h.table_name = ANY(CAST(:tables AS name[]))
""")
_READ = text("SELECT value FROM jumpwatch_meta WHERE key = :key")
_NOTE = text("""
INSERT INTO jumpwatch_meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = now()
""")


async def held_jobs(connection: AsyncConnection) -> set[int]:
    """Return the retention jobs that we hold."""
    value = await connection.scalar(_READ, {"key": HELD})
    return {int(job) for job in (value or "").split(",") if job}


async def _behind(connection: AsyncConnection, row: Any) -> bool:
    """Say whether there are rows that would be dropped and lie behind what is rolled up."""
    if row.rolled is not None and row.rolled >= row.cut:
        return False
    rows = text(
        f"SELECT EXISTS (SELECT FROM {row.name} "  # noqa: S608 - one of our own names
        "WHERE ts < :cut AND ts >= coalesce(CAST(:rolled AS timestamptz), '-infinity'))"
    )
    return bool(await connection.scalar(rows, {"cut": row.cut, "rolled": row.rolled}))


async def retention_waits(connection: AsyncConnection, job_id: int) -> str:
    """Say why a job may not run now: it would drop raw data that is in no rollup yet; empty for all others."""
    for row in (await connection.execute(_JOBS, {"tables": list(SAMPLE_TABLE)})).all():
        if row.job_id == job_id and await _behind(connection, row):
            return f"it would drop rows of {row.name} that are not rolled up yet"
    return ""


async def hold_retention(database: Database) -> tuple[str, ...]:
    """Hold the retention jobs of tables whose rollups are behind, let go those that are no more; returns the held.

    A job that somebody else stopped is left alone.
    """
    async with database.connect("look after retention") as connection:
        held = await held_jobs(connection)
        rows = (await connection.execute(_JOBS, {"tables": list(SAMPLE_TABLE)})).all()
        now_held = set()
        for row in rows:
            if (row.scheduled or row.job_id in held) and await _behind(connection, row):
                now_held.add(row.job_id)
        for row in rows:
            wanted = row.job_id not in now_held
            if row.scheduled is not wanted and (row.job_id in held or not wanted):
                alter = text("SELECT alter_job(:id, scheduled => CAST(:on AS boolean))")
                await connection.execute(alter, {"id": row.job_id, "on": wanted})
        if now_held != held:
            await connection.execute(_NOTE, {"key": HELD, "value": ",".join(map(str, sorted(now_held)))})
    return tuple(row.name for row in rows if row.job_id in now_held)
