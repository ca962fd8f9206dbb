"""The coarser copies of the samples: continuous aggregates on TimescaleDB, tables of our own elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from core.storage.engine import Database
from core.storage.partitions import EPOCH, ensure_partitions
from core.storage.schema import ROLLUPS, Rollup
from core.storage.steps import Progress, StepResult, StepState, no_progress
from core.storage.timescale import create_aggregate, refreshed_to

_TABLE = text("SELECT to_regclass(CAST(:name AS text)) IS NOT NULL")

# How far the rollup has been brought; the writer sets it back where rows come late.
_BEGUN = text("""
INSERT INTO jumpwatch_meta (key, value) VALUES (:key, '1970-01-02 00:00:00+00') ON CONFLICT (key) DO NOTHING
""")
_SEEN = text("SELECT value::timestamptz AS upto, updated FROM jumpwatch_meta WHERE key = :key")
# Only where nobody wrote late rows meanwhile: those set it back, and touch ``updated`` in any case.
_NOTE = text("""
UPDATE jumpwatch_meta SET value = :value, updated = clock_timestamp() WHERE key = :key AND updated = :updated
""")
_SETTLED = timedelta(seconds=60)  # rows may still come for the time after it


def floor(moment: datetime, width_s: int) -> datetime:
    """Return the start of the bucket that the moment lies in."""
    width = timedelta(seconds=width_s)
    return EPOCH + (moment - EPOCH) // width * width


def ceil(moment: datetime, width_s: int) -> datetime:
    """Return the first start of a bucket at or after the moment."""
    low = floor(moment, width_s)
    return low if low == moment else low + timedelta(seconds=width_s)


async def create_rollup(database: Database, rollup: Rollup) -> StepResult:
    """Create one rollup, empty, in the way of the database's mode."""
    if database.timescale:
        return await create_aggregate(database, rollup)
    async with database.connect(f"create rollup {rollup.name}") as connection:
        if await connection.scalar(_TABLE, {"name": f"public.{rollup.name}"}):
            return StepResult("rollup", rollup.name, StepState.SKIPPED, "there already")
        await connection.execute(text(_table_sql(rollup)))
        await connection.execute(text(f"CREATE TABLE {rollup.name}_default PARTITION OF {rollup.name} DEFAULT"))
        await connection.execute(_BEGUN, {"key": f"rollup:{rollup.name}"})
    return StepResult("rollup", rollup.name, StepState.CREATED, f"table, {rollup.width} a bucket")


def _table_sql(rollup: Rollup) -> str:
    types = dict(zip(rollup.source.columns, rollup.source.types, strict=True))
    figures = ", ".join(
        f"{f}_sum double precision, {f}_count bigint, {f}_min {kind}, {f}_max {kind}, {f}_last {kind}"
        for f in rollup.figures
        for kind in (types[f],)
    )
    keys = ", ".join(f"{key} integer NOT NULL" for key in rollup.source.keys)
    return (
        f"CREATE TABLE {rollup.name} (bucket timestamptz NOT NULL, {keys}, samples bigint NOT NULL, {figures}, "
        f"PRIMARY KEY ({', '.join(rollup.source.keys)}, bucket)) PARTITION BY RANGE (bucket)"
    )


def bucket_sql(width_s: int) -> str:
    """Return the start of the bucket that a row's ts lies in; the same on every server."""
    return f"date_bin(INTERVAL '{width_s} seconds', ts, TIMESTAMPTZ '1970-01-01 00:00:00+00')"


def select_sql(rollup: Rollup, where: str = "") -> str:
    """Return the query that makes the rollup's rows of [:start, :stop) from the samples, without TimescaleDB."""
    keys = ", ".join(rollup.source.keys)
    made = ", ".join(
        f"CAST(sum({f}) AS double precision), count({f}), min({f}), max({f}), (array_agg({f} ORDER BY ts DESC))[1]"
        for f in rollup.figures
    )
    return (
        f"SELECT {bucket_sql(rollup.width_s)} AS bucket, {keys}, "  # noqa: S608 - our own names
        f"count(*), {made} FROM {rollup.source.name} WHERE ts >= :start AND ts < :stop {where} GROUP BY bucket, {keys}"
    )


async def refresh(database: Database, rollup: Rollup, start: datetime, stop: datetime) -> None:
    """Bring the rollup up to date over [start, stop), widened to whole buckets.

    It never reaches back over raw data that was dropped, for that would empty the rollup there.
    """
    found = await window(database, rollup, start, stop)
    if found is None:
        return
    start, stop = found
    if database.timescale:
        async with database.maintenance(operation=f"refresh {rollup.name}") as connection:
            # CALL takes no bound parameters in every version: the name is our own, the times are formatted by us.
            await connection.execute(
                text(f"CALL refresh_continuous_aggregate('{rollup.name}', '{start.isoformat()}', '{stop.isoformat()}')")
            )
        return
    step = max(database.retention.chunk_interval, timedelta(seconds=rollup.width_s))
    while start < stop:  # in pieces, so that no statement runs for long
        end = min(ceil(start + step, rollup.width_s), stop)
        await _refresh_table(database, rollup, start, end)
        start = end


async def window(
    database: Database, rollup: Rollup, start: datetime, stop: datetime
) -> tuple[datetime, datetime] | None:
    """Return what a refresh touches: whole buckets, none that began before the oldest raw data; None for nothing."""
    oldest = await oldest_raw(database, rollup.source.name)
    if oldest is None:
        return None
    start, stop = max(floor(start, rollup.width_s), ceil(oldest, rollup.width_s)), ceil(stop, rollup.width_s)
    return (start, stop) if start < stop else None


async def _refresh_table(database: Database, rollup: Rollup, start: datetime, stop: datetime) -> None:
    await ensure_partitions(database, rollup.name, start, stop)
    keys = {*rollup.source.keys, "bucket"}
    changed = ", ".join(f"{column} = excluded.{column}" for column in rollup.columns if column not in keys)
    async with database.connect(f"refresh {rollup.name}") as connection:
        await connection.execute(
            text(
                f"INSERT INTO {rollup.name} ({', '.join(rollup.columns)}) {select_sql(rollup)} "
                f"ON CONFLICT ({', '.join(rollup.source.keys)}, bucket) DO UPDATE SET {changed}"
            ),
            {"start": start, "stop": stop},
        )


async def catch_up(database: Database, rollup: Rollup, now: datetime) -> None:
    """Take a rollup of our own on from where it is to the last whole bucket."""
    key, stop = f"rollup:{rollup.name}", floor(now - _SETTLED, rollup.width_s)
    async with database.connect(f"look how far {rollup.name} is") as connection:
        seen = (await connection.execute(_SEEN, {"key": key})).one()
    await refresh(database, rollup, seen.upto, stop)
    async with database.connect(f"note how far {rollup.name} is") as connection:
        await connection.execute(_NOTE, {"key": key, "value": stop.isoformat(), "updated": seen.updated})


async def fill(
    database: Database, rollup: Rollup, now: datetime, progress: Progress = no_progress
) -> StepResult | None:
    """Roll up the raw data that was there before the rollup was; None where there is nothing to do.

    From the oldest on, in pieces: what is cut off goes on from there the next time. On TimescaleDB it comes before the
    job that refreshes, which would look back over the last days alone and leave what is older out for good.
    """
    oldest = await oldest_raw(database, rollup.source.name)
    if oldest is None:
        return None
    stop = floor(now - _SETTLED, rollup.width_s)
    if database.timescale:
        refreshing, upto = await refreshed_to(database, rollup)
        if refreshing:
            return None
        start = max(upto or oldest, oldest)
        step = max(database.retention.chunk_interval, timedelta(seconds=rollup.width_s))
        cursor = start
        while cursor < stop:
            progress(f"filling {rollup.name} from {cursor:%Y-%m-%d %H:%M}")
            end = min(floor(cursor + step, rollup.width_s), stop)
            await refresh(database, rollup, cursor, end)
            cursor = end
    else:
        progress(f"filling {rollup.name}")
        start = oldest
        await catch_up(database, rollup, now)
    return StepResult("rollup fill", rollup.name, StepState.CHANGED, f"raw data since {start:%Y-%m-%d %H:%M} UTC")


async def oldest_raw(database: Database, table: str) -> datetime | None:
    """Return the start of the oldest chunk or partition of a table of samples; None where it has none."""
    from core.storage.catalogue import read_chunks

    chunks = await read_chunks(database, table, sizes=False)
    return min((chunk.start for chunk in chunks), default=None)


async def refresh_all(database: Database, start: datetime, stop: datetime, progress: Progress = no_progress) -> None:
    """Bring every rollup up to date over [start, stop)."""
    for rollup in ROLLUPS:
        progress(f"rolling up {rollup.name}")
        await refresh(database, rollup, start, stop)


async def uncovered(database: Database, table: str, start: datetime, stop: datetime) -> str:
    """Say why raw data of [start, stop) may not be dropped yet; empty where every rollup holds all of it.

    Rows are counted, raw against rolled up, over whole buckets: exact in every mode and version.
    """
    for rollup in (rollup for rollup in ROLLUPS if rollup.source.name == table):
        span = {"start": floor(start, rollup.width_s), "stop": ceil(stop, rollup.width_s)}
        async with database.connect(f"compare {table} with {rollup.name}") as connection:
            raw = await connection.scalar(text(f"SELECT count(*) FROM {table} WHERE ts >= :start AND ts < :stop"), span)  # noqa: S608 - our own names
            rolled = await connection.scalar(
                text(f"SELECT coalesce(sum(samples), 0) FROM {rollup.name} WHERE bucket >= :start AND bucket < :stop"),  # noqa: S608 - our own names
                span,
            )
        if int(raw or 0) > int(rolled or 0):
            return f"{int(raw or 0) - int(rolled or 0)} of its rows are not in {rollup.name} yet"
    return ""
