"""Running the migrations from the program: forward only, all or none, one console at a time."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

from sqlalchemy import Connection, text

from core.exceptions import BusinessLogicError, DatabaseConnectionError, DatabaseOperationError, DatabaseTimeoutError
from core.storage.capability import OLDEST_SERVER, fitting_mode
from core.storage.engine import Database
from core.storage.revisions import HEAD, KNOWN, refuse_newer, revision_of
from core.storage.schema import metadata
from core.storage.steps import Progress, StepResult, StepState, no_progress

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6A77_0001  # advisory, for the time of a migration
_LOCK_NOT_AVAILABLE = "55P03"
_HOLDERS = text("""
SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), a.usename::text) AS name,
       coalesce(a.state, 'state not visible') AS state
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.relation IN (SELECT to_regclass('public.' || t) FROM unnest(CAST(:tables AS text[])) AS t)
  AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY a.pid LIMIT 3
""")


async def revision(database: Database) -> str | None:
    """Return the revision that the database is at; None where it is not set up."""
    async with database.connect("read the schema's revision") as connection:
        return await revision_of(connection)


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


async def migrate(
    database: Database,
    progress: Progress = no_progress,
    *,
    target: str = HEAD,
    lock_wait_s: float = 2.0,
    patience_s: float = 60.0,
) -> StepResult:
    """Bring the schema to ``target``. The first migration records the mode; later ones keep to it.

    A lock that somebody holds is waited for at most ``lock_wait_s`` at a time, since all who come after wait behind
    us; then it is tried anew, for ``patience_s`` in all. DatabaseTimeoutError names who held it; nothing is changed
    then. ConfigurationError where the schema is newer than this program.
    """
    at = await revision(database)
    refuse_newer(at, database.where)
    if at is not None and KNOWN.index(at) >= KNOWN.index(target):
        return StepResult("schema", at, StepState.SKIPPED, "up to date")
    await asyncio.to_thread(importlib.import_module, "alembic.command")  # 0.2 s of imports
    until = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            begun, mode = await _migrate(database, target, lock_wait_s)
            break
        except DatabaseTimeoutError as error:
            if error.details.get("sqlstate") != _LOCK_NOT_AVAILABLE:
                raise
            holders = await _holders(database)
            if asyncio.get_running_loop().time() > until:
                raise DatabaseTimeoutError(
                    f"the schema of {database.where} was not changed: a table is locked{holders}; end that session, "
                    "then `jumpwatch db init` again",
                    timeout_seconds=patience_s,
                    operation="migrate the schema",
                ) from error
            progress(f"a table is locked{holders}: the schema waits")
        await asyncio.sleep(lock_wait_s / 2)  # lets those pass who waited behind us
    await database.forget_connections()
    await database.refresh_capability()
    if begun == target:
        return StepResult("schema", target, StepState.SKIPPED, "another console brought it up to date")
    state = StepState.CREATED if begun is None else StepState.CHANGED
    return StepResult("schema", target, state, f"from {begun or 'nothing'}, mode {mode}")


async def _migrate(database: Database, target: str, lock_wait_s: float) -> tuple[str | None, str]:
    """Run the revisions that lack, in one transaction; returns where it began, and the mode."""
    capability = await database.refresh_capability()
    async with database.maintenance(operation="migrate the schema", transaction=True) as connection:
        await connection.execute(
            text("SELECT set_config('lock_timeout', :ms, true)"), {"ms": str(max(1, int(lock_wait_s * 1000)))}
        )
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        at = await revision_of(connection)  # read under the lock: another console may have been quicker
        mode = capability.mode
        if at is None:
            mode, _ = fitting_mode(capability.extension_version, capability.licence)
        if at is None or KNOWN.index(at) < KNOWN.index(target):
            await connection.run_sync(_upgrade, mode.value, target)
    return at, mode.value


async def _holders(database: Database) -> str:
    """Name the sessions that hold locks on our tables, for people; empty where they cannot be seen."""
    async with database.connect("look who holds the lock") as connection:
        rows = (await connection.execute(_HOLDERS, {"tables": list(metadata.tables)})).all()
    return " by " + ", ".join(f"{row.name or 'a session'} (pid {row.pid}, {row.state})" for row in rows) if rows else ""


def _upgrade(connection: Connection, mode: str, target: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["mode"] = mode
    command.upgrade(config, target)
