"""What storage promises, kept by every engine: TimescaleDB, embedded PostgreSQL, TimescaleDB in WebAssembly."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from core.config import RetentionSettings
from core.database import check_database_health, validate_database_schema
from core.exceptions import BusinessLogicError, ResourceNotFoundError
from core.models import DatabaseState, Host, HostState, Outcome, Reason, StorageMode, Transition
from core.retention import apply_compression, apply_retention, plan_compression, plan_retention
from core.storage import plots, queries, rollups
from core.storage.audit import StorageAudit
from core.storage.catalogue import read_chunks
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.housekeeping import Housekeeper
from core.storage.ingest import Ingest, sync_hosts
from core.storage.lock import PollerLock
from core.storage.schema import ROLLUPS, SAMPLE_TABLES, metadata
from core.storage.servers import ServerAddress
from core.storage.setup import initialise
from core.storage.steps import StepState
from tests.storage.databases import ROOT
from tests.storage.made import NOW, count, sample, series, with_looks

DAY = timedelta(days=1)


async def test_init_is_idempotent_and_tells_what_it_did(blank: Database) -> None:
    await blank.open()
    before = await blank.view()
    assert before.state is DatabaseState.CONNECTED and "db init" in before.detail
    lines: list[str] = []
    first = await initialise(blank, lines.append)
    second = await initialise(blank)
    assert all(step.ok for step in first) and lines
    assert {step.state for step in second} == {StepState.SKIPPED}
    assert all(step.reason for step in [*first, *second])
    async with blank.driver() as connection:
        offered = await connection.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'")
    assert bool(offered) or blank.kind != "wasm"
    wanted = StorageMode.TIMESCALEDB if offered else StorageMode.PARTITIONS
    assert blank.capability is not None and blank.capability.mode is wanted
    assert (await validate_database_schema(blank)).ok


async def test_the_migrations_make_what_the_program_knows(database: Database) -> None:
    names = set(metadata.tables)

    def differences(connection: Connection) -> list[object]:
        options = {"include_name": lambda name, kind, parents: kind != "table" or name in names}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_sample_comes_back_as_it_was(database: Database) -> None:
    stored = sample(ts=NOW)
    ingest = Ingest(database)
    await ingest.samples(
        [stored, sample("db1", NOW - timedelta(minutes=1), 2, filesystems=None, disks=None)], fresh=True
    )
    found = await queries.latest(database, NOW + timedelta(seconds=1))
    kept = replace(stored, sections={"pressure": stored.sections["pressure"]})  # those that were ok go without saying
    assert found["web1"] == kept
    assert found["db1"].filesystems is None and found["db1"].interfaces is not None
    assert await queries.latest(database, NOW - timedelta(minutes=5)) == {}
    assert await queries.latest(database, NOW + DAY) == {}  # older than max_age: not shown as news
    assert set(await queries.latest(database, NOW, names=["db1"])) == {"db1"}
    assert await queries.newest(database) == NOW


@pytest.mark.parametrize("fresh", [True, False])
async def test_rows_that_are_there_already_are_left_alone(database: Database, fresh: bool) -> None:
    ingest = Ingest(database)
    batch = [sample(ts=NOW - timedelta(seconds=number), seq=number) for number in range(50)]
    await ingest.samples(batch[:30], fresh=True)
    await ingest.samples(batch, fresh=fresh)  # overlaps, and so COPY alone would fail
    await Ingest(database).samples([*batch, *batch], fresh=fresh)
    assert await count(database, "host_samples") == 50
    assert await count(database, "filesystem_samples") == 100
    assert await count(database, "items") == 4


async def test_an_items_description_follows_the_host(database: Database) -> None:
    ingest = Ingest(database)
    old = sample(ts=NOW - timedelta(seconds=10))
    assert old.filesystems is not None
    new = replace(old, ts=NOW, filesystems=(replace(old.filesystems[0], device="/dev/nvme0n1p1"),))
    await ingest.samples([old], fresh=True)
    await ingest.samples([new], fresh=True)
    found = (await queries.latest(database, NOW))["web1"].filesystems
    assert found is not None and found[0].device == "/dev/nvme0n1p1"


async def test_hosts_and_transitions(database: Database) -> None:
    await sync_hosts(database, [Host("web1", "10.0.0.1", 2222, groups=("web",), tags=("blue",), simulated=True)])
    await sync_hosts(database, [Host("web1", "10.0.0.2", groups=("web",)), Host("db1")])
    assert [(host.name, host.address, host.groups) for host in await queries.hosts(database)] == [
        ("db1", "db1", ()),
        ("web1", "10.0.0.2", ("web",)),
    ]
    down = Transition("web1", NOW - timedelta(hours=1), HostState.ONLINE, HostState.OFFLINE, Reason.PORT, "refused")
    up = Transition("web1", NOW, HostState.OFFLINE, HostState.ONLINE)
    ingest = Ingest(database)
    await ingest.transitions([down])
    await ingest.transitions([down, up])
    assert await queries.transitions(database, until=NOW) == (up, down)
    assert await queries.transitions(database, until=NOW, host="db1") == ()
    assert await queries.states(database, NOW - timedelta(minutes=1)) == {"web1": down}
    assert await queries.states(database, NOW) == {"web1": up}
    assert await queries.states(database, NOW - DAY) == {}


async def test_history_plots_and_rollups_agree(database: Database) -> None:
    end = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(minutes=5)
    written = await write_history(database, [Host("host0"), Host("host1")], series(2, 12 * 24 * 3, end=end))
    assert written == 2 * 12 * 24 * 3 == await count(database, "host_samples")
    start, stop = end - 2 * DAY + timedelta(minutes=5), end + timedelta(minutes=5)
    answers = [
        await plots.host_history(database, "host0", start, stop, points=48, source=source)
        for source in ("raw", "1m", "1h")
    ]
    assert [answer.step_s for answer in answers] == [3600.0] * 3
    for answer in answers:
        assert sum(value is not None for value in answer.history.cpu) == 48
        assert {round(value, 3) for value in answer.history.mem if value is not None} == {75.0}
        assert {round(value) for value in answer.history.net if value is not None} == {3_000_000}
        assert {round(value, 3) for value in answer.history.disk if value is not None} == {75.0}
        assert {value for value in answer.history.io if value is not None} == {5.5}
    cpus = [[round(value, 6) for value in answer.history.cpu[:48] if value is not None] for answer in answers]
    assert cpus[0] == cpus[1] == cpus[2]
    assert (await plots.host_history(database, "host0", start, stop)).source == "raw"
    assert (await plots.host_history(database, "host0", end - 4 * DAY, end)).source == "1m"
    assert (await plots.host_history(database, "host0", end - 9 * DAY, end)).source == "1h"
    assert set((await plots.host_history(database, "nobody", start, stop)).history.cpu) == {None}
    for table in SAMPLE_TABLES:
        assert await rollups.uncovered(database, table.name, end - 3 * DAY, NOW) == ""


async def test_a_plot_goes_on_where_the_rollup_ends(database: Database) -> None:
    end = NOW - timedelta(minutes=1)
    await write_history(database, [Host("host0")], series(1, 12 * 24 * 3, end=end - timedelta(hours=6)))
    await Ingest(database).samples(list(series(1, 70, end=end)), fresh=True)  # these are not rolled up
    plot = await plots.host_history(database, "host0", end - 3 * DAY, end + timedelta(seconds=1), points=70)
    assert plot.source == "1h" and None not in plot.history.cpu[1:-2] and plot.history.cpu[-2] is not None


async def test_the_view_tells_what_the_catalogue_has(database: Database) -> None:
    await write_history(database, [Host("host0")], series(2, 300))
    view = await database.view()
    assert view.state is DatabaseState.CONNECTED and view.capability == database.capability
    assert [table.name for table in view.hypertables] == [t.name for t in SAMPLE_TABLES] + [r.name for r in ROLLUPS]
    # Jobs that the fixture cut off at their first run are told as failed.
    assert all(check.ok is not False for check in view.health if check.name != "jobs"), view.health
    assert view.database_bytes and view.pool is not None and view.jobs
    by_name = {table.name: table for table in view.hypertables}
    assert by_name["host_samples"].chunk_interval_s == 86400 and by_name["host_samples"].drop_after_s == 30 * 86400
    assert by_name["host_samples_1h"].rollup and by_name["host_samples_1h"].drop_after_s == 1095 * 86400
    for table in view.hypertables:
        mine = [chunk for chunk in view.chunks if chunk.hypertable == table.name]
        assert table.chunks == len(mine) and table.total_bytes == sum(chunk.total_bytes or 0 for chunk in mine)
        assert mine == sorted(mine, key=lambda chunk: chunk.start)
        assert all(after.start >= before.end for before, after in pairwise(mine))
    assert (await check_database_health(database))[0].name == "connection"


async def test_compressing_and_decompressing_a_chunk(database: Database) -> None:
    await write_history(database, [Host("host0")], series(4, 12 * 24 * 4, end=NOW - DAY))
    keeper = StorageChunks(database)
    plan = await plan_compression(keeper, NOW, 2 * DAY, "host_samples")
    assert plan and all(chunk.end <= NOW - 2 * DAY for chunk in plan)
    if not database.timescale:
        with pytest.raises(BusinessLogicError, match=r"needs TimescaleDB.*db init"):
            await keeper.compress(plan[0])
        with pytest.raises(BusinessLogicError, match="needs TimescaleDB"):
            await keeper.decompress(plan[0])
        return
    rows = await count(database, "host_samples")
    report = await apply_compression(keeper, plan)
    assert report.ok and report.ratio is not None and report.ratio > 2
    table = next(t for t in (await database.view()).hypertables if t.name == "host_samples")
    assert table.compressed_chunks == len(plan) and table.ratio == pytest.approx(report.ratio)
    chunk = report.done[0]
    assert chunk.compressed and not chunk.partial and chunk.rows and chunk.after_bytes == chunk.total_bytes
    assert await keeper.compress(chunk) == chunk
    await Ingest(database).samples([sample("late", chunk.start + timedelta(minutes=1))], fresh=True)
    partial = next(c for c in await keeper.chunks("host_samples") if c.name == chunk.name)
    assert partial.partial and (partial.total_bytes or 0) > (chunk.total_bytes or 0)
    assert not (await keeper.compress(partial)).partial
    plain = await keeper.decompress(chunk)
    assert not plain.compressed and plain.ratio is None
    assert await count(database, "host_samples") == rows + 1
    with pytest.raises(ResourceNotFoundError):
        await keeper.compress(replace(chunk, name="public.hosts"))


async def test_retention_drops_exactly_what_it_planned(database: Database) -> None:
    settings = RetentionSettings(raw_retention=5 * DAY)
    await write_history(database, [Host("host0")], with_looks(series(2, 24 * 9, step=timedelta(hours=1))))
    keeper = StorageChunks(database)
    before = await keeper.chunks()
    plan = await plan_retention(keeper, settings, NOW)
    assert plan.chunks and not plan.waiting and plan.bytes
    assert {chunk.hypertable for chunk in plan.chunks} == {table.name for table in SAMPLE_TABLES}
    assert all(chunk.end <= NOW - 5 * DAY for chunk in plan.chunks)
    rolled = await count(database, "host_samples_1h")
    steps: list[int] = []
    report = await apply_retention(keeper, plan, lambda done, of, name: steps.append(done))
    assert report.ok and len(report.done) == len(plan.chunks) == steps[-1]
    gone = {chunk.name for chunk in plan.chunks}
    assert {chunk.name for chunk in await keeper.chunks()} == {chunk.name for chunk in before} - gone
    assert (await plan_retention(keeper, settings, NOW)).chunks == ()
    # A refresh over the time that is gone leaves the rollup as it was.
    await rollups.refresh_all(database, NOW - 30 * DAY, NOW)
    assert await count(database, "host_samples_1h") == rolled
    with pytest.raises(ResourceNotFoundError):
        await keeper.drop(plan.chunks[0])


async def test_raw_data_is_rolled_up_before_it_is_dropped(database: Database) -> None:
    await Ingest(database).samples(list(series(2, 48, end=NOW - 6 * DAY, step=timedelta(minutes=30))), fresh=True)
    keeper = StorageChunks(database)
    plan = await plan_retention(keeper, database.retention, NOW, older_than=NOW - 5 * DAY)
    assert plan.chunks and len(plan.waiting) == len(plan.chunks) and "not in" in plan.waiting[0][1]
    assert (await apply_retention(keeper, plan)).ok
    async with database.connect() as connection:
        assert await connection.scalar(text("SELECT sum(samples) FROM host_samples_1h")) == 96
        assert await connection.scalar(text("SELECT count(*) FROM host_samples")) == 0


async def test_a_chunk_that_is_written_to_is_never_dropped(database: Database) -> None:
    await Ingest(database).samples([sample(ts=NOW)], fresh=True)
    keeper = StorageChunks(database)
    chunk = next(c for c in await keeper.chunks("host_samples") if c.start <= NOW < c.end)
    with pytest.raises(BusinessLogicError, match="still being written"):
        await keeper.drop(chunk)
    assert chunk in await read_chunks(database, "host_samples")


async def test_policies_follow_the_settings(database: Database) -> None:
    changed = RetentionSettings(
        chunk_interval=DAY / 2, compress_after=3 * DAY, raw_retention=20 * DAY, refresh_start=4 * DAY
    )
    second = Database(database.settings, changed, database.address)
    if database.single_session:
        await database.close()
    await second.open()
    try:
        steps = await initialise(second)
        assert all(step.ok for step in steps)
        tables = {table.name: table for table in (await second.view()).hypertables}
        assert tables["disk_samples"].chunk_interval_s == 43200 and tables["disk_samples"].drop_after_s == 20 * 86400
        if not second.timescale:
            return
        done = {(step.step, step.target): step.state for step in steps}
        for step in ("hypertable", "compression policy", "retention policy"):
            assert done[step, "disk_samples"] is StepState.CHANGED
        assert done["refresh policy", "host_samples_1m"] is StepState.CHANGED
        assert done["retention policy", "host_samples_1m"] is StepState.SKIPPED
        assert tables["disk_samples"].compress_after_s == 3 * 86400
        assert {step.state for step in await initialise(second)} == {StepState.SKIPPED}
    finally:
        await second.close()


async def test_jobs_run_and_say_so(database: Database) -> None:
    await write_history(database, [Host("host0")], series(2, 50))
    await Ingest(database).samples([sample("host0", NOW - timedelta(minutes=10, seconds=7))], fresh=False)
    keeper = StorageChunks(database)
    jobs = (await database.view()).jobs
    job = next(j for j in jobs if "Refresh" in j.name)
    await keeper.run_job(job.job_id)
    ran = next(j for j in (await database.view()).jobs if j.job_id == job.job_id)
    assert ran.last_ok and ran.last_run is not None and (ran.total_runs or 0) >= 1
    with pytest.raises(ResourceNotFoundError):
        await keeper.run_job(987654)
    await keeper.analyze("host_samples")
    await keeper.analyze("host_samples_1h")
    with pytest.raises(ResourceNotFoundError):
        await keeper.analyze("hosts; DROP TABLE hosts")
    housekeeper = Housekeeper(database)
    ran_jobs = await housekeeper.run_due()
    by_itself = database.capability is not None and database.capability.background_workers
    assert (ran_jobs == 0) is by_itself
    assert await housekeeper.run_due() == 0


async def test_late_rows_reach_the_rollup(database: Database) -> None:
    ingest = Ingest(database)
    end = NOW - timedelta(hours=3)
    await write_history(database, [Host("host0")], series(1, 40, end=end))
    keeper = StorageChunks(database)
    refreshers = [j.job_id for j in (await database.view()).jobs if "Refresh" in j.name]
    for job_id in refreshers:
        await keeper.run_job(job_id)
    await ingest.samples([sample("host0", end - timedelta(minutes=62, seconds=30), 7)], fresh=False, now=NOW)
    assert await rollups.uncovered(database, "host_samples", end - timedelta(hours=2), NOW) != ""
    for job_id in refreshers:
        await keeper.run_job(job_id)
    assert await rollups.uncovered(database, "host_samples", end - timedelta(hours=2), NOW) == ""


async def test_audit_keeps_intent_and_outcome(database: Database) -> None:
    audit = StorageAudit(database)
    audit_id = await audit.intent(action="chunk.drop", actor="anna", plan={"targets": ["a"], "password": "hunter2"})
    open_ = (await audit.recent())[0]
    assert (open_.audit_id, open_.ended, open_.ok) == (audit_id, None, None) and open_.plan["password"] == "***"
    await audit.outcome(audit_id, Outcome(True, audit_id, "dropped 1", done=("a",)))
    closed = (await audit.recent())[0]
    assert closed.ok and closed.ended is not None and closed.summary == "dropped 1"


async def test_one_poller_a_database(database: Database, other: Database) -> None:
    first, second = PollerLock(database), PollerLock(other)
    try:
        assert await first.acquire() and await first.held()
        assert not await second.acquire() and not await second.held()
        holder = await second.holder()
        assert holder is not None and "poller" in holder.name
        async with other.driver() as connection:  # the first one's session ends as if it had been killed
            await connection.execute(
                # Of this database alone (the server has others), and waited for: the signal is not yet the end.
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND classid = 27255 "
                "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        assert await second.acquire()
        assert not await first.held() and not await first.acquire()
        await second.release()
        assert await first.acquire()
    finally:
        await first.release()
        await second.release()


LOCKER = """
import asyncio, sys
from core.config import DatabaseSettings, RetentionSettings
from core.storage.engine import Database
from core.storage.lock import PollerLock
from core.storage.servers import ServerAddress
import json

async def main():
    given = json.loads(sys.argv[1])
    address = ServerAddress(**given) if "socket_dir" in given else None
    settings = DatabaseSettings(url=given.get("url"))
    lock = PollerLock(Database(settings, RetentionSettings(), address))
    print(await lock.acquire(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_poller_makes_room(database: Database, other: Database) -> None:
    given = {"url": database.settings.url.get_secret_value() if database.settings.url else None}
    address = database.address
    where = asdict(address) if isinstance(address, ServerAddress) else given
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCKER, json.dumps(where)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    lock = PollerLock(other)
    try:
        async with asyncio.timeout(20):
            assert (await child.stdout.readline()).strip() == b"True"
        assert not await lock.acquire()
    finally:
        child.kill()
        await child.wait()
    async with asyncio.timeout(30):
        while not await lock.acquire():
            await asyncio.sleep(0.05)
    await lock.release()


async def test_rows_without_a_partition_are_told_and_settled(database: Database) -> None:
    if database.timescale:
        pytest.skip("partitions are for where there is no TimescaleDB")
    long_ago = datetime(2019, 5, 5, 12, tzinfo=UTC)
    async with database.connect() as connection:
        insert = text("INSERT INTO host_samples (host_id, ts, seq) VALUES (1, :ts, :seq)")
        for number in range(3):
            await connection.execute(insert, {"ts": long_ago + timedelta(days=40 * number), "seq": number})
    told = next(check for check in (await database.view()).health if check.name == "partitions")
    assert told.ok is False and "3 rows" in told.text
    before = len(await read_chunks(database, "host_samples"))
    await initialise(database)
    database.slow_figures.clear()
    assert next(check for check in (await database.view()).health if check.name == "partitions").ok
    assert len(await read_chunks(database, "host_samples")) == before + 3
    assert await count(database, "host_samples") == 3 and await count(database, "host_samples_default") == 0


async def test_the_figures_are_those_of_timescaledb_itself(database: Database) -> None:
    if not database.timescale:
        pytest.skip("needs TimescaleDB")
    await write_history(database, [Host("host0")], series(3, 12 * 24 * 4))
    keeper = StorageChunks(database)
    await apply_compression(keeper, await plan_compression(keeper, NOW, 2 * DAY))
    mine = {
        chunk.name: chunk for chunk in (await database.view()).chunks if not chunk.hypertable.endswith(("1m", "1h"))
    }
    async with database.connect() as connection:
        theirs = (
            await connection.execute(
                text(
                    "SELECT chunk_schema || '.' || chunk_name AS name, hypertable_name AS owner, range_start, "
                    "range_end, is_compressed FROM timescaledb_information.chunks WHERE hypertable_schema = 'public'"
                )
            )
        ).all()
        assert {row.name for row in theirs} == set(mine)
        for row in theirs:
            chunk = mine[row.name]
            assert (chunk.hypertable, chunk.start, chunk.end) == (row.owner, row.range_start, row.range_end)
            assert chunk.compressed is row.is_compressed
        for table in SAMPLE_TABLES:
            stats = text(
                "SELECT chunk_schema || '.' || chunk_name AS name, before_compression_total_bytes AS before, "
                "after_compression_total_bytes AS after "
                "FROM chunk_compression_stats(CAST(CAST(:t AS text) AS regclass))"
            )
            for row in await connection.execute(stats, {"t": table.name}):
                assert (mine[row.name].before_bytes, mine[row.name].after_bytes) == (row.before, row.after)
            sizes = text(
                "SELECT chunk_schema || '.' || chunk_name AS name, total_bytes FROM "
                "chunks_detailed_size(CAST(CAST(:t AS text) AS regclass))"
            )
            for row in await connection.execute(sizes, {"t": table.name}):
                chunk = mine[row.name]
                # Compressed, the empty heap and its indexes still take a few pages that we leave out.
                assert chunk.total_bytes is not None
                slack = 64 * 1024 if chunk.compressed else 0
                assert 0 <= row.total_bytes - chunk.total_bytes <= slack, chunk
        jobs = {row.job_id for row in await connection.execute(text("SELECT job_id FROM timescaledb_information.jobs"))}
    assert {job.job_id for job in (await database.view()).jobs} == jobs


async def test_retention_waits_for_rollups_that_are_behind(database: Database) -> None:
    if database.capability is None or not database.capability.background_workers:
        pytest.skip("needs background workers")
    await Ingest(database).samples(list(series(1, 10, end=NOW - 31 * DAY)), fresh=True)
    job = next(
        j for j in (await database.view()).jobs if j.name == "Retention Policy" and j.hypertable == "disk_samples"
    )
    async with database.connect() as connection:
        wake = text("SELECT alter_job(:id, scheduled => true, next_start => now() + INTERVAL '1 day')")
        await connection.execute(wake, {"id": job.job_id})

    async def scheduled() -> bool:
        return next(j for j in (await database.view()).jobs if j.job_id == job.job_id).scheduled

    assert await scheduled()
    await Housekeeper(database).run_due()
    assert not await scheduled()
    told = next(check for check in (await database.view()).health if check.name == "retention")
    assert told.ok is False and "disk_samples" in told.text
    await rollups.refresh_all(database, NOW - 33 * DAY, NOW - 30 * DAY)
    await Housekeeper(database).run_due()
    assert await scheduled()


async def test_a_view_read_again_follows_what_happens(database: Database) -> None:
    ingest, keeper = Ingest(database), StorageChunks(database)
    await ingest.samples(list(series(1, 10, end=NOW - 3 * DAY)), fresh=True)
    first = await database.view()
    await ingest.samples(list(series(1, 2000, end=NOW - 3 * DAY, step=timedelta(seconds=1))), fresh=True)
    second = await database.view()
    old, new = (next(c for c in v.chunks if c.start <= NOW - 3 * DAY < c.end) for v in (first, second))
    assert old.name == new.name and (new.total_bytes or 0) > (old.total_bytes or 0)
    await ingest.samples(list(series(1, 10, end=NOW - 8 * DAY)), fresh=True)
    assert len((await database.view()).chunks) > len(second.chunks)
    if database.timescale:
        await keeper.compress(new)
        third = await database.view()
        assert next(c for c in third.chunks if c.name == new.name).compressed


async def test_a_single_session_is_always_the_poller(database: Database) -> None:
    if not database.single_session:
        pytest.skip("this engine takes several sessions")
    lock = PollerLock(database)
    assert await lock.acquire() and await lock.held() and await lock.holder() is None
