"""The database as the pane shows it, read from the catalogue's cheap paths in one short transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.exceptions import ConfigurationError, InfrastructureException
from core.models import ChunkInfo, DatabaseState, DatabaseView, HypertableInfo, JobInfo
from core.storage import catalogue_sql as sql
from core.storage.activity import read_activity
from core.storage.catalogue_chunks import ORDER, fetch_chunks, remembered
from core.storage.catalogue_jobs import left_behind, own_job, their_job
from core.storage.engine import Database
from core.storage.errors import NOT_INITIALISED
from core.storage.health import Findings, checks
from core.storage.hold import held_jobs
from core.storage.partitions import partition_interval
from core.storage.policy_notes import reread
from core.storage.relations import read_relations, with_chunks
from core.storage.schema import ROLLUP
from core.storage.setup_times import OWN_JOBS, keep_for

_SLOW_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Policies:
    """What the jobs of one hypertable are set to, in seconds."""

    compress_after_s: float | None = None
    drop_after_s: float | None = None


# Tables, chunks, jobs, and the names of chunks that a job passed over.
_Found = tuple[tuple[HypertableInfo, ...], tuple[ChunkInfo, ...], tuple[JobInfo, ...], tuple[str, ...]]


async def read_view(database: Database) -> DatabaseView:
    """Return everything the Database pane shows; a database that is away is told as such, never raised."""
    base = DatabaseView(name=database.where, pool=database.pool(), capability=database.capability)
    try:
        if database.capability is None:
            await database.open()
        return await _read(database, replace(base, capability=database.capability))
    except InfrastructureException as error:
        refused = isinstance(error, ConfigurationError)  # set up by a newer program, or its TimescaleDB is gone
        state = DatabaseState.UNSUPPORTED if refused else DatabaseState.AWAY
        return replace(base, state=state, detail=error.message)


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
        activity = await read_activity(database, connection)
    tables, chunks, jobs, left = found
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
        left=left,
        held=tuple(str(job.hypertable) for job in jobs if job.held),
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
        activity=activity,
        relations=with_chunks(slow["relations"], tables),
    )


async def read_jobs(database: Database) -> tuple[JobInfo, ...]:
    """Return the jobs: TimescaleDB's, or our own where there is none."""
    async with database.connect("read the jobs") as connection:
        if not database.timescale:
            return await _own_jobs(connection)
        owners = (await connection.execute(sql.OWNERS)).all()
        rows = (await connection.execute(sql.JOBS)).all()
        return await _their_jobs(database, connection, rows, {str(owner.id): owner.name for owner in owners})


async def _their_jobs(
    database: Database, connection: AsyncConnection, rows: Sequence[Any], names: dict[str, str]
) -> tuple[JobInfo, ...]:
    scheduler = database.capability is not None and database.capability.background_workers
    held = await held_jobs(connection)
    return tuple(their_job(row, names, scheduler=scheduler, held=row.job_id in held) for row in rows)


async def _own_jobs(connection: AsyncConnection) -> tuple[JobInfo, ...]:
    ran = {row.job_id: row for row in await connection.execute(sql.OWN_JOBS)}
    return tuple(own_job(job_id, name, every, ran.get(job_id)) for job_id, (name, every) in OWN_JOBS.items())


async def read_chunks(
    database: Database, hypertable: str | None = None, *, name: str | None = None, sizes: bool = True
) -> tuple[ChunkInfo, ...]:
    """Return the chunks or partitions of one table, or of all, oldest first within a table; ``name``: that one."""
    async with database.connect("read the chunks") as connection:
        found = await fetch_chunks(database, connection, table=hypertable, name=name, sizes=sizes)
    return tuple(found.values())


async def _timescale(database: Database, connection: AsyncConnection) -> _Found:
    rows = (await connection.execute(sql.JOBS)).all()
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
    chunks = await remembered(database, connection, names)
    sums = _sums(database, chunks)
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
            compression_enabled=owner.compression,
            rollup=owner.rollup,
        )
        tables.append(replace(base, **sums.totals.get(owner.name, _NOTHING)))
    tables.sort(key=lambda table: (ORDER.get(table.name, len(ORDER)), table.name))
    jobs = await _their_jobs(database, connection, rows, names)
    return tuple(tables), chunks, jobs, left_behind(rows, jobs, sums.open)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What is added up over the chunks, by table; ``of`` are the very chunks it holds for."""

    of: tuple[ChunkInfo, ...]
    totals: Mapping[str, Mapping[str, Any]]  # fields of HypertableInfo
    open: Mapping[str, Sequence[ChunkInfo]]  # not compressed, those that ended first


_NOTHING: Mapping[str, Any] = {"total_bytes": 0}


def _sums(database: Database, chunks: tuple[ChunkInfo, ...]) -> _Sums:
    """Return the sums; thousands of chunks are added up anew only where one of them is another than before."""
    known: _Sums | None = database.slow_figures.get("sums")
    if known is None or known.of is not chunks:
        by_table: dict[str, list[ChunkInfo]] = defaultdict(list)
        for chunk in chunks:
            by_table[chunk.hypertable].append(chunk)
        opened = {name: [c for c in own if not c.compressed] for name, own in by_table.items()}
        for own in opened.values():
            own.sort(key=lambda chunk: chunk.end)
        known = _Sums(chunks, {name: _totals(own) for name, own in by_table.items()}, opened)
        database.slow_figures["sums"] = known
    return known


def _totals(chunks: list[ChunkInfo]) -> dict[str, Any]:
    compressed = [chunk for chunk in chunks if chunk.compressed]
    return {
        "chunks": len(chunks),
        "compressed_chunks": len(compressed),
        "total_bytes": sum(chunk.total_bytes or 0 for chunk in chunks),
        "before_bytes": sum(chunk.before_bytes or 0 for chunk in compressed) if compressed else None,
        "after_bytes": sum(chunk.after_bytes or 0 for chunk in compressed) if compressed else None,
    }


async def _partitions(database: Database, connection: AsyncConnection) -> _Found:
    chunks = await remembered(database, connection, {})
    times = keep_for(database.retention)
    sums = _sums(database, chunks)
    tables = []
    for name, keep in times.items():
        interval = partition_interval(name, database.retention.chunk_interval)
        base = HypertableInfo(
            name, 0, 0, None, None, None, interval.total_seconds(), None, keep.total_seconds(), rollup=name in ROLLUP
        )
        tables.append(replace(base, **sums.totals.get(name, _NOTHING)))
    return tuple(tables), chunks, await _own_jobs(connection), ()


async def _slow(database: Database, connection: AsyncConnection) -> dict[str, Any]:
    """Return the figures that cost milliseconds each: read once a minute."""
    memory = database.slow_figures
    if time.monotonic() - memory.get("read", -_SLOW_EVERY_S) < _SLOW_EVERY_S:
        return memory
    memory["bytes"] = await connection.scalar(sql.DATABASE_BYTES)
    memory["rolled"] = await connection.scalar(sql.WATERMARK if database.timescale else sql.OWN_WATERMARK)
    memory["relations"] = await read_relations(connection)
    await reread(database, connection)
    memory["stray"] = 0
    if not database.timescale:
        defaults = [row.name for row in await connection.execute(sql.DEFAULT_PARTITIONS)]
        for name in defaults:  # names from the catalogue, quoted by it
            memory["stray"] += int(await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0)  # noqa: S608 - our own names
    memory["read"] = time.monotonic()
    return memory
