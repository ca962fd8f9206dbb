"""The jobs that nobody else runs: partitions ahead, rollups and retention where there is no TimescaleDB to do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from core.exceptions import BusinessLogicError, DatabaseOperationError, InfrastructureException, ResourceNotFoundError
from core.logging import get_logger
from core.models import ChunkInfo, past_retention
from core.ports import Clock, SystemClock
from core.storage import rollups
from core.storage.engine import Database
from core.storage.hold import hold_retention, retention_waits
from core.storage.partitions import drop_partition, ensure_ahead
from core.storage.policy_notes import reread
from core.storage.schema import ROLLUP, ROLLUPS, SAMPLE_TABLE
from core.storage.setup_times import OWN_JOBS, PARTITIONS_AHEAD, REFRESH_ROLLUPS, RETENTION, keep_for

_LOG = get_logger(__name__)
_TICK_S = 15.0
_HOLD_EVERY_S = 600.0
_TRIM_EVERY_S, _TRIM_ROWS = 3600.0, 10_000

_RESULT = text("""
INSERT INTO jumpwatch_jobs (job_id, name, last_run, last_ok, last_error, total_runs, total_failures)
VALUES (:id, :name, :at, :ok, :error, 1, CASE WHEN :ok THEN 0 ELSE 1 END)
ON CONFLICT (job_id) DO UPDATE SET name = excluded.name, last_run = excluded.last_run, last_ok = excluded.last_ok,
    last_error = coalesce(excluded.last_error, jumpwatch_jobs.last_error),
    total_runs = jumpwatch_jobs.total_runs + 1,
    total_failures = jumpwatch_jobs.total_failures + excluded.total_failures
""")
_NAME = text("SELECT application_name::text FROM timescaledb_information.jobs WHERE job_id = :id")
# Jobs of our own tables alone, and none of the server's telemetry. run_job by hand leaves no trace in job_stats.
_DUE = text("""
SELECT j.job_id, j.application_name::text AS name FROM timescaledb_information.jobs j
LEFT JOIN jumpwatch_jobs o ON o.job_id = j.job_id
WHERE j.scheduled AND j.job_id >= 1000 AND (o.last_run IS NULL OR o.last_run + j.schedule_interval <= :now)
ORDER BY o.last_run NULLS FIRST, j.job_id
""")

_TRIM = text("""
DELETE FROM findings WHERE finding_id IN (
    SELECT finding_id FROM findings WHERE ts < :before ORDER BY ts LIMIT :most
)
""")


async def trim_findings(database: Database, now: datetime) -> int:
    """Drop the findings that are older than raw data may be; what still holds was stored again since. Returns rows."""
    before, dropped = now - database.retention.raw_retention, 0
    while True:  # in portions that no statement's time limit cuts
        async with database.connect("drop old findings") as connection:
            done = (await connection.execute(_TRIM, {"before": before, "most": _TRIM_ROWS})).rowcount
        dropped += done
        if done < _TRIM_ROWS:
            return dropped


async def _partitions(database: Database, now: datetime) -> None:
    await ensure_ahead(database, now)


async def _rollups(database: Database, now: datetime) -> None:
    for rollup in ROLLUPS:
        await rollups.catch_up(database, rollup, now)


async def _retention(database: Database, now: datetime) -> None:
    """Drop the partitions that are too old; raw ones only where every rollup holds their rows."""
    from core.storage.catalogue import read_chunks

    async with database.connect("read the policies") as connection:
        await reread(database, connection)
    times, kept = keep_for(database.retention), list[ChunkInfo]()
    past = past_retention(await read_chunks(database, sizes=False), times.get, now)
    # Raw data first: it is compared with its rollups, and where it has to stay they stay with it.
    for chunk in sorted(past, key=lambda chunk: chunk.hypertable in ROLLUP):
        if chunk.hypertable in SAMPLE_TABLE:
            why = await rollups.uncovered(database, chunk.hypertable, chunk.start, chunk.end)
            if why:
                _LOG.warning("an old partition is kept", partition=chunk.name, reason=why)
                kept.append(chunk)
                continue
        elif any(_rolls(chunk, raw) for raw in kept):
            continue
        await drop_partition(database, chunk.hypertable, chunk.name.split(".", 1)[1])


def _rolls(chunk: ChunkInfo, raw: ChunkInfo) -> bool:
    """Say whether a partition of a rollup holds the time of a raw one."""
    mine = ROLLUP[chunk.hypertable].source.name == raw.hypertable
    return mine and chunk.start < raw.end and raw.start < chunk.end


_WORK: dict[int, Callable[[Database, datetime], Awaitable[None]]] = {
    PARTITIONS_AHEAD: _partitions,
    REFRESH_ROLLUPS: _rollups,
    RETENTION: _retention,
}


async def run_own_job(database: Database, job_id: int, now: datetime) -> None:
    """Run one of our jobs and record what came of it; its failure is raised after that."""
    if job_id not in OWN_JOBS:
        raise ResourceNotFoundError(f"there is no job {job_id}", operation="run job")
    await _recorded(database, job_id, OWN_JOBS[job_id][0], now, _WORK[job_id](database, now))


async def run_their_job(database: Database, job_id: int, now: datetime) -> None:
    """Run a job of TimescaleDB now and record what came of it; its failure is raised after that."""
    async with database.connect("look for the job") as connection:
        name = await connection.scalar(_NAME, {"id": job_id})
        waiting = await retention_waits(connection, job_id)
    if name is None:
        raise ResourceNotFoundError(f"there is no job {job_id}", operation="run job")
    if waiting:
        raise BusinessLogicError(f"job {job_id} is not run: {waiting}", operation="run job")
    await _recorded(database, job_id, name, now, _call(database, job_id))


async def _call(database: Database, job_id: int) -> None:
    """Run a job; one that went on past a failure has told it in a warning alone, under the failure's own SQLSTATE."""
    told: list[str] = []

    def listen(_: Any, message: Any) -> None:
        if message.severity == "WARNING" and not str(message.sqlstate).startswith("01"):
            told.append(". ".join(filter(None, (message.message, message.detail))))

    async with database.maintenance(operation=f"run job {job_id}") as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_log_listener(listen)
        try:
            await connection.execute(text("CALL run_job(:id)"), {"id": job_id})
            await asyncio.sleep(0)  # listeners are called soon, not at once
        finally:
            driver.remove_log_listener(listen)
    if told:
        raise DatabaseOperationError(f"job {job_id} did a part of its work: {told[0]}", operation="run job")


async def _recorded(database: Database, job_id: int, name: str, now: datetime, work: Awaitable[None]) -> None:
    error: InfrastructureException | None = None
    try:
        await work
    except InfrastructureException as caught:
        error = caught
    values = {"id": job_id, "name": name, "at": now, "ok": error is None, "error": error and error.message}
    async with database.connect("record a job") as connection:
        await connection.execute(_RESULT, values)
    if error is not None:
        raise error


class Housekeeper:
    """Runs the jobs that are due: ours, and TimescaleDB's own where it has no background workers.

    ``run`` is awaited by its owner, in the console that is the poller alone; ``run_due`` is one round of it.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._next: dict[int, float] = {}

    async def run(self) -> None:
        """Run what is due until cancelled; failures are logged and shown as the job's own."""
        while True:
            try:
                await self.run_due()
            except InfrastructureException as error:
                _LOG.warning("housekeeping", reason=error.message)
            await asyncio.sleep(_TICK_S)

    async def run_due(self) -> int:
        """Run what is due now; returns how many jobs ran."""
        capability = self._database.capability
        if capability is None or (self._database.timescale and not capability.may_maintain):
            return 0
        if capability.may_maintain:
            await self._trim()
        if self._database.timescale and capability.background_workers:
            await self._look_after_retention()
            return 0
        if self._database.timescale:
            return await self._run_theirs()
        ran = 0
        for job_id, (name, every) in OWN_JOBS.items():
            if self._clock.monotonic() < self._next.get(job_id, 0.0):
                continue
            if job_id != REFRESH_ROLLUPS and not capability.may_maintain:
                continue  # a writer rolls up; partitions are made and dropped by their owner
            self._next[job_id] = self._clock.monotonic() + every.total_seconds()
            ran += 1
            try:
                await run_own_job(self._database, job_id, self._clock.now())
            except InfrastructureException as error:
                _LOG.warning("job failed", job=name, reason=error.message)
        return ran

    async def _trim(self) -> None:
        if self._clock.monotonic() < self._next.get(-1, 0.0):
            return
        self._next[-1] = self._clock.monotonic() + _TRIM_EVERY_S
        try:
            if dropped := await trim_findings(self._database, self._clock.now()):
                _LOG.info("old findings dropped", rows=dropped)
        except InfrastructureException as error:  # the other jobs are done all the same
            _LOG.warning("old findings are kept", reason=error.message)

    async def _look_after_retention(self) -> None:
        if self._clock.monotonic() < self._next.get(0, 0.0):
            return
        self._next[0] = self._clock.monotonic() + _HOLD_EVERY_S
        held = await hold_retention(self._database)
        if held:
            _LOG.warning("retention waits: rollups are behind", tables=held)

    async def _run_theirs(self) -> int:
        now = self._clock.now()
        await self._look_after_retention()
        async with self._database.connect("look for due jobs") as connection:
            due = (await connection.execute(_DUE, {"now": now})).all()
        for job in due:
            # One at a time, each its own connection: the single session is free for others in between.
            try:
                await _recorded(self._database, job.job_id, job.name, now, _call(self._database, job.job_id))
            except InfrastructureException as error:
                _LOG.warning("job failed", job=job.name, reason=error.message)
        return len(due)
