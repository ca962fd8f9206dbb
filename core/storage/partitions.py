"""Native range partitions where there is no TimescaleDB: made ahead of time, shown as chunks, dropped whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database
from core.storage.schema import ROLLUP, SAMPLE_TABLE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Range = tuple[datetime, datetime]
_LOCK = 0x6A77_0002  # advisory, while partitions are made
_AHEAD = 3  # intervals
_ROLLUP_INTERVALS = {60: 10, 3600: 60}  # chunk intervals in a partition of a rollup, by bucket width

PARTITIONS_SQL = """
SELECT parent.relname AS parent, child.relname AS name, child.oid AS oid,
       CAST(substring(bound.expr FROM 'FROM \\(''(.*?)''\\)') AS timestamptz) AS start,
       CAST(substring(bound.expr FROM 'TO \\(''(.*?)''\\)') AS timestamptz) AS stop,
       bound.expr = 'DEFAULT' AS is_default
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent AND parent.relkind = 'p'
JOIN pg_catalog.pg_namespace n ON n.oid = parent.relnamespace AND n.nspname = 'public'
JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS expr) bound
"""
_OF_TABLE = text(PARTITIONS_SQL + "WHERE parent.relname = :table ORDER BY start")


def known_table(table: str) -> str:
    """Return the name of a table of ours, to be put into DDL; ValueError for any other."""
    if table not in SAMPLE_TABLE and table not in ROLLUP:
        raise ValueError(f"{table!r} is no table of samples")
    return table


def time_column(table: str) -> str:
    """Return the column that the table is partitioned by."""
    return "bucket" if table in ROLLUP else "ts"


def partition_interval(table: str, chunk_interval: timedelta) -> timedelta:
    """Return how much time one partition of the table holds."""
    rollup = ROLLUP.get(table)
    return chunk_interval if rollup is None else chunk_interval * _ROLLUP_INTERVALS[rollup.width_s]


def missing_ranges(existing: Sequence[Range], start: datetime, end: datetime, interval: timedelta) -> list[Range]:
    """Return the ranges to be made so that [start, end) is covered: aligned to the epoch, never overlapping."""
    ranges = sorted(existing)
    cursor = EPOCH + (start - EPOCH) // interval * interval
    missing: list[Range] = []
    while cursor < end:
        inside = next((stop for begin, stop in ranges if begin <= cursor < stop), None)
        if inside is not None:
            cursor = inside
            continue
        stop = EPOCH + ((cursor - EPOCH) // interval + 1) * interval
        stop = min([stop, *(begin for begin, _ in ranges if begin > cursor)])
        # An interval that was set smaller than before leaves an odd first range: it may lie before start.
        if stop > start:
            missing.append((cursor, stop))
        cursor = stop
    return missing


def partition_name(table: str, start: datetime) -> str:
    """Return the name of the partition of a table that begins at ``start``."""
    return f"{table}_p{start:%Y%m%d}" + (
        "" if (start - EPOCH) % timedelta(days=1) == timedelta(0) else f"t{start:%H%M%S}"
    )


async def ensure_partitions(database: Database, table: str, start: datetime, end: datetime) -> list[Range]:
    """Make what is missing to cover [start, end); returns all ranges of the table afterwards."""
    async with database.connect(f"make partitions of {table}") as connection:
        ranges = await _ranges(connection, table)
        interval = partition_interval(table, database.retention.chunk_interval)
        if not missing_ranges(ranges, start, end, interval):
            return ranges
        if database.capability is not None and not database.capability.may_maintain:
            return ranges  # a writer's rows lie in the default partition until a maintainer makes theirs
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        ranges = await _ranges(connection, table)  # another console may have been quicker
        for begin, stop in missing_ranges(ranges, start, end, interval):
            await _make(connection, known_table(table), begin, stop)
            ranges.append((begin, stop))
    return sorted(ranges)


async def ensure_ahead(database: Database, now: datetime) -> int:
    """Make the partitions of now and the next intervals for all tables, and settle stray rows; returns the tables."""
    async with database.connect("look for partitioned tables") as connection:
        tables = [row.relname for row in await connection.execute(_PARTITIONED)]
    for table in tables:
        await _settle(database, table)
        interval = partition_interval(table, database.retention.chunk_interval)
        ahead = 1 if table in ROLLUP else _AHEAD
        await ensure_partitions(database, table, now, now + ahead * interval)
    return len(tables)


async def _settle(database: Database, table: str) -> None:
    """Give partitions of their own to rows that lie in the default partition."""
    column, interval = time_column(known_table(table)), partition_interval(table, database.retention.chunk_interval)
    width = f"INTERVAL '{interval.total_seconds():.0f} seconds'"
    starts = text(
        f"SELECT DISTINCT date_bin({width}, {column}, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS start "  # noqa: S608 - our own names
        f"FROM {table}_default ORDER BY 1 LIMIT 1000"
    )
    async with database.connect(f"look into the default partition of {table}") as connection:
        found = [row.start for row in await connection.execute(starts)]
    for start in found:
        await ensure_partitions(database, table, start, start + interval)


_OTHER_OWNER = text("""
SELECT CASE WHEN pg_get_userbyid(relowner) <> current_user THEN quote_ident(pg_get_userbyid(relowner)) END
FROM pg_catalog.pg_class WHERE oid = to_regclass(CAST(:table AS text))
""")
_PARTITIONED = text("""
SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'p' ORDER BY c.relname
""")


async def _ranges(connection: AsyncConnection, table: str) -> list[Range]:
    rows = (await connection.execute(_OF_TABLE, {"table": table})).all()
    return [(row.start, row.stop) for row in rows if not row.is_default]


async def _make(connection: AsyncConnection, table: str, start: datetime, stop: datetime) -> None:
    """Make one partition; rows that the default partition holds of its range move into it."""
    name, column = partition_name(table, start), time_column(table)
    bounds = f"FROM ('{start.isoformat()}') TO ('{stop.isoformat()}')"
    span = {"start": start, "stop": stop}
    inside = f"FROM {table}_default WHERE {column} >= :start AND {column} < :stop"
    held = await connection.scalar(text(f"SELECT EXISTS (SELECT {inside})"), span)
    if not held:
        await connection.execute(text(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {bounds}"))
        await _give(connection, table, name)
        return
    await connection.execute(text(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    await connection.execute(
        text(
            f"WITH moved AS (DELETE {inside} RETURNING *) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608 - our own names
        ),
        span,
    )
    await connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    await _give(connection, table, name)


async def _give(connection: AsyncConnection, table: str, name: str) -> None:
    """Give a partition to its table's owner: made by one maintainer, it must be droppable by all."""
    owner = await connection.scalar(_OTHER_OWNER, {"table": f"public.{table}"})
    if owner is not None:
        await connection.execute(text(f"ALTER TABLE {name} OWNER TO {owner}"))  # quoted by the server itself


async def drop_partition(database: Database, table: str, name: str) -> None:
    """Detach and drop one partition, in one transaction; both names were read from the catalogue."""
    async with database.connect(f"drop {name}") as connection:
        rows: Sequence[Any] = (await connection.execute(_OF_TABLE, {"table": table})).all()
        if not any(row.name == name and not row.is_default for row in rows):
            raise ValueError(f"{name!r} is no partition of {table}")
        quoted = await connection.scalar(text("SELECT quote_ident(CAST(:name AS text))"), {"name": name})
        await connection.execute(text(f"ALTER TABLE {known_table(table)} DETACH PARTITION {quoted}"))
        await connection.execute(text(f"DROP TABLE {quoted}"))


class Coverage:
    """Remembers which time is covered by partitions, so that the writer asks the catalogue but seldom."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ranges: dict[str, list[Range]] = {}

    async def cover(self, table: str, first: datetime, last: datetime) -> None:
        """Make sure that partitions take rows from ``first`` to ``last`` (inclusive)."""
        interval = partition_interval(table, self._database.retention.chunk_interval)
        end = last + timedelta(microseconds=1)
        if missing_ranges(self._ranges.get(table, []), first, end, interval):
            self._ranges[table] = await ensure_partitions(self._database, table, first, end)

    def forget(self) -> None:
        """Ask the catalogue anew, after partitions were dropped or the database was changed."""
        self._ranges.clear()
