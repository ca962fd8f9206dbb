"""What tables cost and what upkeep they want: sizes, dead rows, indexes, and what a cut REINDEX left behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.exceptions import ResourceNotFoundError
from core.models import HypertableInfo, IndexInfo, RelationFacts, RelationInfo
from core.storage.engine import Database

_MOST = 200
# Partitioned tables and hypertables are summed from their chunks, which are known already.
_RELATIONS = text(f"""
SELECT c.relname::text AS name, c.relkind::text AS kind, pg_total_relation_size(c.oid) AS bytes,
       pg_indexes_size(c.oid) AS index_bytes, s.n_live_tup AS live, s.n_dead_tup AS dead,
       greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed, greatest(s.last_analyze, s.last_autoanalyze) AS analyzed
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
ORDER BY 3 DESC LIMIT {_MOST}
""")  # noqa: S608 - a number of ours
# The table of that name, with or without its schema; chunks by their short name too.
_FIND = text("""
SELECT c.oid::int8 AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
       n.nspname || '.' || c.relname AS full, n.nspname = 'public' AS public, c.relname::text AS name,
       c.relkind::text AS kind, c.relispartition AS part
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname IN ('public', '_timescaledb_internal') AND c.relname = :name OR n.nspname || '.' || c.relname = :name)
  AND c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname = 'public' DESC LIMIT 1
""")
_MATERIAL = text("""
SELECT h.schema_name || '.' || h.table_name FROM _timescaledb_catalog.continuous_agg c
JOIN _timescaledb_catalog.hypertable h ON h.id = c.mat_hypertable_id
WHERE c.user_view_schema = 'public' AND c.user_view_name = :name
""")
_IS_HYPERTABLE = text("""
SELECT EXISTS (SELECT FROM _timescaledb_catalog.hypertable WHERE schema_name || '.' || table_name = :full)
""")
_SUMS = text("""
WITH parts AS (
    SELECT CAST(CAST(:oid AS int8) AS oid) AS oid
    UNION ALL SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = CAST(CAST(:oid AS int8) AS oid)
)
SELECT count(*) - 1 AS parts, sum(pg_total_relation_size(p.oid))::int8 AS bytes,
       sum(pg_indexes_size(p.oid))::int8 AS index_bytes, sum(s.n_live_tup)::int8 AS live,
       sum(s.n_dead_tup)::int8 AS dead, sum(s.n_mod_since_analyze)::int8 AS changed,
       max(greatest(s.last_vacuum, s.last_autovacuum)) AS vacuumed,
       max(greatest(s.last_analyze, s.last_autoanalyze)) AS analyzed
FROM parts p LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = p.oid
""")
# Invalid and named as REINDEX CONCURRENTLY names what it builds (_ccnew) and what it replaces (_ccold).
_INDEXES = text("""
SELECT format('%I.%I', n.nspname, r.relname) AS name, t.relname::text AS "table",
       CASE WHEN r.relkind = 'i' THEN pg_relation_size(r.oid) END AS bytes,
       NOT i.indisvalid AND r.relkind = 'i' AND r.relname ~ '_cc(new|old)[0-9]*$' AS left_over,
       EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.relid = i.indrelid) AS building
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace AND n.nspname IN ('public', '_timescaledb_internal')
WHERE (CAST(:oid AS int8) IS NULL OR i.indrelid = CAST(CAST(:oid AS int8) AS oid))
  AND (CAST(:oid AS int8) IS NOT NULL OR NOT i.indisvalid AND r.relkind = 'i' AND r.relname ~ '_cc(new|old)[0-9]*$')
ORDER BY 1 LIMIT 500
""")
# The chunk's own copy of the index that its table is keyed by: host, item, time.
_SORT_INDEX = text("""
SELECT format('%I.%I', n.nspname, r.relname) AS name, t.relname::text AS "table", pg_relation_size(r.oid) AS bytes
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname || '.' || t.relname = :name AND i.indisvalid
ORDER BY i.indisprimary DESC, i.indisunique DESC, i.indnatts DESC, 1 LIMIT 1
""")


async def read_relations(connection: AsyncConnection) -> tuple[RelationInfo, ...]:
    """Return the plain tables, largest first; a few milliseconds."""
    rows = (await connection.execute(_RELATIONS)).all()
    return tuple(
        RelationInfo(r.name, "table", r.bytes, r.index_bytes, r.live, r.dead, r.vacuumed, r.analyzed) for r in rows
    )


def with_chunks(plain: Iterable[RelationInfo], tables: Iterable[HypertableInfo]) -> tuple[RelationInfo, ...]:
    """Join the plain tables with those that are cut into chunks, largest first."""
    cut = {
        table.name: RelationInfo(
            table.name, "rollup" if table.rollup else "chunked", table.total_bytes, None, None, None, None, None
        )
        for table in tables
    }
    every = [*cut.values(), *(info for info in plain if info.name not in cut)]
    return tuple(sorted(every, key=lambda info: (-(info.total_bytes or 0), info.name)))


async def read_relation(database: Database, name: str) -> RelationFacts:
    """Return one table, rollup, chunk or partition; ResourceNotFoundError where there is none of that name."""
    async with database.connect("look at the table") as connection:
        material = await connection.scalar(_MATERIAL, {"name": name}) if database.timescale else None
        row = (await connection.execute(_FIND, {"name": material or name})).one_or_none()
        if row is None:
            raise ResourceNotFoundError(f"there is no table {name[:80]!r}", operation="look at the table")
        kind = "rollup" if material else await _kind_of(database, connection, row)
        sums = (await connection.execute(_SUMS, {"oid": row.oid})).one()
        indexes = tuple(_index(each) for each in await connection.execute(_INDEXES, {"oid": row.oid}))
    shown = name if material else row.name if row.public else row.full
    info = RelationInfo(shown, kind, sums.bytes, sums.index_bytes, sums.live, sums.dead, sums.vacuumed, sums.analyzed)
    return RelationFacts(info, row.quoted, sums.parts, sums.changed, indexes)


async def _kind_of(database: Database, connection: AsyncConnection, row: Any) -> str:
    if row.kind == "p":
        return "partitioned"
    if database.timescale:
        if await connection.scalar(_IS_HYPERTABLE, {"full": row.full}):
            return "hypertable"
        if not row.public:
            return "chunk"
    return "partition" if row.part else "table"


async def read_leftovers(database: Database) -> tuple[IndexInfo, ...]:
    """Return the invalid indexes that a REINDEX CONCURRENTLY left, or is at work on."""
    async with database.connect("look for half-built indexes") as connection:
        return tuple(_index(row) for row in await connection.execute(_INDEXES, {"oid": None}))


async def read_sort_index(database: Database, chunk: str) -> IndexInfo | None:
    """Return the index that a chunk's rows are best sorted by: its key; None where it has no index."""
    async with database.connect("look for the chunk's index") as connection:
        row = (await connection.execute(_SORT_INDEX, {"name": chunk})).one_or_none()
    return IndexInfo(row.name, row.table, row.bytes) if row is not None else None


def _index(row: Any) -> IndexInfo:
    return IndexInfo(row.name, row.table, row.bytes, bool(row.left_over), bool(row.building))
