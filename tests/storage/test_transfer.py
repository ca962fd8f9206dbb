"""Copying a database into another: every mode into every other, cut and gone on with, and never mixed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.exceptions import ResourceConflictError
from core.models import (
    Alert,
    AlertChange,
    Finding,
    Host,
    HostFinding,
    HostState,
    Outcome,
    SectionStatus,
    ServiceFigures,
    Transition,
)
from core.retention import apply_retention, plan_retention
from core.storage import alerts
from core.storage.audit import StorageAudit
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.ingest import Ingest
from core.storage.lock import PollerLock
from core.storage.schema import ROLLUPS, SAMPLE_TABLES, metadata
from core.storage.servers import ServerAddress
from core.storage.setup import initialise
from core.storage.transfer import TransferReport, transfer
from tests.storage.databases import ROOT, fresh, jobs_stand_still
from tests.storage.made import NOW, count, sample, series, with_looks

DAY = timedelta(days=1)
# From and to; with two engines of one kind missing each still is a source once and a target once.
PAIRS = (("embedded", "native"), ("native", "embedded"), ("embedded", "wasm"), ("wasm", "embedded"), ("native", "wasm"))
PLAIN = ("embedded", "embedded")
KEYS = {"jumpwatch_meta", "jumpwatch_jobs"}  # what each database knows of itself
ORDERED = "SELECT t::text FROM {} t ORDER BY 1"


@pytest.fixture(params=PAIRS, ids="-".join)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Database, Database]]:
    """A source with ten days of history, the oldest of it rolled up and dropped, and an empty target."""
    async with AsyncExitStack() as stack:
        source, target = [await stack.enter_async_context(fresh(engine, request)) for engine in request.param]
        await source.open()
        assert all(step.ok for step in await initialise(source))
        await jobs_stand_still(source)
        await fill(source)
        await target.open()
        yield source, target


async def fill(database: Database, hosts: int = 2, days: int = 10) -> None:
    made = series(hosts, 24 * days, end=NOW - timedelta(minutes=7), step=timedelta(hours=1))
    await write_history(database, [Host(f"host{number}", tags=("blue",)) for number in range(hosts)], with_looks(made))
    down = [
        Transition("host0", NOW - DAY * age, HostState.ONLINE, HostState.OFFLINE, detail=f"a\tb\\{age}")
        for age in range(1, 6)
    ]
    await Ingest(database).transitions(down)
    dead = Finding("services", SectionStatus.OK, (ServiceFigures("nginx.service", active="failed"),), "a\tb", "error")
    await Ingest(database).findings([HostFinding("host0", NOW - DAY * age, dead) for age in range(1, 4)])
    alert = Alert("k", "disk-full", "host0", "/", "error", "a\tb", NOW - DAY, NOW, note="known")
    await alerts.store(database, [alert], [("host0", AlertChange("k", NOW - DAY, "raised", text="a\tb"))])
    audit = StorageAudit(database)
    entry = await audit.intent(action="chunk.compress", actor="anna", plan={"targets": ["x"]})
    await audit.outcome(entry, Outcome(True, entry, "done"))
    keeper = StorageChunks(database)
    settings = database.retention.model_copy(update={"raw_retention": 5 * DAY})
    report = await apply_retention(keeper, await plan_retention(keeper, settings, NOW))
    assert report.ok and report.done
    if database.timescale:
        old = next(chunk for chunk in await keeper.chunks("host_samples"))
        assert (await keeper.compress(old)).compressed


async def rows(database: Database, table: str) -> list[str]:
    """All rows of a table as text; sums have another type in another mode, and 1.0 is written as 1 in neither."""
    query = ORDERED.format(table)
    rollup = next((rollup for rollup in ROLLUPS if rollup.name == table), None)
    if rollup is not None:
        columns = ", ".join(f"{c}::float8" if c.endswith("_sum") else c for c in rollup.columns)
        query = ORDERED.format(f"(SELECT {columns} FROM {table})")
    async with database.connect() as connection:
        return list((await connection.execute(text(query))).scalars())


async def assert_same(source: Database, target: Database) -> None:
    for name in (set(metadata.tables) | {rollup.name for rollup in ROLLUPS}) - KEYS:
        assert await rows(source, name) == await rows(target, name), name


def by_table(report: TransferReport) -> dict[str, tuple[int, int]]:
    return {table.table: (table.source, table.target) for table in report.tables}


async def test_everything_goes_over_and_what_comes_later_too(pair: tuple[Database, Database]) -> None:
    source, target = pair
    before = {name: await rows(source, name) for name in metadata.tables}
    lines: list[str] = []
    report = await transfer(source, target, lines.append)
    assert report.ok and not report.notes and lines
    assert {name: await rows(source, name) for name in metadata.tables} == before  # the source is only read
    await assert_same(source, target)
    counts = by_table(report)
    assert counts["host_samples"][0] == counts["host_samples"][1] == await count(target, "host_samples")
    # Five days of raw data are gone; their hours live on, and a refresh over all of time leaves them alone.
    gone = await count(target, "host_samples_1h")
    assert gone > counts["host_samples"][1]
    if target.timescale:
        async with target.maintenance() as connection:
            await connection.execute(text("CALL refresh_continuous_aggregate('host_samples_1h', NULL, NULL)"))
    assert await count(target, "host_samples_1h") == gone

    await jobs_stand_still(target)
    late = NOW - timedelta(hours=30, minutes=11)
    await Ingest(source).samples([sample("host0", late), sample("new", NOW - timedelta(minutes=3))], fresh=False)
    await Ingest(source).transitions([Transition("new", NOW, HostState.UNKNOWN, HostState.ONLINE)])
    await Ingest(source).findings([HostFinding("new", NOW, Finding("drives", SectionStatus.ABSENT))])
    again = await transfer(source, target)
    assert again.ok, again
    for table in (*(table.name for table in SAMPLE_TABLES), "hosts", "items", "transitions", "findings", "audit"):
        assert await rows(source, table) == await rows(target, table), table
    # The target numbers on after the ids that it was given.
    await Ingest(target).samples([sample("newer", NOW)], fresh=True)
    assert await count(target, "hosts") == 4
    with pytest.raises(ResourceConflictError, match=r"1 hosts that the source has not \(newer\)"):
        await transfer(source, target)
    await Ingest(target).samples([sample("newer", datetime.now(UTC))], fresh=True)
    with pytest.raises(ResourceConflictError, match="polled into since"):
        await transfer(source, target)


@pytest.mark.parametrize("pair", [PLAIN], indirect=True, ids="-".join)
async def test_what_is_not_empty_is_refused(pair: tuple[Database, Database]) -> None:
    source, target = pair
    with pytest.raises(ResourceConflictError, match="the source itself"):
        await transfer(source, source)
    async with target.connect() as connection:
        await connection.execute(text("CREATE TABLE orders (id int)"))
    with pytest.raises(ResourceConflictError, match="it holds orders"):
        await transfer(source, target)
    async with target.connect() as connection:
        await connection.execute(text("DROP TABLE orders"))
    await initialise(target)
    await Ingest(target).samples([sample("mine")], fresh=True)
    with pytest.raises(ResourceConflictError, match="1 hosts, 1 samples"):
        await transfer(source, target)


COPY = """
import asyncio, json, sys
from pydantic import SecretStr
from core.config import DatabaseSettings, RetentionSettings
from core.storage import mover, transfer
from core.storage.engine import Database
from core.storage.servers import ServerAddress

mover.SLICE_ROWS = 40

async def main():
    ends = []
    for end in json.loads(sys.argv[1]):
        settings = DatabaseSettings(url=SecretStr(end)) if isinstance(end, str) else DatabaseSettings()
        address = ServerAddress(**end) if isinstance(end, dict) else None
        ends.append(Database(settings, RetentionSettings(), address))
        await ends[-1].open()
    report = await transfer.transfer(*ends, lambda line: print(line, flush=True))
    print(report.ok, flush=True)
    for end in ends:
        await end.close()

asyncio.run(main())
"""


def picture(database: Database) -> Any:
    if isinstance(database.address, ServerAddress):
        return asdict(database.address)
    assert database.settings.url is not None
    return database.settings.url.get_secret_value()


async def copied_parts(target: Database) -> int:
    async with target.connect() as connection:
        if not await connection.scalar(text("SELECT to_regclass('jumpwatch_meta') IS NOT NULL")):
            return 0
        found = await connection.scalar(
            text("SELECT count(*) FROM jumpwatch_meta WHERE key LIKE 'transfer:part:%' AND value <> '0'")
        )
        return int(found or 0)


@pytest.mark.parametrize(
    ("pair", "parts"), [(PLAIN, 2), (PLAIN, 40), (PAIRS[0], 10)], indirect=["pair"], ids=["early", "late", "native"]
)
async def test_a_killed_copy_goes_on_where_it_was(pair: tuple[Database, Database], parts: int) -> None:
    source, target = pair
    command = (sys.executable, "-c", COPY, json.dumps([picture(source), picture(target)]))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    while await copied_parts(target) < parts and process.returncode is None:
        await asyncio.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    done = await copied_parts(target)
    assert done >= parts
    again = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said = (await again.communicate())[0].decode()
    assert said.rstrip().endswith("True") and "going on with a copy that was cut" in said
    await assert_same(source, target)
    assert await copied_parts(target) == 0


@pytest.mark.parametrize("pair", [PLAIN], indirect=True, ids="-".join)
async def test_a_polled_source_is_told_and_a_polled_target_refused(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    poller = PollerLock(source)
    assert await poller.acquire()
    report = await transfer(source, target)
    assert report.ok and "run this again" in report.notes[0]
    await poller.release()
    monkeypatch.setattr("core.storage.transfer._LOCK_TRIES", 1)
    other = PollerLock(target)
    assert await other.acquire()
    with pytest.raises(ResourceConflictError, match="is at work in"):
        await transfer(source, target)
    await other.release()


@pytest.mark.parametrize("pair", [PLAIN], indirect=True, ids="-".join)
async def test_a_copy_of_another_database_is_refused(
    pair: tuple[Database, Database], request: pytest.FixtureRequest
) -> None:
    source, target = pair
    assert (await transfer(source, target)).ok
    async with fresh("embedded", request) as third:
        await third.open()
        await initialise(third)
        with pytest.raises(ResourceConflictError, match="a copy of another database"):
            await transfer(third, target)
