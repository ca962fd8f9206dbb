"""Setting a database up, step by step and again at will: schema, chunks, compression, rollups, retention."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from sqlalchemy import text

from core.exceptions import BusinessLogicError, ConfigurationError, DatabaseTimeoutError, InfrastructureException
from core.ports import Clock, SystemClock
from core.storage import timescale
from core.storage.capability import get_compression
from core.storage.engine import Database
from core.storage.errors import mapped
from core.storage.hold import hold_retention
from core.storage.migrate import migrate, prepare_extension, revision
from core.storage.partitions import ensure_ahead
from core.storage.repair import repair
from core.storage.revisions import HEAD
from core.storage.rollups import create_rollup, fill
from core.storage.schema import ROLLUPS, SAMPLE_TABLES, Rollup
from core.storage.setup_times import keep_for
from core.storage.steps import Progress, StepResult, StepState, no_progress

_LOCK = 0x6A77_0003  # advisory, while a console sets the database up


async def _step(step: str, target: str, work: Awaitable[StepResult]) -> StepResult:
    """Await one step; what it raises becomes its answer, and the next steps are still tried."""
    try:
        return await work
    except InfrastructureException as error:
        return StepResult(step, target, StepState.FAILED, error.message)


async def _each(
    step: str, names: Iterable[str], work: Callable[[str], Awaitable[StepResult]], progress: Progress
) -> list[StepResult]:
    results = []
    for name in names:
        progress(f"{step} {name}")
        results.append(await _step(step, name, work(name)))
    return results


def _partitioned(database: Database, step: str) -> list[StepResult]:
    why = get_compression(database.capability)
    return [StepResult(step, table.name, StepState.SKIPPED, why) for table in SAMPLE_TABLES]


async def create_hypertables(
    database: Database, progress: Progress = no_progress, now: datetime | None = None
) -> list[StepResult]:
    """Make the sample tables hypertables, or their partitions ahead of time."""
    if not database.timescale:
        await ensure_ahead(database, now or SystemClock().now())
        return [StepResult("partitions", table.name, StepState.SKIPPED, "made ahead") for table in SAMPLE_TABLES]
    tables = {table.name: table for table in SAMPLE_TABLES}
    return await _each("hypertable", tables, lambda name: timescale.create_hypertable(database, tables[name]), progress)


async def setup_compression_policies(database: Database, progress: Progress = no_progress) -> list[StepResult]:
    """Enable compression and let a job compress what is older than compress_after."""
    if not database.timescale:
        return _partitioned(database, "compression policy")
    results = []
    for table in SAMPLE_TABLES:
        progress(f"compression {table.name}")
        results.append(await _step("compression", table.name, timescale.enable_compression(database, table)))
        results.append(await _step("compression policy", table.name, timescale.compression_policy(database, table)))
    return results


async def create_rollups(
    database: Database, progress: Progress = no_progress, now: datetime | None = None
) -> list[StepResult]:
    """Create the rollups, fill new ones from the raw data there is and, on TimescaleDB, add the jobs that refresh them.

    A rollup that could not be filled gets no job yet: the next run goes on filling it.
    """
    results = []
    for rollup in ROLLUPS:
        progress(f"rollup {rollup.name}")
        results.append(await _step("rollup", rollup.name, create_rollup(database, rollup)))
    made = {result.target: result.state for result in results if result.ok}
    if database.timescale and StepState.CREATED in made.values():
        results += await _hold(database)  # before anything is dropped that is not in the new ones
    for rollup in (rollup for rollup in ROLLUPS if rollup.name in made):
        if database.timescale or made[rollup.name] is StepState.CREATED:
            filled = await _fill(database, rollup, now or SystemClock().now(), progress)
            results += filled
            if any(not result.ok for result in filled):
                continue
        if database.timescale:
            results.append(await _step("refresh policy", rollup.name, timescale.refresh_policy(database, rollup)))
            # Uncompressed they would take many times what the raw data does: they are kept far longer.
            results.append(await _step("compression", rollup.name, timescale.enable_compression(database, rollup)))
            policy = timescale.compression_policy(database, rollup)
            results.append(await _step("compression policy", rollup.name, policy))
    return results


async def _fill(database: Database, rollup: Rollup, now: datetime, progress: Progress) -> list[StepResult]:
    try:
        filled = await fill(database, rollup, now, progress)
    except InfrastructureException as error:
        return [StepResult("rollup fill", rollup.name, StepState.FAILED, error.message)]
    return [filled] if filled else []


async def _hold(database: Database) -> list[StepResult]:
    """Hold the jobs that would drop what is in no rollup yet, and let go those that were held; tells failure alone."""
    try:
        await hold_retention(database)
    except InfrastructureException as error:
        return [StepResult("retention hold", "raw data", StepState.FAILED, error.message)]
    return []


async def setup_retention_policies(database: Database, progress: Progress = no_progress) -> list[StepResult]:
    """Let a job drop what is older than the settings keep; where there are no such jobs, ours does it."""
    times = keep_for(database.retention)
    if not database.timescale:
        why = "our own job drops what is rolled up and old"
        return [StepResult("retention policy", name, StepState.SKIPPED, why) for name in times]
    rollups = {rollup.name for rollup in ROLLUPS}
    return await _each(
        "retention policy",
        times,
        lambda name: timescale.retention_policy(database, name, times[name], rollup=name in rollups),
        progress,
    )


async def initialise(
    database: Database, progress: Progress = no_progress, clock: Clock | None = None
) -> list[StepResult]:
    """Set the database up or bring it to the settings; idempotent. Raises only where nothing could be done.

    Steps that fail are in the answer with their reason. The mode is recorded by the first migration and stays.
    """
    await check_rights(database)
    async with _alone(database):
        return await _initialise(database, progress, (clock or SystemClock()).now())


async def check_set_up(database: Database) -> None:
    """Raise ConfigurationError where the schema is not as this program wants it."""
    at = await revision(database)
    if at != HEAD:
        state = f"its schema is at revision {at}, and {HEAD} is wanted" if at else "it is not set up"
        raise ConfigurationError(
            f"{database.where}: {state}; let a maintainer run `jumpwatch db init`", operation="look at the schema"
        )


async def check_rights(database: Database) -> None:
    """Raise BusinessLogicError where the role may not set the database up; it says what there is to be done."""
    capability = database.capability or await database.open()
    if not (why := capability.why_no_upkeep):
        return
    try:
        await check_set_up(database)
        missing = f"the schema is at revision {HEAD} as wanted: nothing is missing that is known without those rights"
    except ConfigurationError as error:
        missing = error.message
    raise BusinessLogicError(f"{why}; {missing}", error_code="FORBIDDEN", operation="db init")


async def _initialise(database: Database, progress: Progress, now: datetime) -> list[StepResult]:
    progress("looking at the database")
    results = []
    if await revision(database) is None:
        results.append(await prepare_extension(database))
        await database.refresh_capability()
    progress("schema")
    results.append(await migrate(database, progress))
    results += await repair(database)
    results += await create_hypertables(database, progress, now)
    results += await setup_compression_policies(database, progress)
    results += await create_rollups(database, progress, now)
    if not database.timescale:
        await ensure_ahead(database, now)  # of the rollups, which are there now
    results += await setup_retention_policies(database, progress)
    if database.timescale:
        results += await _hold(database)
    await database.forget_connections()
    return results


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Let one console at a time set a database up: others wait for it, at most the lock's timeout, and go on."""
    if database.single_session:
        yield
        return
    async with database.maintenance(operation="db init") as connection:
        with suppress(DatabaseTimeoutError), mapped("wait for another console", database.where):
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        yield  # the lock goes with its session, at the end of this block
