"""Hypertables and policies on TimescaleDB; every step may be run again and says what it found."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import compress_time
from core.storage.engine import Database
from core.storage.features import features
from core.storage.hold import held_jobs
from core.storage.schema import MINUTE, Rollup, SampleTable
from core.storage.steps import StepResult, StepState

COMPRESSION, RETENTION, REFRESH = "policy_compression", "policy_retention", "policy_refresh_continuous_aggregate"

_HYPERTABLE = text("""
SELECT h.id, d.interval_length AS interval_us
FROM _timescaledb_catalog.hypertable h JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id
WHERE h.schema_name = 'public' AND h.table_name = :name
""")
_MATERIAL = text("""
SELECT c.mat_hypertable_id AS id FROM _timescaledb_catalog.continuous_agg c
WHERE c.user_view_schema = 'public' AND c.user_view_name = :name
""")
_JOB = text("""
SELECT job_id, config, schedule_interval, scheduled FROM timescaledb_information.jobs
WHERE proc_name = :proc AND coalesce(config->>'mat_hypertable_id', config->>'hypertable_id') = :id
ORDER BY job_id LIMIT 1
""")
_WATERMARK = text("""
SELECT CASE WHEN w.watermark > 0 THEN to_timestamp(w.watermark / 1e6) END
FROM _timescaledb_catalog.continuous_aggs_watermark w WHERE w.mat_hypertable_id = :id
""")
# One row a column: the view is the same in every version.
_SETTINGS = text("""
SELECT attname::text AS name, segmentby_column_index AS segment, orderby_column_index AS place, orderby_asc AS rising
FROM timescaledb_information.compression_settings
JOIN _timescaledb_catalog.hypertable h ON h.schema_name = hypertable_schema AND h.table_name = hypertable_name
WHERE h.id = :id ORDER BY segment, place
""")


def seconds(value: timedelta) -> str:
    """Return a length of time as a PostgreSQL interval."""
    return f"{value.total_seconds():.0f} seconds"


async def create_hypertable(database: Database, table: SampleTable) -> StepResult:
    """Make the table a hypertable, or bring its chunk interval to the setting (for chunks to come)."""
    step, interval = "hypertable", database.retention.chunk_interval
    async with database.connect(f"create hypertable {table.name}") as connection:
        found = (await connection.execute(_HYPERTABLE, {"name": table.name})).one_or_none()
        arguments = {"table": table.name, "interval": seconds(interval)}
        if found is None:
            await connection.execute(
                text(
                    "SELECT create_hypertable(CAST(CAST(:table AS text) AS regclass), "
                    "by_range('ts', CAST(CAST(:interval AS text) AS interval)), "
                    "create_default_indexes => false, migrate_data => true)"
                ),
                arguments,
            )
            return StepResult(step, table.name, StepState.CREATED, f"chunks of {interval}")
        if found.interval_us == interval // timedelta(microseconds=1):
            return StepResult(step, table.name, StepState.SKIPPED, f"chunks of {interval} already")
        await connection.execute(
            text(
                "SELECT set_chunk_time_interval(CAST(CAST(:table AS text) AS regclass), "
                "CAST(CAST(:interval AS text) AS interval))"
            ),
            arguments,
        )
    return StepResult(step, table.name, StepState.CHANGED, f"chunks of {interval} from the next one on")


async def enable_compression(database: Database, table: SampleTable | Rollup) -> StepResult:
    """Say how chunks are compressed: by host, and within it by item and time."""
    step, wanted = "compression", f"by host_id, ordered by {table.order_by}"
    async with database.connect(f"enable compression of {table.name}") as connection:
        found = await _find(connection, table)
        if found is None:
            return StepResult(step, table.name, StepState.FAILED, "it is no hypertable")
        was = await _compressed_by(connection, found.id)
        if was == wanted:
            return StepResult(step, table.name, StepState.SKIPPED, f"{wanted} already")
        # The options' first names: every version knows them. As a simple query: prepared, the WebAssembly engine was
        # seen to change nothing. Names of our own schema, none from outside; ALTER takes no bound parameters.
        kind = "MATERIALIZED VIEW" if isinstance(table, Rollup) else "TABLE"
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute(
            f"ALTER {kind} {table.name} SET (timescaledb.compress, "
            f"timescaledb.compress_segmentby = 'host_id', timescaledb.compress_orderby = '{table.order_by}')"
        )
        now = await _compressed_by(connection, found.id)
    if now != wanted:
        return StepResult(step, table.name, StepState.FAILED, f"the server took {wanted!r} and has {now!r}")
    if not was:
        return StepResult(step, table.name, StepState.CREATED, wanted)
    return StepResult(step, table.name, StepState.CHANGED, f"{wanted}, for chunks compressed from now on; was {was}")


async def _compressed_by(connection: AsyncConnection, table_id: int) -> str:
    """Return how a hypertable is compressed, in the words of the steps; empty where it is not."""
    rows = (await connection.execute(_SETTINGS, {"id": table_id})).all()
    if not rows:
        return ""
    segments = ", ".join(row.name for row in rows if row.segment)
    order = ", ".join(row.name + ("" if row.rising else " DESC") for row in rows if row.place)
    return f"by {segments or 'nothing'}, ordered by {order or 'nothing'}"


async def compression_policy(database: Database, table: SampleTable | Rollup) -> StepResult:
    """Let a background job compress old chunks: raw ones after compress_after, rollups once nothing refreshes them."""
    step, after = "compression policy", compress_time(table.name, database.retention)
    async with database.connect(f"compression policy of {table.name}") as connection:
        found = await _find(connection, table)
        if found is None:
            return StepResult(step, table.name, StepState.FAILED, "it is no hypertable")
        job = await _job(connection, COMPRESSION, found.id)
        if job is not None:
            return await _adjust(connection, job, step, table.name, {"compress_after": after})
        columnstore = (await features(database, connection)).columnstore
        call = "CALL add_columnstore_policy" if columnstore else "SELECT add_compression_policy"
        word = "after" if columnstore else "compress_after"
        arguments = f"CAST(CAST(:t AS text) AS regclass), {word} => CAST(CAST(:a AS text) AS interval)"
        await connection.execute(text(f"{call}({arguments})"), {"t": table.name, "a": seconds(after)})
    return StepResult(step, table.name, StepState.CREATED, f"after {after}")


async def retention_policy(database: Database, name: str, after: timedelta, *, rollup: bool = False) -> StepResult:
    """Let chunks of a hypertable or rollup older than ``after`` be dropped by a background job."""
    async with database.connect(f"retention policy of {name}") as connection:
        found = (await connection.execute(_MATERIAL if rollup else _HYPERTABLE, {"name": name})).one_or_none()
        if found is None:
            return StepResult("retention policy", name, StepState.FAILED, "it is not there")
        job = await _job(connection, RETENTION, found.id)
        if job is not None:
            return await _adjust(connection, job, "retention policy", name, {"drop_after": after})
        await connection.execute(
            text(
                "SELECT add_retention_policy(CAST(CAST(:t AS text) AS regclass), "
                "drop_after => CAST(CAST(:a AS text) AS interval))"
            ),
            {"t": name, "a": seconds(after)},
        )
    return StepResult("retention policy", name, StepState.CREATED, f"after {after}")


async def create_aggregate(database: Database, rollup: Rollup) -> StepResult:
    """Create the continuous aggregate, empty; a refresh fills it."""
    async with database.connect(f"create rollup {rollup.name}") as connection:
        if (await connection.execute(_MATERIAL, {"name": rollup.name})).one_or_none() is not None:
            return StepResult("rollup", rollup.name, StepState.SKIPPED, "there already")
        await connection.execute(text(aggregate_sql(rollup)))
    return StepResult("rollup", rollup.name, StepState.CREATED, f"continuous aggregate, {rollup.width} a bucket")


def aggregate_sql(rollup: Rollup) -> str:
    """Return the statement that creates a continuous aggregate; every name in it is from our own schema."""
    keys = ", ".join(rollup.source.keys)
    made = ", ".join(
        f"sum({f}) AS {f}_sum, count({f}) AS {f}_count, min({f}) AS {f}_min, max({f}) AS {f}_max, "
        f"last({f}, ts) AS {f}_last"
        for f in rollup.figures
    )
    return (
        f"CREATE MATERIALIZED VIEW {rollup.name} "  # noqa: S608 - names of our own schema
        f"WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS "
        f"SELECT time_bucket(INTERVAL '{rollup.width}', ts) AS bucket, {keys}, count(*) AS samples, {made} "
        f"FROM {rollup.source.name} GROUP BY bucket, {keys} WITH NO DATA"
    )


async def refresh_policy(database: Database, rollup: Rollup) -> StepResult:
    """Let a background job refresh the rollup over the last ``refresh_start``, never further back."""
    start, end = database.retention.refresh_start, timedelta(seconds=rollup.width_s)
    every = timedelta(minutes=5) if rollup.width_s == MINUTE else timedelta(minutes=30)
    async with database.connect(f"refresh policy of {rollup.name}") as connection:
        found = (await connection.execute(_MATERIAL, {"name": rollup.name})).one_or_none()
        if found is None:
            return StepResult("refresh policy", rollup.name, StepState.FAILED, "the rollup is not there")
        job = await _job(connection, REFRESH, found.id)
        if job is not None:
            wanted = {"start_offset": start, "end_offset": end}
            return await _adjust(connection, job, "refresh policy", rollup.name, wanted, every)
        # Newer versions refresh in batches, by default one bucket each: 4320 transactions for three days of minutes.
        batch = ", buckets_per_batch => :batch" if (await features(database, connection)).refresh_batches else ""
        days = {"batch": 86_400 // rollup.width_s} if batch else {}
        await connection.execute(
            text(
                "SELECT add_continuous_aggregate_policy(CAST(CAST(:t AS text) AS regclass), "
                "start_offset => CAST(CAST(:start AS text) AS interval), "
                "end_offset => CAST(CAST(:end AS text) AS interval), "
                f"schedule_interval => CAST(CAST(:every AS text) AS interval){batch})"
            ),
            {"t": rollup.name, "start": seconds(start), "end": seconds(end), "every": seconds(every), **days},
        )
    return StepResult("refresh policy", rollup.name, StepState.CREATED, f"the last {start}, every {every}")


async def refreshed_to(database: Database, rollup: Rollup) -> tuple[bool, datetime | None]:
    """Say whether a job refreshes the rollup, and up to where it has been refreshed (None: never)."""
    async with database.connect(f"look how far {rollup.name} is") as connection:
        found = (await connection.execute(_MATERIAL, {"name": rollup.name})).one()
        job = await _job(connection, REFRESH, found.id)
        watermark: datetime | None = await connection.scalar(_WATERMARK, {"id": found.id})
    return job is not None, watermark


async def _find(connection: AsyncConnection, table: SampleTable | Rollup) -> Any:
    """Return the hypertable of a table, or the one that holds a rollup; None where there is none."""
    statement = _MATERIAL if isinstance(table, Rollup) else _HYPERTABLE
    return (await connection.execute(statement, {"name": table.name})).one_or_none()


async def _job(connection: AsyncConnection, proc: str, table_id: int) -> Any:
    return (await connection.execute(_JOB, {"proc": proc, "id": str(table_id)})).one_or_none()


async def _adjust(
    connection: AsyncConnection,
    job: Any,
    step: str,
    target: str,
    wanted: dict[str, timedelta],
    every: timedelta | None = None,
) -> StepResult:
    """Bring a job's configuration and schedule to the settings; the job keeps its id and its history.

    One that somebody stopped stays stopped, and the answer says so.
    """
    config = dict(job.config)
    changed = []
    for key, value in wanted.items():
        same = await connection.scalar(
            text("SELECT CAST(CAST(:old AS text) AS interval) = CAST(CAST(:new AS text) AS interval)"),
            {"old": str(config[key]) if config.get(key) is not None else None, "new": seconds(value)},
        )
        if not same:
            changed.append(f"{key} {config.get(key)} -> {value}")
            config[key] = seconds(value)
    if every is not None and job.schedule_interval != every:
        changed.append(f"every {job.schedule_interval} -> {every}")
    stopped = ""
    if not job.scheduled:
        held = job.job_id in await held_jobs(connection)
        by_hand = f"it was stopped by hand: alter_job({job.job_id}, scheduled => true) lets it run"
        stopped = "held until its rollups have caught up" if held else by_hand
    if not changed:
        return StepResult(step, target, StepState.SKIPPED, "; ".join(filter(None, ("as set already", stopped))))
    await connection.execute(
        text(
            "SELECT alter_job(:id, schedule_interval => CAST(CAST(:every AS text) AS interval), "
            "config => CAST(CAST(:config AS text) AS jsonb))"
        ),
        {"id": job.job_id, "every": seconds(every) if every else None, "config": json.dumps(config)},
    )
    return StepResult(step, target, StepState.CHANGED, "; ".join([*changed, *filter(None, (stopped,))]))
