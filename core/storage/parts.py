"""What a copy of a database is made of: the tables in order, and the ranges of time that they are cut into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Identity, Table, UniqueConstraint, text

from core.models import ChunkInfo
from core.storage.catalogue import read_chunks
from core.storage.engine import Database
from core.storage.partitions import time_column
from core.storage.schema import ROLLUP, SAMPLE_TABLE, jobs, meta, metadata

SLICE_ROWS = 500_000  # in one transaction; a cut copy does at most one slice anew
SINGLE_SESSION_ROWS = 50_000  # that engine gathers a whole answer in its memory
_MOST_SLICES = 200
_ROW_BYTES = 120  # of a chunk that was never analysed
_MOMENT = timedelta(microseconds=1)
_THERE = text("SELECT to_regclass(CAST(:name AS text)) IS NOT NULL")
LOGS = ("transitions", "findings", "alert_changes", "audit")  # rows are only ever added, each with its time
OWN_KEYS = ("mode", "retention_held")  # of jumpwatch_meta: what a database knows of itself
OWN_PREFIXES = ("rollup:", "transfer:")


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a table in [low, high) of its time column, copied in one transaction; ``rows`` is an estimate."""

    table: str
    column: str
    low: datetime
    high: datetime
    rows: int
    chunk: bool = True  # it lies in a chunk or partition of the source

    @property
    def key(self) -> str:
        """The key in jumpwatch_meta that says it was copied."""
        return f"transfer:part:{self.table}:{self.low.isoformat()}/{self.high.isoformat()}"

    @property
    def inside(self) -> str:
        """The condition that picks its rows, with ``low`` and ``high`` as $1 and $2."""
        return f"{self.column} >= $1 AND {self.column} < $2"

    def counting(self, relation: str | None = None) -> str:
        """Return the query that counts its rows, here or in the other database's relation."""
        return f"SELECT count(*) FROM {relation or self.table} WHERE {self.inside}"  # noqa: S608 - our own names


def whole_tables() -> tuple[Table, ...]:
    """Return the tables that are copied as a whole, hosts and items first: all that are no samples, logs or ours."""
    apart = {*SAMPLE_TABLE, *LOGS, meta.name, jobs.name}
    return tuple(table for table in metadata.tables.values() if table.name not in apart)


def identity_column(table: Table) -> str | None:
    """Return the column that the server numbers, where the table has one."""
    return next((column.name for column in table.columns if isinstance(column.server_default, Identity)), None)


def natural_key(table: Table) -> tuple[str, ...]:
    """Return the columns that name a row for people, where its primary key is but a number."""
    if identity_column(table) is None:
        return ()
    unique = [tuple(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)]
    return unique[0] if unique else ()


async def parts_of(source: Database, table: str, cut: datetime, slice_rows: int) -> list[Part]:
    """Return the parts of a table of samples or a rollup that hold its rows before ``cut``, oldest first."""
    column = time_column(table)
    async with source.connect(f"look for {table}") as connection:
        if not await connection.scalar(_THERE, {"name": f"public.{table}"}):
            return []  # a rollup that came with a newer program
    chunks = [chunk for chunk in await read_chunks(source, table) if chunk.start < cut]
    found = [_part(table, column, chunk, cut) for chunk in chunks]
    if not source.timescale:
        found += await _stray(source, table, column, chunks, cut)
    found.sort(key=lambda part: part.low)
    return [piece for part in found for piece in _sliced(part, slice_rows)]


def _part(table: str, column: str, chunk: ChunkInfo, cut: datetime) -> Part:
    rows = chunk.rows if chunk.rows is not None else (chunk.total_bytes or 0) // _ROW_BYTES
    return Part(table, column, chunk.start, min(chunk.end, cut), rows)


def _sliced(part: Part, slice_rows: int) -> Iterable[Part]:
    pieces = min(_MOST_SLICES, max(1, ceil(part.rows / slice_rows)))
    step = timedelta(seconds=ceil((part.high - part.low).total_seconds() / pieces))
    low = part.low
    while low < part.high:
        high = min(low + step, part.high)
        yield replace(part, low=low, high=high, rows=part.rows // pieces)
        low = high


async def _stray(source: Database, table: str, column: str, chunks: Sequence[ChunkInfo], cut: datetime) -> list[Part]:
    """Return the gaps between the partitions that rows of the default partition lie in."""
    span = text(f"SELECT min({column}) AS low, max({column}) AS high, count(*) AS rows FROM {table}_default")  # noqa: S608 - our own names
    async with source.connect(f"look into the default partition of {table}") as connection:
        row = (await connection.execute(span)).one()
    if not row.rows or row.low >= cut:
        return []
    gaps, cursor = [], row.low
    for chunk in sorted(chunks, key=lambda chunk: chunk.start):
        if chunk.start > cursor:
            gaps.append((cursor, min(chunk.start, cut)))
        cursor = max(cursor, chunk.end)
    last = min(row.high + _MOMENT, cut)
    if cursor < last:
        gaps.append((cursor, last))
    return [Part(table, column, low, high, row.rows // len(gaps), chunk=False) for low, high in gaps if low < high]


async def log_parts(source: Database, table: str, cut: datetime, slice_rows: int) -> list[Part]:
    """Return the parts of a log before ``cut``."""
    statement = text(f"SELECT min(ts) AS low, max(ts) AS high, count(*) AS rows FROM {table} WHERE ts < :cut")  # noqa: S608 - our own names
    async with source.connect(f"look how long {table} is") as connection:
        row = (await connection.execute(statement, {"cut": cut})).one()
    if not row.rows:
        return []
    return list(_sliced(Part(table, "ts", row.low, row.high + _MOMENT, row.rows, chunk=False), slice_rows))


async def target_relation(target: Database, table: str) -> tuple[str, str]:
    """Return schema and name of the table that takes a table's rows: a continuous aggregate's lie in a hidden one."""
    if table not in ROLLUP or not target.timescale:
        return "public", table
    statement = text("""
        SELECT h.schema_name::text AS schema, h.table_name::text AS name FROM _timescaledb_catalog.continuous_agg c
        JOIN _timescaledb_catalog.hypertable h ON h.id = c.mat_hypertable_id
        WHERE c.user_view_schema = 'public' AND c.user_view_name = :name
    """)
    async with target.connect(f"look for the rows of {table}") as connection:
        row: Any = (await connection.execute(statement, {"name": table})).one()
    return row.schema, row.name
