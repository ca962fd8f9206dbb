"""Setting up again: policies follow the settings, new rollups are filled, and nothing goes that is not rolled up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.config import RetentionSettings
from core.exceptions import BusinessLogicError, ConfigurationError, DatabaseOperationError, InfrastructureException
from core.models import Host, JobInfo
from core.retention import plan_retention
from core.storage import rollups
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.housekeeping import run_own_job
from core.storage.ingest import Ingest
from core.storage.schema import ROLLUP, ROLLUPS, Rollup
from core.storage.setup import initialise
from core.storage.setup_times import RETENTION
from core.storage.steps import StepResult, StepState
from tests.storage.made import NOW, count, series

DAY = timedelta(days=1)
States = dict[tuple[str, str], StepState]


def states(steps: Iterable[StepResult]) -> States:
    assert all(step.ok for step in steps)
    return {(step.step, step.target): step.state for step in steps}


def needs_timescale(database: Database) -> None:
    if not database.timescale:
        pytest.skip("policies are TimescaleDB's")


async def job(database: Database, name: str, table: str) -> JobInfo:
    return next(j for j in (await database.view()).jobs if name in j.name and j.hypertable == table)


async def run_sql(database: Database, statement: str, **values: Any) -> None:
    async with database.connect() as connection:
        await connection.execute(text(statement), values)


async def test_what_somebody_changed_is_set_right_and_then_left_alone(database: Database) -> None:
    needs_timescale(database)
    refresh = await job(database, "Refresh", "host_samples_1m")
    await run_sql(
        database,
        "SELECT alter_job(job_id, schedule_interval => INTERVAL '2 hours', "
        'config => config || \'{"start_offset": "9 days"}\') FROM timescaledb_information.jobs WHERE job_id = :id',
        id=refresh.job_id,
    )
    enable = "ALTER TABLE disk_samples SET (timescaledb.compress, timescaledb.compress_segmentby = '{}', {})"
    order = "timescaledb.compress_orderby = 'ts'"
    await run_sql(database, enable.format("host_id, item_id", order))
    steps = await initialise(database)
    done = {target for target, state in states(steps).items() if state is not StepState.SKIPPED}
    assert done == {("refresh policy", "host_samples_1m"), ("compression", "disk_samples")}
    reasons = {step.target: step.reason for step in steps if step.state is StepState.CHANGED}
    assert "9 days -> 3 days" in reasons["host_samples_1m"] and "2:00:00 -> 0:05:00" in reasons["host_samples_1m"]
    assert "was by host_id, item_id, ordered by ts" in reasons["disk_samples"]
    assert (await job(database, "Refresh", "host_samples_1m")).schedule_s == 300
    async with database.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT attname::text FROM timescaledb_information.compression_settings WHERE hypertable_name = "
                "'disk_samples' ORDER BY segmentby_column_index, orderby_column_index"
            )
        )
        assert list(rows.scalars()) == ["host_id", "item_id", "ts"]
    again = await initialise(database)
    assert [step for step in again if step.state is not StepState.SKIPPED] == []


async def test_a_policy_that_was_removed_comes_back_and_a_stopped_one_stays(database: Database) -> None:
    needs_timescale(database)
    await run_sql(database, "SELECT remove_retention_policy('disk_samples_1h')")
    stopped = await job(database, "Retention", "host_samples")
    await run_sql(database, "SELECT alter_job(:id, scheduled => false)", id=stopped.job_id)
    steps = await initialise(database)
    made = states(steps)
    assert made["retention policy", "disk_samples_1h"] is StepState.CREATED
    assert made["retention policy", "host_samples"] is StepState.SKIPPED
    told = next(s.reason for s in steps if (s.step, s.target) == ("retention policy", "host_samples"))
    assert "stopped by hand" in told and str(stopped.job_id) in told
    assert not (await job(database, "Retention", "host_samples")).scheduled
    assert (await job(database, "Retention", "disk_samples_1h")).scheduled


async def forget_rollup(database: Database, name: str) -> None:
    """Make the database one that was set up before there was this rollup."""
    if database.timescale:
        async with database.maintenance() as connection:
            await connection.execute(text(f"DROP MATERIALIZED VIEW {name}"))
    else:
        await run_sql(database, f"DROP TABLE {name}")
        await run_sql(database, "DELETE FROM jumpwatch_meta WHERE key = :key", key=f"rollup:{name}")


async def test_new_rollups_are_filled_from_the_raw_data_there_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the filling is cut off: it goes on, and meanwhile neither job nor retention looks past the hole."""
    lost = "disk_samples_1m"
    await write_history(database, [Host("host0")], series(1, 24 * 8, step=timedelta(hours=1)))
    await forget_rollup(database, lost)
    whole, calls = rollups.refresh, []

    async def cut_off(database: Database, rollup: Rollup, start: datetime, stop: datetime) -> None:
        calls.append(rollup.name)
        if len(calls) > 2:
            raise DatabaseOperationError("the cable was cut")
        await whole(database, rollup, start, start + 2 * DAY if not database.timescale else stop)

    if database.timescale:
        monkeypatch.setattr(rollups, "refresh", cut_off)
        failed = {(step.step, step.target) for step in await initialise(database) if not step.ok}
        assert failed == {("rollup fill", lost)} and set(calls) == {lost}
        assert not any(j.hypertable == lost and "Refresh" in j.name for j in (await database.view()).jobs)
        monkeypatch.undo()
        assert 0 < await count(database, lost) < 24 * 8
    lines: list[str] = []
    done = states(await initialise(database, lines.append))
    assert done["rollup fill", lost] is StepState.CHANGED and any("filling" in line for line in lines)
    if database.timescale:
        assert done["refresh policy", lost] is StepState.CREATED
    assert await rollups.uncovered(database, "disk_samples", NOW - 9 * DAY, NOW - timedelta(minutes=2)) == ""
    assert set(states(await initialise(database)).values()) == {StepState.SKIPPED}


async def test_raw_data_stays_until_every_rollup_has_it(database: Database) -> None:
    old = NOW - 40 * DAY
    await Ingest(database).samples(list(series(1, 10, end=old)), fresh=True)
    keeper = StorageChunks(database)
    for rollup in ROLLUPS:
        if rollup.name != "interface_samples_1m":
            await rollups.refresh(database, rollup, old - DAY, old + DAY)
    if database.timescale:
        asked = (await job(database, "Retention", "interface_samples")).job_id
        with pytest.raises(BusinessLogicError, match="not rolled up"):
            await keeper.run_job(asked)
    else:
        asked = RETENTION
        await run_own_job(database, asked, NOW)
        assert await count(database, "host_samples") == 0  # rolled up in both of its own
    assert await count(database, "interface_samples") == 10
    waiting = {chunk.hypertable for chunk, _ in (await plan_retention(keeper, database.retention, NOW)).waiting}
    assert waiting == {"interface_samples"}
    await rollups.refresh(database, ROLLUP["interface_samples_1m"], old - DAY, old + DAY)
    if database.timescale:
        # The job asks how far the rollup has come: it has to have passed what would be dropped.
        for name in ("interface_samples_1m", "interface_samples_1h"):
            await Ingest(database).samples(list(series(1, 2, end=NOW - timedelta(hours=3))), fresh=True)
            await rollups.refresh(database, ROLLUP[name], old - DAY, NOW)
    await keeper.run_job(asked)
    async with database.connect() as connection:
        left = text("SELECT count(*) FROM interface_samples WHERE ts < :old")
        assert await connection.scalar(left, {"old": old + DAY}) == 0
        for name in ("interface_samples_1m", "interface_samples_1h"):
            rolled = text(f"SELECT sum(samples) FROM {name} WHERE bucket < :old")
            assert await connection.scalar(rolled, {"old": old + DAY}) == 10


async def test_a_chunk_that_refreshes_look_back_over_is_kept(database: Database) -> None:
    """To drop it would empty its rollup at the next refresh."""
    await write_history(database, [Host("host0")], series(1, 24 * 6, step=timedelta(hours=1)))
    keeper = StorageChunks(database)
    plan = await plan_retention(keeper, database.retention, NOW, older_than=NOW)
    assert plan.chunks and all(chunk.end <= NOW - database.retention.refresh_start for chunk in plan.chunks)
    inside = next(
        c for c in await keeper.chunks("host_samples") if NOW - database.retention.refresh_start < c.end <= NOW
    )
    with pytest.raises(BusinessLogicError, match="refreshed over the last 3 days"):
        await keeper.drop(inside)
    rolled = await count(database, "host_samples_1h")
    for chunk in plan.chunks:
        await keeper.drop(chunk)
    refreshers = [j.job_id for j in (await database.view()).jobs if "Refresh" in j.name]
    for job_id in refreshers:
        await keeper.run_job(job_id)
    assert await count(database, "host_samples_1h") == rolled > 0


async def test_settings_in_which_raw_data_outlives_a_rollup_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="ROLLUP_MINUTE_RETENTION"):
        RetentionSettings(raw_retention=30 * DAY, rollup_minute_retention=20 * DAY)


async def test_a_job_that_half_failed_is_told_by_job_and_by_chunk(database: Database, other: Database) -> None:
    """One chunk is locked by somebody: the job compresses the others, fails, and both can be seen."""
    needs_timescale(database)
    await write_history(database, [Host("host0")], series(1, 24 * 6, end=NOW - 3 * DAY, step=timedelta(hours=1)))
    keeper = StorageChunks(database)
    due = [c for c in await keeper.chunks("host_samples") if c.end <= NOW - database.retention.compress_after]
    jobs = (await database.view()).jobs
    policy = next(j for j in jobs if j.hypertable == "host_samples" and "Retention" not in j.name)
    assert len(due) >= 4
    before = await job(database, policy.name, "host_samples")
    async with other.driver() as holder:
        await holder.execute(f"LOCK TABLE {due[1].name} IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(InfrastructureException):
            await keeper.run_job(policy.job_id)
    chunks = {c.name: c for c in (await database.view()).chunks}
    assert [chunks[c.name].compressed for c in due] == [c.name != due[1].name for c in due]
    failed = await job(database, policy.name, "host_samples")
    left = next(check for check in (await database.view()).health if check.name == "compression")
    assert left.ok is False and left.text.startswith("1 chunks") and due[1].name in left.text
    assert failed.last_ok is False and failed.last_error and failed.last_run is not None
    assert (failed.total_failures or 0) == (before.total_failures or 0) + 1
    told = next(check for check in (await database.view()).health if check.name == "jobs")
    assert told.ok is False and str(policy.job_id) in told.text
    await keeper.run_job(policy.job_id)
    assert (await job(database, policy.name, "host_samples")).last_ok
    assert not any(check.name == "compression" for check in (await database.view()).health)
    assert all(c.compressed for c in await keeper.chunks("host_samples") if c.end <= due[-1].end)
