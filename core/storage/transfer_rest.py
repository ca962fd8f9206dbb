"""What a copy takes besides samples and logs: what the database knows of itself, and the history of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from core.storage.engine import Database
from core.storage.parts import OWN_KEYS, OWN_PREFIXES

if TYPE_CHECKING:
    from core.storage.mover import Mover
    from core.storage.transfer_counts import TableCount

_META = text("SELECT key, value FROM jumpwatch_meta")
_KEEP = text("INSERT INTO jumpwatch_meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING")
_RAN = text("SELECT * FROM jumpwatch_jobs")
_TAKE = text("""
INSERT INTO jumpwatch_jobs (job_id, name, last_run, last_ok, last_error, total_runs, total_failures)
VALUES (:job_id, :name, :last_run, :last_ok, :last_error, :total_runs, :total_failures)
ON CONFLICT (job_id) DO NOTHING
""")
# A job is known on both sides by what it does and to which table; the server numbers it as it likes.
_JOBS = text("""
SELECT j.job_id, split_part(j.application_name::text, ' [', 1) AS name,
       coalesce(c.user_view_name, h.table_name)::text AS owner
FROM timescaledb_information.jobs j
JOIN _timescaledb_catalog.hypertable h
  ON h.id = CAST(coalesce(j.config->>'mat_hypertable_id', j.config->>'hypertable_id') AS int)
LEFT JOIN _timescaledb_catalog.continuous_agg c ON c.mat_hypertable_id = h.id
""")
_OWN = {
    "hosts": "SELECT count(*) FROM hosts WHERE CAST(:since AS timestamptz) IS NULL",
    "samples": "SELECT count(*) FROM host_samples "
    "WHERE ts >= coalesce(CAST(:since AS timestamptz), TIMESTAMPTZ '-infinity')",
    "transitions": "SELECT count(*) FROM transitions "
    "WHERE ts >= coalesce(CAST(:since AS timestamptz), TIMESTAMPTZ '-infinity')",
    "findings": "SELECT count(*) FROM findings WHERE ts >= coalesce(CAST(:since AS timestamptz), "
    "TIMESTAMPTZ '-infinity')",
}


async def own_rows(target: Database, since: datetime | None) -> str:
    """Say which rows of its own a target has, newer than its copy (None: any at all); empty where none."""
    found = []
    async with target.connect("look what the target holds") as connection:
        for name, statement in _OWN.items():
            rows = await connection.scalar(text(statement), {"since": since})
            if rows:
                found.append(f"{rows} {name}")
    return ", ".join(found)


async def totals(mover: Mover, table: str) -> tuple[int, int]:
    """Return how many rows a whole table has in the source, and in the target."""
    found = []
    for database in (mover.source, mover.target):
        async with database.connect(f"count {table}") as connection:
            found.append(int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0))  # noqa: S608 - our own names
    return found[0], found[1]


def judged(count: TableCount) -> TableCount:
    """Return the count of a whole table with what lacks of it."""
    if count.lacking or count.note:
        return count
    return replace(count, lacking=max(0, count.source - count.target))


async def meta(mover: Mover) -> None:
    """Copy what the source's tables of settings say, but for what each database knows of itself alone."""
    async with mover.source.connect("read what the source knows of itself") as connection:
        rows = (await connection.execute(_META)).all()
    async with mover.target.connect("note what the source knew") as connection:
        for row in rows:
            if row.key not in OWN_KEYS and not row.key.startswith(OWN_PREFIXES):
                await connection.execute(_KEEP, {"key": row.key, "value": row.value})


async def jobs(mover: Mover) -> tuple[int, int, int, str]:
    """Copy the history of the jobs; returns rows in source, copied, lacking, and a note."""
    async with mover.source.connect("read the history of the jobs") as connection:
        rows = [dict(row) for row in (await connection.execute(_RAN)).mappings()]
    ids = None
    if mover.source.timescale and mover.target.timescale:
        ids = same_jobs(await known_jobs(mover.source), await known_jobs(mover.target))
    taken = [{**row, "job_id": ids[row["job_id"]]} for row in rows if row["job_id"] in ids] if ids is not None else rows
    if mover.source.timescale is not mover.target.timescale:
        taken = []
    async with mover.target.connect("note the history of the jobs") as connection:
        for row in taken:
            await connection.execute(_TAKE, row)
    left = len(rows) - len(taken)
    note = f"{left} are of jobs that the target has not" if left else "same jobs"
    return len(rows), len(taken), 0, note


async def known_jobs(database: Database) -> dict[tuple[str, str], int]:
    """Return the jobs of TimescaleDB on our tables: number by name and table."""
    async with database.connect("read the jobs") as connection:
        return {(row.name, row.owner): row.job_id for row in await connection.execute(_JOBS)}


def same_jobs(source: Mapping[tuple[str, str], int], target: Mapping[tuple[str, str], int]) -> dict[int, int]:
    """Return the target's job by the source's."""
    return {job_id: target[key] for key, job_id in source.items() if key in target}
