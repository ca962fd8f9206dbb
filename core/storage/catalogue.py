"""The database as the pane shows it, read from the catalogue's cheap paths in one short transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.exceptions import InfrastructureException
from core.models import ChunkInfo, DatabaseState, DatabaseView, HypertableInfo, JobInfo
from core.storage import catalogue_sql as sql
from core.storage.catalogue_jobs import own_job, their_job
from core.storage.engine import Database
from core.storage.errors import NOT_INITIALISED
from core.storage.health import Findings, checks
from core.storage.hold import held_jobs
from core.storage.partitions import EPOCH, partition_interval
from core.storage.schema import ROLLUP, ROLLUPS, SAMPLE_TABLES
from core.storage.setup_times import OWN_JOBS, keep_for

_SLOW_EVERY_S = 60.0
_MEASURED = 64  # chunks whose size is read each time
_FAR = timedelta(days=365 * 200)
_ORDER = {name: place for place, name in enumerate([*(t.name for t in SAMPLE_TABLES), *(r.name for r in ROLLUPS)])}
_BIT_COMPRESSED, _BIT_PARTIAL = 1, 8


@dataclass(frozen=True, slots=True)
class Policies:
    """What the jobs of one hypertable are set to, in seconds."""

    compress_after_s: float | None = None
    drop_after_s: float | None = None


async def read_view(database: Database) -> DatabaseView:
    """Return everything the Database pane shows; a database that is away is told as such, never raised."""
    base = DatabaseView(name=database.where, pool=database.pool(), capability=database.capability)
    try:
        if database.capability is None:
            await database.open()
        return await _read(database, replace(base, capability=database.capability))
    except InfrastructureException as error:
        return replace(base, state=DatabaseState.AWAY, detail=error.message)


async def _read(database: Database, base: DatabaseView) -> DatabaseView:
    begun = time.monotonic()
    async with database.connect("read the database view") as connection:
        general = (await connection.execute(sql.GENERAL)).one()
        latency = time.monotonic() - begun
        if not general.known:
            return replace(base, state=DatabaseState.CONNECTED, detail=NOT_INITIALISED, at=datetime.now(UTC))
        if database.timescale:
            found = await _timescale(database, connection)
        else:
            found = await _partitions(database, connection)
        slow = await _slow(database, connection)
        held = await held_jobs(connection)
    tables, chunks, jobs = found
    capability = base.capability
    findings = Findings(
        capability=capability,
        extension=general.extension,
        available=general.available,
        latency_s=latency,
        clock_off_s=(general.now - datetime.now(UTC)).total_seconds(),
        sessions=general.sessions,
        max_sessions=general.max_sessions,
        workers=general.workers,
        jobs=jobs,
        stray=slow["stray"],
        rolled_up_to=slow["rolled"],
        newest_raw=max((c.end for c in chunks if c.hypertable == "host_samples"), default=None),
        refresh_start=database.retention.refresh_start,
        held=tuple(str(job.hypertable) for job in jobs if job.job_id in held),
    )
    return replace(
        base,
        state=DatabaseState.CONNECTED,
        at=datetime.now(UTC),
        hypertables=tables,
        chunks=chunks,
        jobs=jobs,
        health=checks(findings),
        sessions=general.sessions,
        database_bytes=slow["bytes"],
        workers=general.workers if database.timescale else None,
        pool=database.pool(),
    )


async def read_chunks(
    database: Database, hypertable: str | None = None, *, name: str | None = None, sizes: bool = True
) -> tuple[ChunkInfo, ...]:
    """Return the chunks or partitions of one table, or of all, oldest first within a table; ``name``: that one."""
    async with database.connect("read the chunks") as connection:
        if database.timescale:
            return await _chunks(database, connection, hypertable, name=name, sizes=sizes)
        return await _partition_list(connection, hypertable, name=name, sizes=sizes)


async def _timescale(
    database: Database, connection: AsyncConnection
) -> tuple[tuple[HypertableInfo, ...], tuple[ChunkInfo, ...], tuple[JobInfo, ...]]:
    rows = (await connection.execute(sql.JOBS)).all()
    scheduler = database.capability is not None and database.capability.background_workers
    policies: dict[str, Policies] = {}
    for row in rows:
        if row.table_id is not None:
            known = policies.get(row.table_id, Policies())
            policies[row.table_id] = Policies(
                row.compress_after_s if row.compress_after_s is not None else known.compress_after_s,
                row.drop_after_s if row.drop_after_s is not None else known.drop_after_s,
            )
    owners = (await connection.execute(sql.OWNERS)).all()
    names = {str(owner.id): owner.name for owner in owners}
    chunks = await _remembered(database, connection)
    by_table = _by_table(chunks)
    tables = []
    for owner in owners:
        policy = policies.get(str(owner.id), Policies())
        base = HypertableInfo(
            name=owner.name,
            chunks=0,
            compressed_chunks=0,
            total_bytes=None,
            before_bytes=None,
            after_bytes=None,
            chunk_interval_s=owner.interval_length / 1e6,
            compress_after_s=policy.compress_after_s,
            drop_after_s=policy.drop_after_s,
            compression_enabled=bool(owner.compression_state),
            rollup=owner.rollup,
        )
        tables.append(_totals(base, by_table[owner.name]))
    tables.sort(key=lambda table: (_ORDER.get(table.name, 99), table.name))
    return tuple(tables), chunks, tuple(their_job(row, names, scheduler=scheduler) for row in rows)


def _by_table(chunks: Iterable[ChunkInfo]) -> dict[str, list[ChunkInfo]]:
    found: dict[str, list[ChunkInfo]] = defaultdict(list)
    for chunk in chunks:
        found[chunk.hypertable].append(chunk)
    return found


@dataclass(frozen=True, slots=True)
class _Read:
    """The chunks as they were read, and the catalogue's mark at that moment."""

    chunks: tuple[ChunkInfo, ...]
    mark: str
    at: float


async def _remembered(database: Database, connection: AsyncConnection) -> tuple[ChunkInfo, ...]:
    """Return all chunks; while the catalogue's mark stays the same only the newest are measured anew.

    Thousands of chunks take tenths of a second to read, and hardly ever change; once a minute all are read.
    """
    mark = str(await connection.scalar(sql.MARK))
    read: _Read | None = database.slow_figures.get("chunks")
    if read is None or read.mark != mark or time.monotonic() - read.at > _SLOW_EVERY_S:
        read = _Read(await _chunks(database, connection, None), mark, time.monotonic())
        database.slow_figures["chunks"] = read
        return read.chunks
    growing = sorted((c for c in read.chunks if not c.compressed), key=lambda c: c.end, reverse=True)[:_MEASURED]
    rows = (await connection.execute(sql.SIZES, {"names": [chunk.name for chunk in growing]})).all()
    sizes = {row.name: row.bytes for row in rows if row.bytes is not None}
    return tuple(
        replace(chunk, total_bytes=sizes[chunk.name]) if chunk.name in sizes else chunk for chunk in read.chunks
    )


def _totals(table: HypertableInfo, chunks: list[ChunkInfo]) -> HypertableInfo:
    compressed = [chunk for chunk in chunks if chunk.compressed]
    return replace(
        table,
        chunks=len(chunks),
        compressed_chunks=len(compressed),
        total_bytes=sum(chunk.total_bytes or 0 for chunk in chunks),
        before_bytes=sum(chunk.before_bytes or 0 for chunk in compressed) if compressed else None,
        after_bytes=sum(chunk.after_bytes or 0 for chunk in compressed) if compressed else None,
    )


async def _chunks(
    database: Database,
    connection: AsyncConnection,
    hypertable: str | None,
    *,
    name: str | None = None,
    sizes: bool = True,
) -> tuple[ChunkInfo, ...]:
    if "chunk_columns" not in database.slow_figures:
        columns = (await connection.execute(sql.CHUNK_COLUMNS)).scalars()
        database.slow_figures["chunk_columns"] = frozenset(columns)
    statement = sql.chunks(dropped="dropped" in database.slow_figures["chunk_columns"], sizes=sizes)
    rows = (await connection.execute(statement, {"table": hypertable, "name": name})).all()
    found = [_chunk(row) for row in rows]
    found.sort(key=lambda chunk: (_ORDER.get(chunk.hypertable, 99), chunk.hypertable, chunk.start))
    return tuple(found)


def _chunk(row: Any) -> ChunkInfo:
    compressed = bool(row.status & _BIT_COMPRESSED)
    partial = compressed and bool(row.status & _BIT_PARTIAL)
    # Compressed and whole: its own heap is empty, and the catalogue remembers what compression left.
    total = row.own_bytes if not compressed else (row.after_bytes or 0) + (row.own_bytes or 0 if partial else 0)
    rows = row.compressed_rows if compressed else row.own_rows
    return ChunkInfo(
        hypertable=row.owner,
        name=f"{row.schema_name}.{row.table_name}",
        start=_moment(row.range_start),
        end=_moment(row.range_end),
        compressed=compressed,
        partial=partial,
        total_bytes=total,
        before_bytes=row.before_bytes if compressed else None,
        after_bytes=row.after_bytes if compressed else None,
        rows=rows if rows is not None and rows >= 0 else None,
    )


def _moment(microseconds: int) -> datetime:
    """Return TimescaleDB's internal time as a moment; the ends of time are brought near."""
    offset = timedelta(microseconds=max(-(10**17), min(10**17, microseconds)))
    return EPOCH + max(-_FAR, min(_FAR, offset))


async def _partitions(
    database: Database, connection: AsyncConnection
) -> tuple[tuple[HypertableInfo, ...], tuple[ChunkInfo, ...], tuple[JobInfo, ...]]:
    chunks = await _partition_list(connection, None)
    times = keep_for(database.retention)
    by_table = _by_table(chunks)
    tables = []
    for name, keep in times.items():
        interval = partition_interval(name, database.retention.chunk_interval)
        base = HypertableInfo(
            name, 0, 0, None, None, None, interval.total_seconds(), None, keep.total_seconds(), rollup=name in ROLLUP
        )
        tables.append(_totals(base, by_table[name]))
    ran = {row.job_id: row for row in await connection.execute(sql.OWN_JOBS)}
    jobs = [own_job(job_id, name, every, ran.get(job_id)) for job_id, (name, every) in OWN_JOBS.items()]
    return tuple(tables), chunks, tuple(jobs)


async def _partition_list(
    connection: AsyncConnection, table: str | None, *, name: str | None = None, sizes: bool = True
) -> tuple[ChunkInfo, ...]:
    rows = (await connection.execute(sql.PARTITIONS, {"table": table, "name": name, "sizes": sizes})).all()
    found = [
        ChunkInfo(row.parent, f"public.{row.name}", row.start, row.stop, False, False, row.bytes, rows=row.rows)
        for row in rows
    ]
    found.sort(key=lambda chunk: (_ORDER.get(chunk.hypertable, 99), chunk.start))
    return tuple(found)


async def _slow(database: Database, connection: AsyncConnection) -> dict[str, Any]:
    """Return the figures that cost milliseconds each: read once a minute."""
    memory = database.slow_figures
    if time.monotonic() - memory.get("read", -_SLOW_EVERY_S) < _SLOW_EVERY_S:
        return memory
    memory["bytes"] = await connection.scalar(sql.DATABASE_BYTES)
    memory["rolled"] = await connection.scalar(sql.WATERMARK if database.timescale else sql.OWN_WATERMARK)
    memory["stray"] = 0
    if not database.timescale:
        defaults = [row.name for row in await connection.execute(sql.DEFAULT_PARTITIONS)]
        for name in defaults:  # names from the catalogue, quoted by it
            memory["stray"] += int(await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0)  # noqa: S608 - our own names
    memory["read"] = time.monotonic()
    return memory
