"""The public face of the database: one initialised Database for the program, and what can be asked of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from core.config import DatabaseSettings, RetentionSettings
from core.exceptions import (
    BusinessLogicError,
    DatabaseConnectionError,
    InfrastructureException,
    ResourceNotFoundError,
    ValidationError,
)
from core.models import ChunkInfo, DatabaseState, DatabaseView, HealthCheck
from core.storage import setup
from core.storage.capability import get_compression
from core.storage.catalogue import read_chunks
from core.storage.connect import Address
from core.storage.engine import Database
from core.storage.facts import ConnectionInfo, DatabaseStats, TimescaleInfo, connection_info
from core.storage.health_deep import THRESHOLDS, Thresholds, deep_checks
from core.storage.optimize import optimize
from core.storage.probes import read_probes
from core.storage.schema import ROLLUP, SAMPLE_TABLE
from core.storage.setup import initialise
from core.storage.steps import Progress, StepResult, StepState, no_progress
from core.storage.validate import Drift, SchemaReport, validate

__all__ = [
    "ConnectionInfo",
    "Database",
    "DatabaseStats",
    "Drift",
    "SchemaReport",
    "StepResult",
    "StepState",
    "Thresholds",
    "TimescaleInfo",
    "check_database_health",
    "close_database",
    "create_hypertables",
    "execute_raw_sql",
    "get_async_engine",
    "get_async_session",
    "get_chunk_statistics",
    "get_connection_info",
    "get_database",
    "get_database_stats",
    "get_db_session",
    "get_timescaledb_info",
    "init_database",
    "initialise",
    "optimize_database",
    "setup_compression_policies",
    "setup_retention_policies",
    "setup_rollups",
    "test_database_connection",
    "validate_database_schema",
]

_current: list[Database] = []  # none or one: the program's database


async def init_database(
    settings: DatabaseSettings, retention: RetentionSettings, address: Address | None = None
) -> Database:
    """Open the program's database, once; ``setup`` is another step. Raises the Database family."""
    if _current:
        raise BusinessLogicError("the database is open already: close_database() first", operation="init_database")
    database = Database(settings, retention, address)
    await database.open()
    _current.append(database)
    return database


async def close_database() -> None:
    """Close the program's database; nothing happens where there is none."""
    while _current:
        await _current.pop().close()


def get_database() -> Database:
    """Return the program's database; DatabaseConnectionError before init_database."""
    if not _current:
        raise DatabaseConnectionError("the database is not open: init_database() comes first")
    return _current[0]


def get_async_engine() -> AsyncEngine:
    """Return the program's engine."""
    return get_database().engine


@asynccontextmanager
async def get_async_session() -> AsyncIterator[AsyncSession]:
    """Give a session: committed at the end, rolled back on an error."""
    async with get_database().session() as session:
        yield session


async def get_db_session() -> AsyncIterator[AsyncSession]:
    """Give a session to FastAPI's Depends: committed when it ends, rolled back on an error.

    Say ``Depends(get_db_session, scope="function")``: the end then comes before the answer is sent, so that a commit
    that fails reaches the client and no session is held while an answer streams.
    """
    async with get_database().session() as session:
        yield session


async def test_database_connection(database: Database | None = None) -> HealthCheck:
    """Ask the server one question; the answer says how long it took, or why it failed. Never raises its errors."""
    found, begun = database or get_database(), time.monotonic()
    try:
        if found.capability is None:
            await found.open()
        async with found.connect("test the connection") as connection:
            await connection.execute(text("SELECT 1"))
    except InfrastructureException as error:
        return HealthCheck("connection", False, error.message)
    return HealthCheck("connection", True, f"answers in {(time.monotonic() - begun) * 1000:.1f} ms")


test_database_connection.__test__ = False  # type: ignore[attr-defined]  # its name is fixed; it is no test


async def check_database_health(
    database: Database | None = None, thresholds: Thresholds = THRESHOLDS
) -> tuple[HealthCheck, ...]:
    """Return every check with figure, threshold and way out; the first is the connection itself.

    ``ok`` is None where the role may not see, or the engine has no such thing. A database that is away is one failed
    check, never an exception.
    """
    found = database or get_database()
    view = await found.view()
    if view.state is not DatabaseState.CONNECTED:
        return (HealthCheck("connection", False, view.detail or "no answer"),)
    try:
        deep = await read_probes(found, dead_rows=thresholds.dead_rows)
    except InfrastructureException as error:
        return (*view.health, HealthCheck("probes", None, error.message))
    shown = view.health or (await test_database_connection(found), HealthCheck("schema", False, view.detail))
    return (*shown, *deep_checks(deep, view.chunks, view.capability, thresholds))


async def get_database_stats(database: Database | None = None) -> DatabaseStats:
    """Return sizes, tables and pool."""
    view = await _view(database)
    return DatabaseStats(view.database_bytes, view.sessions, view.hypertables, view.pool, view.ratio, view.saved_bytes)


async def get_connection_info(database: Database | None = None) -> ConnectionInfo:
    """Return where the database is, and how one of our sessions is set there."""
    return await connection_info(database or get_database())


async def get_chunk_statistics(
    hypertable: str | None = None, database: Database | None = None
) -> tuple[ChunkInfo, ...]:
    """Return the chunks of one table, or of all, with their sizes before and after compression.

    Raises ResourceNotFoundError for a table that has no chunks by its nature.
    """
    if hypertable is not None and hypertable not in SAMPLE_TABLE and hypertable not in ROLLUP:
        raise ResourceNotFoundError(
            f"{hypertable[:80]!r} has no chunks; those that have: {', '.join([*SAMPLE_TABLE, *ROLLUP])}",
            operation="read the chunks",
        )
    return await read_chunks(database or get_database(), hypertable)


async def get_timescaledb_info(database: Database | None = None) -> TimescaleInfo:
    """Return the extension's version, licence and jobs, and what compression needs where it lacks."""
    found = database or get_database()
    view = await _view(found)
    capability = await found.refresh_capability()
    needs = "" if capability.compression else get_compression(capability)
    return TimescaleInfo(capability, view.jobs, view.workers, needs)


async def create_hypertables(database: Database | None = None) -> list[StepResult]:
    """First step after the migrations."""
    return await setup.create_hypertables(database or get_database())


async def setup_compression_policies(database: Database | None = None) -> list[StepResult]:
    """Second step."""
    return await setup.setup_compression_policies(database or get_database())


async def setup_rollups(database: Database | None = None) -> list[StepResult]:
    """Third step: raw data may be dropped only where it is rolled up."""
    return await setup.create_rollups(database or get_database())


async def setup_retention_policies(database: Database | None = None) -> list[StepResult]:
    """Last step."""
    return await setup.setup_retention_policies(database or get_database())


async def validate_database_schema(database: Database | None = None) -> SchemaReport:
    """Compare the schema with what this version makes; each drift is named with its way out."""
    return await validate(database or get_database())


async def optimize_database(
    database: Database | None = None,
    *,
    reindex: bool = True,
    timeout_s: float | None = None,
    progress: Progress = no_progress,
) -> list[StepResult]:
    """VACUUM (ANALYZE) our tables and REINDEX CONCURRENTLY the plain ones; each step of at most ``timeout_s``.

    May be cancelled and run again: indexes that were half built are dropped.
    """
    return await optimize(database or get_database(), reindex=reindex, timeout_s=timeout_s, progress=progress)


async def execute_raw_sql(
    statement: LiteralString, parameters: Mapping[str, Any] | None = None, database: Database | None = None
) -> Sequence[Mapping[str, Any]]:
    """Run one statement in a transaction of its own; returns its rows as mappings.

    The statement is text of the program's own (type checkers that know LiteralString refuse any other); what comes
    from outside is bound by name (``:name``; a literal colon is written ``\\:``). Raises ValidationError where the
    names and ``parameters`` differ. Several commands in one text are refused by the server, and none of them runs.
    """
    bound, given = text(statement), dict(parameters or {})
    names = set(bound.compile().params)
    if names != set(given):
        lacking, extra = sorted(names - set(given)), sorted(set(given) - names)
        raise ValidationError(
            f"the statement binds {', '.join(sorted(names)) or 'nothing'}; not given: {', '.join(lacking) or 'none'}, "
            f"given for nothing: {', '.join(extra) or 'none'}",
            operation="execute_raw_sql",
        )
    async with (database or get_database()).connect("raw SQL") as connection:
        result = await connection.execute(bound, given)
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


async def _view(database: Database | None) -> DatabaseView:
    view = await (database or get_database()).view()
    if view.at is None:
        raise DatabaseConnectionError(view.detail, operation="read the database")
    return view
