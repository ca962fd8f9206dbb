"""The public face of the database: one initialised Database for the program, and what can be asked of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from core.config import DatabaseSettings, RetentionSettings
from core.exceptions import BusinessLogicError, DatabaseConnectionError
from core.models import Capability, ChunkInfo, DatabaseView, HealthCheck, HypertableInfo, JobInfo, PoolInfo
from core.storage import setup
from core.storage.catalogue import read_chunks
from core.storage.connect import Address
from core.storage.engine import Database
from core.storage.migrate import HEAD, revision
from core.storage.schema import metadata
from core.storage.setup import initialise
from core.storage.steps import StepResult, StepState

__all__ = [
    "ConnectionInfo",
    "Database",
    "DatabaseStats",
    "SchemaReport",
    "StepResult",
    "StepState",
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


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Where the database is and how we are connected; no password."""

    name: str
    kind: str
    role: str | None
    pool: PoolInfo | None


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """The database in figures; bytes."""

    database_bytes: int | None
    sessions: int | None
    tables: tuple[HypertableInfo, ...]
    pool: PoolInfo | None


@dataclass(frozen=True, slots=True)
class TimescaleInfo:
    """The extension, or its absence, and its jobs."""

    capability: Capability
    jobs: tuple[JobInfo, ...]
    workers: int | None


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """Whether the schema is as this version wants it; ``missing`` names tables and columns."""

    ok: bool
    revision: str | None
    expected: str
    missing: tuple[str, ...]


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
    """Give a session to FastAPI's Depends."""
    async with get_database().session() as session:
        yield session


async def test_database_connection(database: Database | None = None) -> HealthCheck:
    """Ask the server one question; the answer says how long it took, or why it failed."""
    return (await check_database_health(database))[0]


test_database_connection.__test__ = False  # type: ignore[attr-defined]  # its name is fixed; it is no test


async def check_database_health(database: Database | None = None) -> tuple[HealthCheck, ...]:
    """Return every check with its reason; the first is the connection itself."""
    view = await (database or get_database()).view()
    if view.health:
        return view.health
    return (HealthCheck("connection", view.at is not None, view.detail or "no answer"),)


async def get_database_stats(database: Database | None = None) -> DatabaseStats:
    """Return sizes, tables and pool."""
    view = await _view(database)
    return DatabaseStats(view.database_bytes, view.sessions, view.hypertables, view.pool)


def get_connection_info(database: Database | None = None) -> ConnectionInfo:
    """Return where the database is; asks nobody."""
    found = database or get_database()
    role = found.capability.role if found.capability else None
    return ConnectionInfo(found.where, found.kind, role, found.pool())


async def get_chunk_statistics(
    hypertable: str | None = None, database: Database | None = None
) -> tuple[ChunkInfo, ...]:
    """Return the chunks of one table, or of all, with their sizes before and after compression."""
    return await read_chunks(database or get_database(), hypertable)


async def get_timescaledb_info(database: Database | None = None) -> TimescaleInfo:
    """Return the extension's version, licence and jobs."""
    found = database or get_database()
    view = await _view(found)
    return TimescaleInfo(await found.refresh_capability(), view.jobs, view.workers)


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
    """Compare the tables and columns that are there with those that this version uses."""
    found = database or get_database()
    columns = text(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'"
    )
    async with found.connect("read the schema") as connection:
        there = {(row[0], row[1]) for row in await connection.execute(columns)}
    wanted = {(table.name, column.name) for table in metadata.sorted_tables for column in table.columns}
    missing = tuple(sorted(f"{table}.{column}" for table, column in wanted - there))
    at = await revision(found)
    return SchemaReport(at == HEAD and not missing, at, HEAD, missing)


async def optimize_database(database: Database | None = None) -> list[StepResult]:
    """Refresh the statistics of our own tables (ANALYZE, outside a transaction)."""
    found = database or get_database()
    results = []
    async with found.maintenance(operation="analyze") as connection:
        for table in metadata.sorted_tables:
            await connection.execute(text(f"ANALYZE {table.name}"))  # names of our own schema
            results.append(StepResult("analyze", table.name, StepState.CHANGED))
    return results


async def execute_raw_sql(
    statement: str, parameters: Mapping[str, Any] | None = None, database: Database | None = None
) -> Sequence[Mapping[str, Any]]:
    """Run one statement with bound parameters (:name); returns its rows as mappings.

    Literal values in quotes are refused where parameters are given by name: what comes from outside is always bound.
    """
    if re.search(r";\s*\S", statement):
        raise BusinessLogicError("one statement at a time", operation="execute_raw_sql")
    async with (database or get_database()).connect("raw SQL") as connection:
        result = await connection.execute(text(statement), dict(parameters or {}))
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


async def _view(database: Database | None) -> DatabaseView:
    view = await (database or get_database()).view()
    if view.at is None:
        raise DatabaseConnectionError(view.detail, operation="read the database")
    return view
