"""The chunks as they were last read, brought up to date by what has changed since: thousands of them cost tenths of a
second to read, and hardly ever change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import ChunkInfo
from core.storage import catalogue_sql as sql
from core.storage.engine import Database
from core.storage.features import features
from core.storage.partitions import EPOCH
from core.storage.schema import ROLLUPS, SAMPLE_TABLES

ORDER = {name: place for place, name in enumerate([*(t.name for t in SAMPLE_TABLES), *(r.name for r in ROLLUPS)])}
_MEASURED = 32  # newest chunks whose size is read each time, and as many of the others in turn
_FAR = timedelta(days=365 * 200)
_BIT_COMPRESSED, _BIT_PARTIAL = 1, 8


@dataclass(frozen=True, slots=True)
class _Memory:
    """All chunks by id in their order, and what the catalogue said of them; ``turn`` is the next to be measured."""

    chunks: Mapping[int, ChunkInfo]
    mark: object  # the same as long as ``seen`` is
    seen: Mapping[int, tuple[int, int]]
    owners: Mapping[str, str]
    listed: tuple[ChunkInfo, ...]  # the same object as long as no chunk is another: others keep their sums by it
    growing: tuple[int, ...]  # those that can grow, newest first
    turn: int = 0


async def fetch_chunks(
    database: Database,
    connection: AsyncConnection,
    *,
    table: str | None = None,
    name: str | None = None,
    ids: Sequence[int] | None = None,
    sizes: bool = True,
) -> dict[int, ChunkInfo]:
    """Read chunks or partitions from the catalogue, by id; in order: by table, oldest first."""
    wanted = {"table": table, "name": name, "ids": ids if ids is None else list(ids)}
    if database.timescale:
        given = {key: value for key, value in wanted.items() if value is not None}
        statement = sql.chunks(await features(database, connection), sizes=sizes, by=given)
        found = {row.id: _chunk(row) for row in await connection.execute(statement, given)}
    else:
        rows = await connection.execute(sql.PARTITIONS, {**wanted, "sizes": sizes})
        found = {
            row.id: ChunkInfo(
                row.parent, f"public.{row.name}", row.start, row.stop, False, False, row.bytes, rows=row.rows
            )
            for row in rows
        }
    return _ordered(found)


async def remembered(
    database: Database, connection: AsyncConnection, owners: Mapping[str, str]
) -> tuple[ChunkInfo, ...]:
    """Return all chunks: those that changed are read anew, and of the rest the sizes of the newest and some others.

    ``owners`` are the tables by id: where one was renamed everything is read.
    """
    memory: _Memory | None = database.slow_figures.get("chunks")
    mark = await _mark(database, connection)  # first: what changes after it is found the next time
    if memory is None or memory.owners != owners:
        seen = await _state(database, connection)
        memory = _remember(await fetch_chunks(database, connection), mark, seen, owners)
    else:
        if memory.mark != mark:
            seen, old = await _state(database, connection), memory.seen
            changed = [number for number, state in seen.items() if old.get(number) != state]
            fresh = await fetch_chunks(database, connection, ids=changed) if changed else {}
            kept = {number: chunk for number, chunk in memory.chunks.items() if number in seen}
            memory = replace(_remember(_ordered({**kept, **fresh}), mark, seen, owners), turn=memory.turn)
        memory = await _measure(connection, memory)
    database.slow_figures["chunks"] = memory
    return memory.listed


def _remember(
    chunks: Mapping[int, ChunkInfo], mark: object, seen: Mapping[int, tuple[int, int]], owners: Mapping[str, str]
) -> _Memory:
    growing = [(chunk.start, number) for number, chunk in chunks.items() if not chunk.compressed or chunk.partial]
    newest = tuple(number for _, number in sorted(growing, reverse=True))
    return _Memory(chunks, mark, seen, owners, tuple(chunks.values()), newest)


async def _mark(database: Database, connection: AsyncConnection) -> object:
    statement = sql.mark(await features(database, connection)) if database.timescale else sql.OWN_MARK
    return await connection.scalar(statement)


async def _state(database: Database, connection: AsyncConnection) -> dict[int, tuple[int, int]]:
    """Return by id what changes with every chunk compressed, decompressed, or written to after compression."""
    if not database.timescale:
        ids = await connection.scalar(sql.OWN_STATE)
        return dict.fromkeys(ids or (), (0, 0))
    row = (await connection.execute(sql.state(await features(database, connection)))).one()
    return dict(zip(row.ids or (), zip(row.states or (), row.sizes or (), strict=True), strict=True))


async def _measure(connection: AsyncConnection, memory: _Memory) -> _Memory:
    """Read anew how large the newest chunks are that can grow, and some of the others in turn."""
    now, ahead = datetime.now(UTC), 0
    while ahead < len(memory.growing) and memory.chunks[memory.growing[ahead]].start > now:
        ahead += 1  # made ahead of time: nothing is in them yet
    newest = memory.growing[ahead : ahead + _MEASURED]
    others = memory.growing[ahead + _MEASURED :]
    start = memory.turn if memory.turn < len(others) else 0
    asked = [*newest, *others[start : start + _MEASURED]]
    wanted = {"ids": asked, "names": [memory.chunks[number].name for number in asked]}
    changed: dict[int, ChunkInfo] = {}
    for row in await connection.execute(sql.SIZES, wanted):
        chunk = memory.chunks[row.id]
        total = row.bytes + (chunk.after_bytes or 0) if chunk.partial else row.bytes
        rows = chunk.rows if chunk.compressed else row.rows if row.rows >= 0 else None
        if (total, rows) != (chunk.total_bytes, chunk.rows):
            changed[row.id] = replace(chunk, total_bytes=total, rows=rows)
    memory = replace(memory, turn=start + _MEASURED)
    if not changed:
        return memory
    chunks = {**memory.chunks, **changed}  # in their old order
    return replace(memory, chunks=chunks, listed=tuple(chunks.values()))


def _ordered(found: Mapping[int, ChunkInfo]) -> dict[int, ChunkInfo]:
    last = len(ORDER)
    return dict(sorted(found.items(), key=lambda i: (ORDER.get(i[1].hypertable, last), i[1].hypertable, i[1].start)))


def _chunk(row: Any) -> ChunkInfo:
    compressed = bool(row.status & _BIT_COMPRESSED)
    partial = compressed and bool(row.status & _BIT_PARTIAL)
    # Compressed and whole: its own heap is empty, and the catalogue remembers what compression left.
    total = row.own_bytes if not compressed else (row.after_bytes or 0) + (row.own_bytes or 0 if partial else 0)
    rows = row.compressed_rows if compressed else row.own_rows
    return ChunkInfo(
        hypertable=row.owner,
        name=row.name,
        start=_moment(row.range_start),
        end=_moment(row.range_end),
        compressed=compressed,
        partial=partial,
        total_bytes=total,
        before_bytes=row.before_bytes if compressed else None,
        after_bytes=row.after_bytes if compressed else None,
        rows=rows if rows is not None and rows >= 0 else None,
        created=row.creation_time,
    )


def _moment(microseconds: int) -> datetime:
    """Return TimescaleDB's internal time as a moment; the ends of time are brought near."""
    offset = timedelta(microseconds=max(-(10**17), min(10**17, microseconds)))
    return EPOCH + max(-_FAR, min(_FAR, offset))
