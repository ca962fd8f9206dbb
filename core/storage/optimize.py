"""VACUUM and REINDEX of our own tables: outside a transaction, bounded, cancellable, and nothing half-built is left."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from core.exceptions import InfrastructureException
from core.logging import get_logger
from core.storage.engine import Database
from core.storage.schema import ROLLUPS, SAMPLE_TABLES, metadata
from core.storage.steps import Progress, StepResult, StepState, no_progress

_LOG = get_logger(__name__)
_CLEAN_UP_S = 10.0
# What REINDEX CONCURRENTLY leaves when it is cut off: an invalid index of the old name with _ccnew or _ccold.
_LEFT = text("""
SELECT format('%I.%I', n.nspname, r.relname) AS name
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace AND n.nspname IN ('public', '_timescaledb_internal')
WHERE NOT i.indisvalid AND r.relkind = 'i' AND r.relname ~ '_cc(new|old)[0-9]*$' ORDER BY 1
""")
_MATERIAL = text("""
SELECT c.user_view_name::text AS name, format('%I.%I', h.schema_name, h.table_name) AS relation
FROM _timescaledb_catalog.continuous_agg c JOIN _timescaledb_catalog.hypertable h ON h.id = c.mat_hypertable_id
WHERE c.user_view_schema = 'public'
""")
_THERE = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass('public.' || name) IS NOT NULL"
)
_INDEXES = text("""
SELECT format('%I.%I', n.nspname, r.relname) AS name
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE i.indrelid = to_regclass('public.' || CAST(:table AS text)) AND (i.indisvalid OR r.relkind = 'I') ORDER BY 1
""")
_BUSY = text("""
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = ANY (CAST(:pids AS int[])) AND state = 'active')
""")
_SAMPLED = frozenset(table.name for table in SAMPLE_TABLES)


async def optimize(
    database: Database, *, reindex: bool = True, timeout_s: float | None = None, progress: Progress = no_progress
) -> list[StepResult]:
    """Vacuum and analyse every table and rollup of ours, and build the indexes of the plain tables anew.

    A step that fails is told and the next is tried; being cancelled or out of time ends it, and indexes that were
    half built are dropped. ``timeout_s`` bounds each step (default: maintenance_timeout_s).
    """
    results: list[StepResult] = []
    at_work: list[int] = []  # the server's process that builds indexes
    try:
        results += [await _dropped(database, name) for name in await _left(database)]
        relations = await _relations(database)
        for target, relation in relations.items():
            progress(f"vacuum {target}")
            statement = f"VACUUM (ANALYZE) {relation}"  # names of our own schema, or quoted by the server
            results.append(await _run(database, "vacuum", target, statement, timeout_s))
        for name in relations if reindex else ():
            progress(f"reindex {name}")
            why = _not_reindexed(database, name)
            if why:
                results.append(StepResult("reindex", name, StepState.SKIPPED, why))
                continue
            results.append(await _reindex(database, name, timeout_s, at_work))
            if not results[-1].ok:
                await clean_up(database, at_work)
    except asyncio.CancelledError:
        # The server was told to stop; its half-built index would stay, and be kept up by every insert.
        await asyncio.shield(clean_up(database, at_work))
        raise
    return results


def _not_reindexed(database: Database, name: str) -> str:
    if database.single_session:
        return "this engine has one session: REINDEX CONCURRENTLY would wait for itself"
    if database.timescale and (name not in metadata.tables or name in _SAMPLED):
        return "TimescaleDB takes no REINDEX CONCURRENTLY of a hypertable; old chunks are compressed or dropped instead"
    return ""


async def _relations(database: Database) -> dict[str, str]:
    """Return what is there of our tables and rollups, with the relation that holds its rows."""
    names = [*metadata.tables, *(rollup.name for rollup in ROLLUPS)]
    async with database.connect("look for the tables") as connection:
        there = {row.name for row in await connection.execute(_THERE, {"names": names})}
        relations = {name: name for name in names if name in there}
        if database.timescale:
            for row in await connection.execute(_MATERIAL):
                if row.name in relations:
                    relations[row.name] = row.relation
    return relations


async def _reindex(database: Database, table: str, timeout_s: float | None, at_work: list[int]) -> StepResult:
    """Build the indexes of one table anew, one by one.

    REINDEX TABLE would take those of its long values along, which their owner may not drop when it is cut off.
    """
    async with database.connect("look for the indexes") as connection:
        names = [row.name for row in await connection.execute(_INDEXES, {"table": table})]
    for name in names:  # quoted by the server
        statement = f"REINDEX INDEX CONCURRENTLY {name}"
        done = await _run(database, "reindex", table, statement, timeout_s, at_work)
        if not done.ok:
            return done
    return StepResult("reindex", table, StepState.CHANGED, f"{len(names)} indexes built anew")


async def _run(
    database: Database,
    step: str,
    target: str,
    statement: str,
    timeout_s: float | None,
    at_work: list[int] | None = None,
) -> StepResult:
    try:
        async with database.maintenance(timeout_s, f"{step} {target}") as connection:
            if at_work is not None:
                at_work[:] = [int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)]
            await connection.execute(text(statement))
    except InfrastructureException as error:
        return StepResult(step, target, StepState.FAILED, error.message)
    return StepResult(step, target, StepState.CHANGED, "done")


async def _left(database: Database) -> list[str]:
    async with database.connect("look for half-built indexes") as connection:
        return [row.name for row in await connection.execute(_LEFT)]


async def _dropped(database: Database, name: str) -> StepResult:
    return await _run(
        database, "half-built index", name, f"DROP INDEX {_concurrently(database)}IF EXISTS {name}", _CLEAN_UP_S
    )


def _concurrently(database: Database) -> str:
    return "" if database.single_session else "CONCURRENTLY "


async def clean_up(database: Database, at_work: list[int]) -> None:
    """Drop what a cut REINDEX left, which others' transactions may delay; what stays is dropped by the next run."""
    try:
        async with asyncio.timeout(_CLEAN_UP_S):
            # Told to stop, the server may take a moment, and dropping waits for it and for others.
            while await _busy(database, at_work) or await _left(database):
                for name in await _left(database):
                    await _dropped(database, name)
                await asyncio.sleep(0.05)
    except (InfrastructureException, TimeoutError) as error:
        _LOG.warning("half-built indexes stay", reason=str(error) or "took too long")


async def _busy(database: Database, at_work: list[int]) -> bool:
    async with database.connect("look whether it has stopped") as connection:
        return bool(await connection.scalar(_BUSY, {"pids": at_work}))
