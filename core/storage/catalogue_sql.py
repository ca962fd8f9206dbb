"""The catalogue's queries. None of hypertable_size or chunks_detailed_size: they cost a second at 3000 chunks."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.types import Boolean, Text

from core.storage.features import Features
from core.storage.partitions import PARTITIONS_SQL

GENERAL = text("""
SELECT now() AS now, to_regclass('public.jumpwatch_meta') IS NOT NULL AS known,
       (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') AS extension,
       (SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = 'timescaledb') AS available,
       current_setting('max_connections')::int AS max_sessions,
       count(*) FILTER (WHERE datname = current_database() AND backend_type = 'client backend') AS sessions,
       count(*) FILTER (WHERE (backend_type ILIKE '%timescale%' OR application_name ILIKE '%timescaledb%')
                              AND (datname = current_database() OR datname IS NULL)) AS workers
FROM pg_catalog.pg_stat_activity
""")

# compression_state 2 marks the hidden tables that held compressed rows up to 2.28; later 4 in status says compressed.
_OWNERS = """
SELECT h.id, coalesce(c.user_view_name, h.table_name)::text AS name, c.mat_hypertable_id IS NOT NULL AS rollup,
       h.compression_state = 1 OR h.status & 4 <> 0 AS compression, d.id AS dimension_id, d.interval_length
FROM _timescaledb_catalog.hypertable h
JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id AND d.interval_length IS NOT NULL
LEFT JOIN _timescaledb_catalog.continuous_agg c ON c.mat_hypertable_id = h.id
WHERE h.compression_state <> 2
"""
OWNERS = text(_OWNERS)
_AFTER = "compressed_heap_size + compressed_toast_size + compressed_index_size"


# What narrows a query of chunks. Each stands in it only where it is given: "null or ..." is never planned by an index.
_NARROWED = {
    "table": "o.name = CAST(:table AS text)",
    "name": "n.nspname || '.' || r.relname = CAST(:name AS text)",
    "ids": "k.id = ANY(CAST(:ids AS int4[]))",
}


def chunks(features: Features, *, sizes: bool, by: Collection[str] = ()) -> TextClause:
    """Return the query of chunks: all, or ``by`` their table (:table), their name (:name) and their ids (:ids)."""
    own = (
        "CASE WHEN k.status & 1 = 0 OR k.status & 8 <> 0 THEN pg_catalog.pg_total_relation_size(r.oid) END"
        if sizes
        else "NULL::bigint"
    )
    relation = "JOIN pg_catalog.pg_class r ON r.oid = k.relid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace"
    if not features.chunk_relid:
        relation = (
            "JOIN pg_catalog.pg_namespace n ON n.nspname = k.schema_name "
            "JOIN pg_catalog.pg_class r ON r.relname = k.table_name AND r.relnamespace = n.oid"
        )
    slices = "JOIN _timescaledb_catalog.dimension_slice s ON s.chunk_id = k.id AND s.dimension_id = o.dimension_id"
    if not features.slice_of_chunk:
        slices = (
            "JOIN _timescaledb_catalog.chunk_constraint cc ON cc.chunk_id = k.id "
            "JOIN _timescaledb_catalog.dimension_slice s ON s.id = cc.dimension_slice_id "
            "AND s.dimension_id = o.dimension_id"
        )
    return text(f"""
WITH owners AS ({_OWNERS})
SELECT k.id, o.name AS owner, n.nspname || '.' || r.relname AS name, k.status, k.creation_time,
       s.range_start, s.range_end,
       {own} AS own_bytes, r.reltuples::bigint AS own_rows, z.numrows_pre_compression AS compressed_rows,
       z.uncompressed_heap_size + z.uncompressed_toast_size + z.uncompressed_index_size AS before_bytes,
       {_AFTER} AS after_bytes
FROM owners o
JOIN _timescaledb_catalog.chunk k ON k.hypertable_id = o.id {"AND NOT k.dropped" if features.dropped_marked else ""}
{slices}
{relation}
LEFT JOIN _timescaledb_catalog.compression_chunk_size z ON z.chunk_id = k.id
{"WHERE " + " AND ".join(_NARROWED[key] for key in by) if by else ""}
""")  # noqa: S608 - our own names


def mark(features: Features) -> TextClause:
    """Return the query of one number that is another whenever what :func:`state` answers is: a fifth of its time."""
    return text(f"""
SELECT (SELECT sum(pg_catalog.hashint8extended(id, status)) FROM _timescaledb_catalog.chunk
        {"WHERE NOT dropped" if features.dropped_marked else ""})
     + (SELECT coalesce(sum(pg_catalog.hashint8extended(chunk_id, {_AFTER})), 0)
        FROM _timescaledb_catalog.compression_chunk_size) AS mark
""")  # noqa: S608 - our own names


def state(features: Features) -> TextClause:
    """Return the query of what tells a change: ids, states and compressed sizes of all chunks, as three arrays."""
    return text(f"""
SELECT array_agg(k.id) AS ids, array_agg(k.status) AS states, array_agg(coalesce({_AFTER}, -1)) AS sizes
FROM _timescaledb_catalog.chunk k
JOIN _timescaledb_catalog.hypertable h ON h.id = k.hypertable_id AND h.compression_state <> 2
LEFT JOIN _timescaledb_catalog.compression_chunk_size z ON z.chunk_id = k.id
{"WHERE NOT k.dropped" if features.dropped_marked else ""}
""")  # noqa: S608 - our own names


JOBS = text("""
SELECT j.job_id, j.application_name, j.scheduled, extract(epoch FROM j.schedule_interval)::float8 AS schedule_s,
       coalesce(j.config->>'mat_hypertable_id', j.config->>'hypertable_id') AS table_id,
       extract(epoch FROM (j.config->>'compress_after')::interval)::float8 AS compress_after_s,
       extract(epoch FROM (j.config->>'drop_after')::interval)::float8 AS drop_after_s,
       s.last_run_started_at AS last_run, s.last_run_status AS last_status, s.job_status, s.next_start AS next_run,
       s.total_runs, s.total_failures, e.err_message AS last_error,
       o.last_run AS own_run, o.last_ok AS own_ok, o.last_error AS own_error, o.total_runs AS own_runs,
       o.total_failures AS own_failures, o.last_run + j.schedule_interval AS own_next,
       j.owner::text AS owner, j.proc_name::text AS proc, j.config::text AS config,
       pg_catalog.pg_has_role(j.owner::oid, 'USAGE') AS may_alter
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id
LEFT JOIN jumpwatch_jobs o ON o.job_id = j.job_id
LEFT JOIN LATERAL (
    SELECT e.err_message FROM timescaledb_information.job_errors e
    WHERE e.job_id = j.job_id AND s.total_failures > 0 ORDER BY e.finish_time DESC NULLS LAST LIMIT 1
) e ON true
ORDER BY j.job_id
""")

PARTITIONS = text(f"""
SELECT p.oid::bigint AS id, p.parent, p.name, p.start, p.stop,
       CASE WHEN :sizes THEN pg_catalog.pg_total_relation_size(p.oid) END AS bytes,
       CASE WHEN r.reltuples >= 0 THEN r.reltuples::bigint END AS rows
FROM ({PARTITIONS_SQL}) p JOIN pg_catalog.pg_class r ON r.oid = p.oid
WHERE NOT p.is_default AND (CAST(:table AS text) IS NULL OR p.parent = :table)
  AND (CAST(:name AS text) IS NULL OR 'public.' || p.name = :name)
  AND (CAST(:ids AS int8[]) IS NULL OR p.oid = ANY(CAST(:ids AS int8[])::oid[]))
""").bindparams(bindparam("table", type_=Text), bindparam("name", type_=Text), bindparam("sizes", type_=Boolean))  # noqa: S608 - our own names
OWN_MARK = text("""
SELECT sum(pg_catalog.hashint8extended(i.inhrelid::bigint, 0)) FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind = 'p'
WHERE c.relnamespace = 'public'::regnamespace
""")
OWN_STATE = text("""
SELECT array_agg(i.inhrelid::bigint) AS ids FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind = 'p'
WHERE c.relnamespace = 'public'::regnamespace
""")

DEFAULT_PARTITIONS = text(f"SELECT quote_ident(p.name) AS name FROM ({PARTITIONS_SQL}) p WHERE p.is_default")  # noqa: S608 - our own names
OWN_JOBS = text("SELECT * FROM jumpwatch_jobs ORDER BY job_id")
SIZES = text("""
SELECT id, pg_catalog.pg_total_relation_size(r.oid) AS bytes, r.reltuples::bigint AS rows
FROM unnest(CAST(:ids AS int8[]), CAST(:names AS text[])) AS w(id, name)
JOIN pg_catalog.pg_class r ON r.oid = to_regclass(w.name)
""")
DATABASE_BYTES = text("SELECT pg_database_size(current_database())")
WATERMARK = text("""
SELECT min(CASE WHEN w.watermark > 0 THEN to_timestamp(w.watermark / 1e6) END)
FROM _timescaledb_catalog.continuous_agg c
JOIN _timescaledb_catalog.continuous_aggs_watermark w ON w.mat_hypertable_id = c.mat_hypertable_id
""")
OWN_WATERMARK = text("SELECT min(value::timestamptz) FROM jumpwatch_meta WHERE key LIKE 'rollup:%' AND value > '1971'")
