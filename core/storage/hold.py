"""TimescaleDB's retention jobs drop by age alone: they are held while a rollup is behind what they would drop next."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database

HELD = "retention_held"

# What a job would drop within a day from now, against how far every rollup of its table has come.
_DUE = """
SELECT j.job_id, j.scheduled, h.table_name::text AS name,
       EXISTS (
           SELECT FROM _timescaledb_catalog.dimension d
           JOIN _timescaledb_catalog.dimension_slice s ON s.dimension_id = d.id
           WHERE d.hypertable_id = h.id
             AND s.range_end <= 1e6 * extract(epoch FROM now() + INTERVAL '1 day' - (j.config->>'drop_after')::interval)
             AND s.range_end > (
                 SELECT min(w.watermark) FROM _timescaledb_catalog.continuous_agg c
                 JOIN _timescaledb_catalog.continuous_aggs_watermark w ON w.mat_hypertable_id = c.mat_hypertable_id
                 WHERE c.raw_hypertable_id = h.id)
       ) AS behind
FROM timescaledb_information.jobs j
JOIN _timescaledb_catalog.hypertable h ON h.id = (j.config->>'hypertable_id')::int
WHERE j.proc_name = 'policy_retention'
  AND EXISTS (SELECT FROM _timescaledb_catalog.continuous_agg c WHERE c.raw_hypertable_id = h.id)
"""
_READ = text("SELECT value FROM jumpwatch_meta WHERE key = :key")
_NOTE = text("""
INSERT INTO jumpwatch_meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = now()
""")


async def held_jobs(connection: AsyncConnection) -> set[int]:
    """Return the retention jobs that we hold."""
    value = await connection.scalar(_READ, {"key": HELD})
    return {int(job) for job in (value or "").split(",") if job}


async def hold_retention(database: Database) -> tuple[str, ...]:
    """Hold the retention jobs of tables whose rollups are behind, let go those that are no more; returns the held.

    A job that somebody else stopped is left alone.
    """
    async with database.connect("look after retention") as connection:
        held = await held_jobs(connection)
        rows = (await connection.execute(text(_DUE))).all()
        now_held = {row.job_id for row in rows if row.behind and (row.scheduled or row.job_id in held)}
        for row in rows:
            wanted = row.job_id not in now_held
            if row.scheduled is not wanted and (row.job_id in held or not wanted):
                alter = text("SELECT alter_job(:id, scheduled => CAST(:on AS boolean))")
                await connection.execute(alter, {"id": row.job_id, "on": wanted})
        if now_held != held:
            await connection.execute(_NOTE, {"key": HELD, "value": ",".join(map(str, sorted(now_held)))})
    return tuple(row.name for row in rows if row.job_id in now_held)
