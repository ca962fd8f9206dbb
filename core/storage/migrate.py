"""Running the migrations from the program: forward only, all or none, one console at a time."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

from sqlalchemy import Connection, text

from core.exceptions import BusinessLogicError, DatabaseConnectionError, DatabaseOperationError
from core.storage.capability import OLDEST_SERVER, fitting_mode
from core.storage.engine import Database
from core.storage.steps import StepResult, StepState

HEAD = "0002"
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6A77_0001  # advisory, for the time of a migration


async def revision(database: Database) -> str | None:
    """Return the revision that the database is at; None where it is not set up."""
    async with database.connect("read the schema's revision") as connection:
        if not await connection.scalar(text("SELECT to_regclass('public.jumpwatch_schema') IS NOT NULL")):
            return None
        found: str | None = await connection.scalar(text("SELECT version_num FROM jumpwatch_schema"))
        return found


async def prepare_extension(database: Database) -> StepResult:
    """Create the extension where the server has it and the database is new; say so where that cannot be."""
    statement = text("""
        SELECT current_setting('server_version_num')::int AS number,
               (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS extension,
               (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb') AS available
    """)
    async with database.connect("look for TimescaleDB") as connection:
        row = (await connection.execute(statement)).one()
    if row.number < OLDEST_SERVER:
        raise BusinessLogicError(
            f"{database.where} runs PostgreSQL {row.number // 10000}: 15 or newer is needed", operation="db init"
        )
    if row.extension or not row.available:
        why = f"TimescaleDB {row.extension} is there" if row.extension else "the server has no timescaledb extension"
        return StepResult("extension", "timescaledb", StepState.SKIPPED, why)
    try:
        async with database.connect("create the extension") as connection:
            await connection.execute(text("CREATE EXTENSION IF NOT EXISTS timescaledb"))
    except (DatabaseOperationError, DatabaseConnectionError) as error:
        # Not preloaded, it ends the session. A server that is really gone is met at the next step.
        # No failure: everything works on plain partitions. The health check goes on saying what could be had.
        return StepResult("extension", "timescaledb", StepState.SKIPPED, f"{error.message} (plain partitions are used)")
    await database.forget_connections()
    return StepResult("extension", "timescaledb", StepState.CREATED, f"TimescaleDB {row.available}")


async def migrate(database: Database) -> StepResult:
    """Bring the schema to HEAD. The first migration records the mode; later ones keep to it."""
    at = await revision(database)
    if at == HEAD:
        return StepResult("schema", HEAD, StepState.SKIPPED, "up to date")
    capability = await database.refresh_capability()
    mode = capability.mode
    if at is None:
        mode, _ = fitting_mode(capability.extension_version, capability.licence)
    await asyncio.to_thread(importlib.import_module, "alembic.command")  # 0.2 s of imports
    async with database.connect("migrate the schema") as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade, mode.value)
    await database.forget_connections()
    await database.refresh_capability()
    state = StepState.CREATED if at is None else StepState.CHANGED
    return StepResult("schema", HEAD, state, f"from {at or 'nothing'}, mode {mode.value}")


def _upgrade(connection: Connection, mode: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["mode"] = mode
    command.upgrade(config, "head")
