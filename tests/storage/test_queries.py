"""Reading back on every engine: plots over raw data and rollups, gaps, newest ends, and the chunks as they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.config import RetentionSettings
from core.models import ChunkInfo, Host, keep_time, past_retention
from core.storage import catalogue_sql, plots, rollups
from core.storage.catalogue import read_chunks
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.features import choose
from core.storage.history import write_history
from core.storage.housekeeping import Housekeeper
from core.storage.ingest import Ingest
from core.storage.partitions import drop_partition
from core.storage.schema import FRAME_TABLES, ROLLUP, ROLLUPS, SAMPLE_TABLES
from core.storage.setup import initialise
from core.storage.setup_times import RETENTION, keep_for
from tests.storage.made import NOW, count, sample, series, with_looks

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THEN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "firsts", "chosen"),
    [
        ("raw", {"raw": THEN, "1m": THEN - timedelta(seconds=20), "1h": THEN - timedelta(minutes=30)}, "raw"),
        ("raw", {"raw": THEN, "1m": THEN - timedelta(seconds=60), "1h": None}, "1m"),
        ("raw", {"raw": None, "1m": None, "1h": THEN}, "1h"),
        ("raw", {"raw": None, "1m": THEN, "1h": THEN - HOUR}, "1h"),
        ("1m", {"1m": THEN, "1h": THEN - timedelta(minutes=59)}, "1m"),
        ("1m", {"1m": None, "1h": None}, "1m"),
        ("1h", {"1h": None}, "1h"),
    ],
)
def test_the_finest_source_that_reaches_back(wanted: str, firsts: dict[str, datetime | None], chosen: str) -> None:
    assert plots.choose(wanted, firsts) == chosen


async def test_a_gap_stays_a_gap(database: Database) -> None:
    end = rollups.floor(NOW, 3600)
    before = list(series(1, 60, end=end - 8 * HOUR))
    await write_history(database, [Host("host0")], [*before, *series(1, 60, end=end - timedelta(minutes=5))])
    for source in ("raw", "1m", "1h"):
        plot = await plots.host_history(database, "host0", end - 13 * HOUR, end, points=13, source=source)
        for figure in ("cpu", "mem", "load", "net", "disk", "io"):
            values = getattr(plot.history, figure)[:13]
            assert [value is None for value in values] == [False] * 6 + [True] * 2 + [False] * 5, (source, figure)


async def test_the_newest_samples_are_in_every_plot(database: Database) -> None:
    bucket = rollups.floor(NOW, 3600) - 2 * HOUR
    await write_history(database, [Host("host0")], [sample("host0", bucket + timedelta(minutes=2), 20)])
    # The buckets were rolled up when they held one sample; these have come since.
    late = [sample("host0", bucket + timedelta(minutes=2, seconds=30), 40), sample("host0", bucket + HOUR, 90)]
    await Ingest(database).samples(late, fresh=True)
    hours = await plots.host_history(database, "host0", bucket, bucket + 3 * HOUR, points=3, source="1h")
    assert hours.history.cpu[:3] == (30.0, 90.0, None)
    minutes = await plots.host_history(database, "host0", bucket, bucket + 2 * HOUR, points=120, source="1m")
    assert [value for value in minutes.history.cpu if value is not None] == [30.0, 90.0]
    assert minutes.history.cpu[2] == 30.0 and minutes.history.net[2] == 3e6


async def test_a_bucket_that_the_window_cuts_is_taken_only_where_nothing_finer_is_left(database: Database) -> None:
    hour = rollups.floor(NOW - 3 * DAY, 3600)
    seldom = list(series(1, 18, end=hour + 3 * HOUR - timedelta(minutes=5), step=timedelta(minutes=10)))
    await write_history(database, [Host("host0")], seldom)
    plot = await plots.host_history(database, "host0", hour + timedelta(minutes=56), hour + timedelta(minutes=116))
    assert plot.source == "raw" and sum(value is not None for value in plot.history.cpu) == 6
    between = hour + timedelta(minutes=66), hour + timedelta(minutes=74)  # nobody asked then
    plot = await plots.host_history(database, "host0", *between)
    assert plot.source == "raw" and set(plot.history.cpu) == {None}
    async with database.driver() as connection:
        for table in ("host_samples", "host_samples_1m"):
            await connection.execute(f"DELETE FROM {table}")
    plot = await plots.host_history(database, "host0", *between)
    assert plot.source == "1h" and plot.history.cpu[0] is not None


async def test_rollups_outlive_raw_data_each_by_its_own_setting(database: Database) -> None:
    ages = (25 * DAY, 7 * DAY, timedelta(minutes=30))
    for age in ages:
        end = rollups.floor(NOW - age, 3600) + timedelta(minutes=50)
        await write_history(database, [Host("host0")], with_looks(series(1, 10, end=end)))
    settings = RetentionSettings(raw_retention=5 * DAY, rollup_minute_retention=10 * DAY)
    changed = Database(database.settings, settings, database.address)
    if database.single_session:
        await database.close()
    await changed.open()
    try:
        assert all(step.ok for step in await initialise(changed))
        keeper, view = StorageChunks(changed), await changed.view()
        assert {t.name: t.drop_after_s for t in view.hypertables} == {
            name: keep.total_seconds() for name, keep in keep_for(settings).items()
        }
        for job in view.jobs:
            if job.name == "Retention Policy" or (not changed.timescale and job.job_id == RETENTION):
                await keeper.run_job(job.job_id)
        for table in SAMPLE_TABLES:
            items = 2 if table.name in ("filesystem_samples", "container_samples") else 1
            left = {rollup.name: await count(changed, rollup.name) for rollup in ROLLUPS if rollup.source is table}
            assert await count(changed, table.name) == 10 * items, table.name
            assert left.pop(f"{table.name}_1h") >= 3 * items
            assert set(left.values()) <= {20 * items} and bool(left) is (table in FRAME_TABLES), table.name
        for age, source in zip(ages, ("1h", "1m", "raw"), strict=True):
            start = rollups.floor(NOW - age, 3600) - HOUR
            plot = await plots.host_history(changed, "host0", start, start + 3 * HOUR, points=3)
            assert plot.source == source and plot.history.cpu[1] is not None
            assert plot.history.net[1] == 3e6 and plot.history.io[1] == 5.5 and plot.history.disk[1] == 75.0
        assert await Housekeeper(changed).run_due() >= 0
    finally:
        await changed.close()


async def test_the_view_follows_each_change_as_if_read_anew(database: Database) -> None:
    ingest, keeper = Ingest(database), StorageChunks(database)

    async def told() -> dict[str, ChunkInfo]:
        view, fresh = await database.view(), await read_chunks(database)
        assert view.chunks == fresh
        return {chunk.name: chunk for chunk in view.chunks}

    await ingest.samples(list(series(2, 400, end=NOW - 5 * DAY)), fresh=True)
    first = await told()
    await ingest.samples(list(series(2, 10, end=NOW - 9 * DAY)), fresh=True)
    second = await told()
    assert set(first) < set(second)
    old = min((c for c in second.values() if c.hypertable == "host_samples"), key=lambda c: c.start)
    if database.timescale:
        await keeper.compress(old)
        assert (await told())[old.name].compressed
        await ingest.samples([sample("late", old.start + timedelta(hours=1))], fresh=True)
        assert (await told())[old.name].partial
        await keeper.decompress(old)
        assert not (await told())[old.name].compressed
        await keeper.drop((await told())[old.name])
    else:
        await drop_partition(database, old.hypertable, old.name.split(".")[1])
    assert set(second) - set(await told()) == {old.name}


def test_each_catalogue_gets_its_own_statements() -> None:
    """The catalogues of the versions that cannot be had here, as their own scripts make them."""
    refresh = "add_continuous_aggregate_policy(continuous_aggregate,start_offset"
    old = {"chunk.id", "chunk.schema_name", "chunk.table_name", "chunk.dropped", f"{refresh})"}  # 2.13
    columnstore = {*old, "add_columnstore_policy(hypertable,after)", f"{refresh},buckets_per_batch)"} - {f"{refresh})"}
    no_dropped = columnstore - {"chunk.dropped"}  # 2.26
    slices = {*no_dropped, "dimension_slice.chunk_id"}  # 2.28
    relid = {*slices, "chunk.relid"} - {"chunk.schema_name", "chunk.table_name"}  # 2.29
    seen = []
    for names in (old, columnstore, no_dropped, slices, relid):
        features = choose(names)
        for statement in (catalogue_sql.chunks(features, sizes=True), catalogue_sql.state(features)):
            assert ("k.dropped" in statement.text) is ("chunk.dropped" in names)
        assert ("NOT dropped" in catalogue_sql.mark(features).text) is ("chunk.dropped" in names)
        statement = catalogue_sql.chunks(features, sizes=False)
        assert ("chunk_constraint" in statement.text) is ("dimension_slice.chunk_id" not in names)
        assert ("k.relid" in statement.text) is ("chunk.relid" in names)
        assert ("k.table_name" in statement.text) is ("chunk.table_name" in names)
        seen.append((features.columnstore, features.refresh_batches))
    assert seen == [(False, False)] + [(True, True)] * 4


def test_one_selection_for_retention_and_never_of_tables_of_others() -> None:
    settings = RetentionSettings()
    names = [table.name for table in SAMPLE_TABLES] + [rollup.name for rollup in ROLLUPS]
    ages = {name: keep_time(name, settings) for name in [*names, "readings", "readings_1h", "hosts", "samples_1m"]}
    assert {name for name, age in ages.items() if age is not None} == set(names)
    assert all((ages[r.name] or DAY) > (ages[r.source.name] or DAY) for r in ROLLUP.values())
    chunk = ChunkInfo("host_samples", "public.a", THEN - DAY, THEN, False, False, 1)
    chunks = [replace(chunk, name="public.b", hypertable="readings"), chunk]
    for now, past in ((THEN + 30 * DAY, [chunk]), (THEN + 30 * DAY - timedelta(seconds=1), [])):
        assert list(past_retention(chunks, lambda name: keep_time(name, settings), now)) == past
