"""Upkeep by hand, on every engine: what a plan says is there, what is shown is what is run, and it is audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from core.events import EventBus
from core.exceptions import BusinessLogicError, ResourceNotFoundError, ValidationError
from core.models import Host, Outcome, Plan, PlanRequest, SessionKind
from core.operations import Gate, Operations
from core.storage.activity import read_activity
from core.storage.audit import StorageAudit
from core.storage.chunks import StorageChunks
from core.storage.connect import connect_arguments
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.schema import SAMPLE_TABLES
from core.storage.setup import initialise
from core.storage.steps import StepState
from core.storage.upkeep import StorageUpkeep
from tests.storage.made import count, series

DAY = timedelta(days=1)


@pytest.fixture
async def operations(database: Database) -> AsyncIterator[Operations]:
    async with EventBus() as bus:
        yield Operations(
            StorageChunks(database), StorageAudit(database), lambda: database.retention, bus,
            gate=Gate(read_only=False), capability=lambda: database.capability, server=StorageUpkeep(database),
        )  # fmt: skip


async def fill(database: Database, days: int = 8) -> None:
    """Write half-hourly samples of two hosts over so many days, rolled up."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    await write_history(
        database, [Host("host0"), Host("host1")], series(2, 48 * days, end=end, step=timedelta(minutes=30))
    )


async def do(operations: Operations, action: str, **arguments: Any) -> tuple[Plan, Outcome]:
    plan = await operations.plan(PlanRequest(action, arguments))
    assert not plan.refused, plan.refused
    outcome = await operations.apply(plan, plan.confirm, "tester")
    assert outcome.ok, outcome.summary
    return plan, outcome


async def refused(operations: Operations, action: str, **arguments: Any) -> str:
    plan = await operations.plan(PlanRequest(action, arguments))
    assert plan.refused
    with pytest.raises(BusinessLogicError):
        await operations.apply(plan, plan.confirm, "tester")
    return plan.refused


async def execute(database: Database, statement: str) -> None:
    async with database.maintenance(operation="by hand") as connection:
        await connection.execute(text(statement))


async def ages(database: Database, proc: str) -> set[float | None]:
    return {job.after_s for job in await StorageUpkeep(database).jobs() if job.proc == proc and job.hypertable}


async def a_policy_is_changed_for_good_and_given_back(database: Database, operations: Operations) -> None:
    plan, _ = await do(operations, "policy.set", policy="raw_retention", value="6 days")
    assert plan.confirm == "raw_retention" and plan.destructive and "the next run would drop" in plan.summary
    assert "30 days -> 6 days" in plan.summary and any("JUMPWATCH_RETENTION_RAW_RETENTION" in w for w in plan.warnings)
    assert database.retention.raw_retention == 6 * DAY and database.configured_retention.raw_retention == 30 * DAY
    if database.timescale:
        assert len(plan.targets) == 1 + len(SAMPLE_TABLES) and plan.statements[1].startswith("SELECT alter_job(")
        assert 6 * 86400.0 in await ages(database, "policy_retention")
    # A console that starts now does not set it back, and knows it.
    await database.open()
    steps = await initialise(database)
    assert {step.state for step in steps if step.step == "retention policy"} == {StepState.SKIPPED}
    due = await operations.plan(PlanRequest("retention.run"))
    assert due.targets and not due.refused
    # Where the settings themselves are changed afterwards they have the later word.
    database.configured_retention = database.configured_retention.model_copy(update={"raw_retention": 20 * DAY})
    await database.open()
    assert database.retention.raw_retention == 20 * DAY
    database.configured_retention = database.configured_retention.model_copy(update={"raw_retention": 30 * DAY})
    await database.open()
    back, _ = await do(operations, "policy.set", policy="raw_retention", value="settings")
    assert back.statements[0].startswith("DELETE") and not back.destructive
    assert database.retention == database.configured_retention
    if database.timescale:
        assert 6 * 86400.0 not in await ages(database, "policy_retention")


async def a_policy_out_of_bounds_is_refused_before_anything_is_done(database: Database, operations: Operations) -> None:
    for policy, value, why in (
        ("raw_retention", "2 days", "JUMPWATCH_RETENTION"),
        ("raw_retention", "1 hour", "21600"),
        ("rollup_hour_retention", "20 days", "must be no more than"),
        ("nonsense", "1 day", "there are compress_after"),
        ("raw_retention", "'; DROP TABLE hosts", "raw_retention"),
    ):
        with pytest.raises(ValidationError) as raised:
            await operations.plan(PlanRequest("policy.set", {"policy": policy, "value": value}))
        assert why in raised.value.message or policy in raised.value.message
    assert "already" in await refused(operations, "policy.set", policy="raw_retention", value="30 days")


async def the_compression_age_says_what_the_next_run_takes(database: Database, operations: Operations) -> None:
    if not database.timescale:
        assert "needs TimescaleDB" in await refused(operations, "policy.set", policy="compress_after", value="4 days")
        return
    plan, _ = await do(operations, "policy.set", policy="compress-after", value="4 days")
    assert "the next run would compress" in plan.summary and not plan.destructive
    assert await ages(database, "policy_compression") == {4 * 86400.0}  # raw ones; rollups had four days before
    await do(operations, "policy.set", policy="compress_after", value="settings")
    assert await ages(database, "policy_compression") == {2 * 86400.0, 4 * 86400.0}


async def jobs_are_stopped_let_run_and_run_again(database: Database, operations: Operations) -> None:
    jobs = {job.job_id: job for job in await StorageUpkeep(database).jobs() if job.job_id < 4 or job.hypertable}
    if not database.timescale:
        assert "own jobs have no switch" in await refused(operations, "job.pause", job_id=2)
        plan, outcome = await do(operations, "job.run", job_id=2)
        assert outcome.done == ("job 2",) and "Refresh Rollups" in plan.targets[0].note
        assert "did not fail" in await refused(operations, "job.fix", job_id=2)
        with pytest.raises(ResourceNotFoundError, match="db status"):
            await operations.plan(PlanRequest("job.run", {"job_id": 77}))
        return
    retention = next(j for j in jobs.values() if j.proc == "policy_retention" and j.hypertable == "host_samples")
    number = retention.job_id
    await execute(database, f"SELECT alter_job({number}, scheduled => true)")
    plan, _ = await do(operations, "job.pause", job_id=number)
    assert plan.statements == (f"SELECT alter_job({number}, scheduled => false)",) and "disk fills" in plan.warnings[0]
    assert "stopped already" in await refused(operations, "job.pause", job_id=number)
    again, outcome = await do(operations, "job.fix", job_id=number)
    assert outcome.done == (f"job {number}", f"schedule of job {number}")
    assert again.statements[0] == f"CALL run_job({number})" and "scheduled => true" in again.statements[1]
    assert next(j for j in await StorageUpkeep(database).jobs() if j.job_id == number).scheduled
    assert "scheduled already" in await refused(operations, "job.resume", job_id=number)
    await do(operations, "job.pause", job_id=number)
    await do(operations, "job.resume", job_id=number)


async def a_rollup_is_rolled_up_anew_and_never_emptied(database: Database, operations: Operations) -> None:
    keeper = StorageChunks(database)
    before = await count(database, "host_samples_1h")
    async with database.connect("break a rollup") as connection:
        oldest = await connection.scalar(text("SELECT min(bucket) FROM host_samples_1h"))
    for chunk in (await keeper.chunks("host_samples"))[:3]:  # raw data that retention has passed
        if chunk.end < datetime.now(UTC) - 4 * DAY:
            await keeper.drop(chunk)
    plan, _ = await do(operations, "rollup.refresh", rollup="host_samples_1h", start=oldest.isoformat())
    assert any("raw data is gone" in warning for warning in plan.warnings)
    assert "buckets of host_samples_1h" in plan.summary
    assert await count(database, "host_samples_1h") == before
    nothing = await operations.plan(
        PlanRequest("rollup.refresh", {
            "rollup": "host_samples_1h", "start": oldest.isoformat(), "stop": (oldest + DAY).isoformat(),
        })
    )  # fmt: skip
    assert "would empty the rollup" in nothing.refused
    with pytest.raises(ResourceNotFoundError, match="no rollup"):
        await operations.plan(PlanRequest("rollup.refresh", {"rollup": "hosts'; DROP TABLE hosts; --"}))
    with pytest.raises(ValidationError, match="with its zone"):
        await operations.plan(PlanRequest("rollup.refresh", {"rollup": "host_samples_1h", "start": "yesterday"}))


async def tables_are_vacuumed_and_analysed(database: Database, operations: Operations) -> None:
    await execute(database, "DELETE FROM items")
    for table in ("items", "host_samples", "host_samples_1h"):
        plan, _ = await do(operations, "table.vacuum", table=table)
        assert plan.confirm == table and plan.statements[0].startswith("VACUUM (ANALYZE) ")
        plan, _ = await do(operations, "table.analyze", table=table)
        assert plan.statements[0].startswith("ANALYZE ")
    chunk = (await StorageChunks(database).chunks("host_samples"))[0]
    await do(operations, "table.vacuum", table=chunk.name)
    with pytest.raises(ResourceNotFoundError):
        await operations.plan(PlanRequest("table.vacuum", {"table": "nothing; DROP TABLE hosts"}))


async def indexes_are_built_anew_and_what_was_left_goes(database: Database, operations: Operations) -> None:
    if database.single_session:
        assert "one session" in await refused(operations, "table.reindex", table="findings")
    else:
        # A unique index over rows that are twice there fails, and stays invalid: what a cut REINDEX looks like.
        await execute(database, "INSERT INTO transitions (host_id, ts, old, new) SELECT 1, now() + n * interval '1 s', "
                                "'a', 'b' FROM generate_series(1, 2) n")  # fmt: skip
        with pytest.raises(Exception, match=r"uplicate|unique"):
            await execute(database, "CREATE UNIQUE INDEX CONCURRENTLY transitions_ts_ccnew ON transitions (host_id)")
        plan, outcome = await do(operations, "table.reindex", table="transitions")
        assert plan.statements[0] == "DROP INDEX CONCURRENTLY IF EXISTS public.transitions_ts_ccnew"
        assert "1 half-built" in plan.summary and len(outcome.done) == len(plan.targets) >= 3
        assert "nothing to do" in await refused(operations, "index.clean")
        chunk = (await StorageChunks(database).chunks("host_samples"))[0]
        plan, _ = await do(operations, "table.reindex", table=chunk.name)
        assert all(s.startswith("REINDEX INDEX CONCURRENTLY ") for s in plan.statements)
        if database.timescale:
            assert "one of its chunks" in await refused(operations, "table.reindex", table="host_samples")
        else:
            await do(operations, "table.reindex", table="host_samples")


async def one_chunk_is_sorted_taken_in_and_dropped(database: Database, operations: Operations) -> None:
    keeper = StorageChunks(database)
    chunks = await keeper.chunks("host_samples")
    oldest, before = chunks[0], len(chunks)
    if database.timescale:
        plan, _ = await do(operations, "chunk.reorder", chunk=chunks[1].name)
        assert "reorder_chunk(" in plan.statements[0] and "pkey" in plan.statements[0]
        await do(operations, "chunk.compress", chunk=chunks[1].name)
        assert "in order already" in await refused(operations, "chunk.reorder", chunk=chunks[1].name)
        assert "no rows newer" in await refused(operations, "chunk.recompress", chunk=chunks[1].name)
        row = {"at": chunks[1].start + timedelta(hours=1, seconds=7)}
        async with database.connect("a late row") as connection:
            await connection.execute(text("INSERT INTO host_samples (host_id, ts, cpu_pct) VALUES (1, :at, 1)"), row)
        assert next(c for c in await keeper.chunks("host_samples") if c.name == chunks[1].name).partial
        await do(operations, "chunk.recompress", chunk=chunks[1].name)
        assert not next(c for c in await keeper.chunks("host_samples") if c.name == chunks[1].name).partial
    else:
        for action in ("chunk.reorder", "chunk.recompress"):
            assert "needs TimescaleDB" in await refused(operations, action, chunk=chunks[1].name)
    assert "still being written" in await refused(operations, "chunk.drop", chunk=chunks[-1].name)
    young = next(c for c in chunks if datetime.now(UTC) - 2 * DAY <= c.end <= datetime.now(UTC))
    assert "rollups are refreshed" in await refused(operations, "chunk.drop", chunk=young.name)
    rolled = await count(database, "host_samples_1h")
    plan, outcome = await do(operations, "chunk.drop", chunk=oldest.name)
    assert plan.destructive and "cannot be undone" in plan.summary and outcome.done == (oldest.name,)
    left = await keeper.chunks("host_samples")
    assert len(left) == before - 1 and oldest.name not in {c.name for c in left}
    assert await count(database, "host_samples_1h") == rolled
    entry = (await StorageAudit(database).recent(1))[0]
    assert entry.action == "chunk.drop" and entry.ok and entry.plan["targets"] == [oldest.name]


async def sleeping(database: Database, name: str) -> tuple[Any, asyncio.Task[Any]]:
    """A session that sleeps for long, and the task that waits for it."""
    arguments = connect_arguments(database.settings, database.address, name=name, bounded=False)
    arguments["server_settings"]["statement_timeout"] = "0"
    connection = await asyncpg.connect(**arguments)
    task = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
    pid = connection.get_server_pid()
    async with asyncio.timeout(30):
        while not any(s.pid == pid and s.state == "active" for s in await active(database)):
            await asyncio.sleep(0.02)
    return connection, task


async def active(database: Database) -> tuple[Any, ...]:
    async with database.connect("look at the sessions") as connection:
        return (await read_activity(database, connection)).sessions


async def sessions_are_told_apart_cancelled_and_ended(database: Database, operations: Operations) -> None:
    if database.single_session:
        assert "one session" in await refused(operations, "session.cancel", pid=1)
        view = await database.view()
        assert view.activity is not None and view.activity.sessions == ()
        return
    connection, task = await sleeping(database, "payroll")
    pid = connection.get_server_pid()
    async with database.connect("another of ours"):
        found = {session.pid: session for session in await active(database)}
    assert found[pid].kind is SessionKind.CLIENT and "pg_sleep" in found[pid].query and not found[pid].hidden
    assert SessionKind.OURS in {session.kind for session in found.values()}
    plan, _ = await do(operations, "session.cancel", pid=pid)
    assert plan.confirm == str(pid) and "payroll" in plan.targets[0].note and "query_start" in plan.statements[0]
    with pytest.raises(asyncpg.QueryCanceledError):
        await task
    assert "runs nothing just now" in await refused(operations, "session.cancel", pid=pid)
    ending = await operations.plan(PlanRequest("session.terminate", {"pid": pid}))
    assert ending.destructive
    assert (await operations.apply(ending, str(pid), "tester")).ok
    with pytest.raises(ResourceNotFoundError, match="no session"):
        await operations.plan(PlanRequest("session.terminate", {"pid": pid}))
    assert pid not in {session.pid for session in await active(database)}
    connection.terminate()


async def a_plan_for_another_statement_of_the_session_is_stale(database: Database, operations: Operations) -> None:
    connection, task = await sleeping(database, "payroll")
    pid = connection.get_server_pid()
    plan = await operations.plan(PlanRequest("session.cancel", {"pid": pid}))
    async with database.connect("cancel it") as other:
        await other.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})
    with pytest.raises(asyncpg.QueryCanceledError):
        await task
    with pytest.raises(BusinessLogicError, match=r"stale|runs nothing"):
        await operations.apply(plan, plan.confirm, "tester")
    await connection.close()


async def the_view_tells_what_tables_cost(database: Database, _: Operations) -> None:
    view = await database.view()
    sizes = {info.name: info for info in view.relations}
    assert {"host_samples", "host_samples_1h", "items", "audit"} <= set(sizes)
    assert (sizes["host_samples"].total_bytes or 0) > 0 and sizes["items"].index_bytes
    assert list(view.relations) == sorted(view.relations, key=lambda info: (-(info.total_bytes or 0), info.name))


async def a_cut_reindex_leaves_nothing_behind(database: Database, operations: Operations) -> None:
    # An open transaction keeps REINDEX CONCURRENTLY waiting, half built, for as long as it lasts.
    holder = await asyncpg.connect(**connect_arguments(database.settings, database.address, name="holder"))
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(
        "INSERT INTO findings (host_id, kind, ts, status, severity) VALUES (1, 'x', now(), 'ok', 'info')"
    )
    plan = await operations.plan(PlanRequest("table.reindex", {"table": "findings"}))
    work = asyncio.create_task(operations.apply(plan, plan.confirm, "tester"))
    upkeep = StorageUpkeep(database)
    async with asyncio.timeout(30):
        while not await upkeep.leftovers():
            await asyncio.sleep(0.05)
    building = await operations.plan(PlanRequest("index.clean"))
    assert "nothing to do" in building.refused and building.warnings  # it is at work: not to be touched
    work.cancel()
    await transaction.rollback()
    await holder.close()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await work
    async with asyncio.timeout(30):
        while await upkeep.leftovers():
            await do(operations, "index.clean")
    entry = (await StorageAudit(database).recent(1))[0]
    entries = {e.action: e for e in await StorageAudit(database).recent(5)}
    assert entry.ok is not None and "cut off" in (entries["table.reindex"].summary or "")


async def test_everything_by_hand_on_every_engine(database: Database, operations: Operations) -> None:
    """One database for all of it: to set one up is what takes the time. Each part leaves it whole for the next."""
    await fill(database)
    for part in (
        the_view_tells_what_tables_cost,
        a_policy_out_of_bounds_is_refused_before_anything_is_done,
        jobs_are_stopped_let_run_and_run_again,
        tables_are_vacuumed_and_analysed,
        indexes_are_built_anew_and_what_was_left_goes,
        one_chunk_is_sorted_taken_in_and_dropped,
        a_rollup_is_rolled_up_anew_and_never_emptied,
        the_compression_age_says_what_the_next_run_takes,
        a_policy_is_changed_for_good_and_given_back,
        sessions_are_told_apart_cancelled_and_ended,
    ):
        await part(database, operations)
    if not database.single_session:
        await a_plan_for_another_statement_of_the_session_is_stale(database, operations)
        await a_cut_reindex_leaves_nothing_behind(database, operations)
