"""The lossless way: what is put comes to the database, through outages, kills and poison."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.config import DatabaseSettings, RetentionSettings
from core.exceptions import DatabaseConnectionError
from core.models import DatabaseState, DiskFigures, HostState, Transition
from core.storage import queries
from core.storage.engine import Database
from core.storage.ingest import Ingest
from core.storage.servers import EmbeddedServer, ServerAddress
from core.storage.setup import initialise
from core.storage.spool import Spool
from core.storage.writer import BatchWriter, spool_folder
from tests.storage.made import NOW, count, sample

ROOT = Path(__file__).resolve().parents[2]


def settings(**changes: Any) -> RetentionSettings:
    return RetentionSettings(**{"flush_interval_s": 0.1, **changes})


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


class Running:
    """A writer whose run has an owner."""

    def __init__(self, database: Database, folder: Path, **changes: Any) -> None:
        self.writer = BatchWriter(database, settings(**changes), folder)

    async def __aenter__(self) -> BatchWriter:
        self._task = asyncio.create_task(self.writer.run())
        await asyncio.sleep(0)  # it begins
        return self.writer

    async def __aexit__(self, *exc: object) -> None:
        await self.writer.stop(3)
        await asyncio.gather(self._task, return_exceptions=True)


async def test_put_stores_and_counts(database: Database, tmp_path: Path) -> None:
    async with Running(database, tmp_path) as writer:
        for number in range(300):
            writer.put(sample(f"host{number % 5}", NOW - timedelta(seconds=number), number))
        writer.put_transition(Transition("host1", NOW, HostState.UNKNOWN, HostState.ONLINE))
        await until(lambda: writer.stats().stored == 300 and writer.stats().spooled == 0)
        stats = writer.stats()
        assert (stats.queued, stats.spooled, stats.dropped, stats.last_error) == (0, 0, 0, None)
        await until(lambda: writer.stats().last_flush is not None)
    assert await count(database, "host_samples") == 300
    assert await count(database, "transitions") == 1


async def test_stop_drains_the_queue(database: Database, tmp_path: Path) -> None:
    async with Running(database, tmp_path, flush_interval_s=30) as writer:
        for number in range(50):
            writer.put(sample(ts=NOW - timedelta(seconds=number)))
    assert await count(database, "host_samples") == 50


async def test_a_poison_row_never_blocks_the_rest(database: Database, tmp_path: Path) -> None:
    async with Running(database, tmp_path) as writer:
        for number in range(200):
            good = sample(f"host{number % 7}", NOW - timedelta(seconds=number), number)
            bad = replace(good, system=replace(good.system, mem_total=1 << 70))
            writer.put(bad if number == 123 else good)
        await until(lambda: writer.stats().stored == 199)
        stats = writer.stats()
        assert stats.dropped == 1 and "host4" in (stats.last_error or "")
        writer.put(sample("nul\x00host", NOW))
        writer.put(sample("after", NOW, disks=(DiskFigures("sd\x00a\ud800", 1.0),)))
        await until(lambda: writer.stats().stored == 200)
        assert writer.stats().dropped == 2
    assert await count(database, "host_samples") == 200


async def test_fresh_rows_do_not_wait_for_the_spool(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Spool(spool_folder(tmp_path, database), max_bytes=1 << 30, max_age_s=86400)
    left.open()
    left.append([sample("old", NOW - timedelta(milliseconds=number), number) for number in range(5000)])
    left.close()
    store, order = Ingest.samples, list[str]()

    async def noted(self: Ingest, samples: Any, **options: Any) -> None:
        await store(self, samples, **options)
        if not order:  # the first ones of the spool are stored
            writer.put(sample("fresh", datetime.now(UTC)))
        order.extend(one.host for one in samples)

    monkeypatch.setattr(Ingest, "samples", noted)
    async with Running(database, tmp_path, flush_rows=20) as writer:
        await until(lambda: writer.stats().stored == 5001 and writer.stats().spooled == 0, 120)
    assert order.index("fresh") < 100
    assert await count(database, "host_samples") == 5001


async def test_a_poison_row_in_the_spool_blocks_nothing(blank: Database, tmp_path: Path) -> None:
    """Put while the database was away, among rows that are there already: the other way in refuses it as well."""
    async with Running(blank, tmp_path) as writer:
        for number in range(50):
            good = sample(f"host{number % 7}", NOW - timedelta(seconds=number // 2 * 2), number)
            writer.put(replace(good, seq=1 << 63) if number == 23 else good)
        await until(lambda: writer.stats().spooled == 50)
        await blank.open()
        await initialise(blank)
        await Ingest(blank).samples([sample("host0", NOW)], fresh=True)
        await until(lambda: writer.stats().spooled == 0 and writer.stats().stored == 49)
        stats = writer.stats()
        assert stats.dropped == 1 and "host2" in (stats.last_error or "")
    assert await count(blank, "host_samples") == 49


async def test_a_database_that_is_not_set_up_gets_its_samples_later(blank: Database, tmp_path: Path) -> None:
    async with Running(blank, tmp_path) as writer:
        writer.put(sample())
        await until(lambda: writer.stats().spooled == 1 and "db init" in (writer.stats().last_error or ""))
        await blank.open()
        await initialise(blank)
        await until(lambda: writer.stats().stored == 1 and writer.stats().spooled == 0)
    assert await count(blank, "host_samples") == 1


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedServer, Database, Path]]:
    """An embedded server that a test may stop, a database set up on it, and its folder."""
    folder = tmp_path / "data"
    server = EmbeddedServer(folder)
    address = await server.start(lambda text: None)
    patient = DatabaseSettings(connect_timeout_s=2, statement_timeout_s=2)
    database = Database(patient, settings(), address)
    await database.open()
    await initialise(database)
    try:
        yield server, database, folder
    finally:
        await database.close()
        await server.stop()


async def test_nothing_is_lost_while_the_server_is_down(
    own: tuple[EmbeddedServer, Database, Path], tmp_path: Path
) -> None:
    server, database, _ = own
    async with Running(database, tmp_path / "spool") as writer:
        put = 0

        async def feed(samples: int) -> None:
            nonlocal put
            for _ in range(samples):
                put += 1
                writer.put(sample(f"host{put % 3}", NOW - timedelta(seconds=put), put))
                await asyncio.sleep(0.002)

        await feed(100)
        await server.stop()
        await feed(300)
        writer.put_transition(Transition("host1", NOW, HostState.ONLINE, HostState.OFFLINE))
        await until(lambda: writer.stats().spooled > 0)
        view = await database.view()
        assert view.state is DatabaseState.AWAY and view.detail
        with pytest.raises(DatabaseConnectionError):
            await queries.newest(database)
        await server.start(lambda text: None)
        await feed(100)
        await until(lambda: writer.stats().spooled == 0 and writer.stats().stored >= put)
        assert writer.stats().dropped == 0
    assert await count(database, "host_samples") == put == 500
    assert await count(database, "transitions") == 1
    assert (await database.view()).state is DatabaseState.CONNECTED


async def test_a_server_that_hangs_keeps_nothing_in_memory_alone(
    own: tuple[EmbeddedServer, Database, Path], tmp_path: Path
) -> None:
    """A locked table stands for any flush that does not come to its end: samples lie on disk meanwhile."""
    _, database, _ = own
    blocker = await database.dedicated("blocker")
    await blocker.execute("BEGIN; LOCK TABLE host_samples IN ACCESS EXCLUSIVE MODE")
    try:
        async with Running(database, tmp_path / "spool") as writer:
            for number in range(20):
                writer.put(sample(ts=NOW - timedelta(seconds=number)))
                await asyncio.sleep(0.02)
            await until(lambda: writer.stats().spooled == 20 and writer.stats().queued == 0, 3)
            await blocker.execute("ROLLBACK")
            await until(lambda: writer.stats().spooled == 0 and writer.stats().stored >= 20)
        assert await count(database, "host_samples") == 20
    finally:
        await blocker.close()


async def test_stop_leaves_what_it_cannot_store_in_the_spool(
    own: tuple[EmbeddedServer, Database, Path], tmp_path: Path
) -> None:
    server, database, _ = own
    await server.stop()
    async with Running(database, tmp_path / "spool") as writer:
        for number in range(40):
            writer.put(sample(ts=NOW - timedelta(seconds=number)))
    assert writer.stats().stored == 0
    await server.start(lambda text: None)
    async with Running(database, tmp_path / "spool") as writer:
        await until(lambda: writer.stats().stored == 40)
    assert await count(database, "host_samples") == 40
    assert list(spool_folder(tmp_path / "spool", database).glob("*.spool")) == []


async def test_a_writer_that_never_ran_still_keeps_what_it_took(database: Database, tmp_path: Path) -> None:
    writer = BatchWriter(database, settings(), tmp_path)
    writer.put(sample())
    await writer.stop()
    async with Running(database, tmp_path) as second:
        await until(lambda: second.stats().stored == 1)


KILLED = """
import asyncio, json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from core.config import DatabaseSettings, RetentionSettings
from core.storage.engine import Database
from core.storage.ingest import Ingest
from core.storage.servers import ServerAddress
from core.storage.writer import BatchWriter
from tests.storage.made import sample

async def main():
    address = ServerAddress(**json.loads(sys.argv[1]))
    database = Database(DatabaseSettings(connect_timeout_s=2), RetentionSettings(), address)
    writer = BatchWriter(database, RetentionSettings(), Path(sys.argv[2]))
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        begun = datetime.now(UTC)
        for number in range(10_000):
            writer.put(sample(f"host{number % 3}", datetime.now(UTC), number))
            await asyncio.sleep(0.005)
            print(number, flush=True)

asyncio.run(main())
"""


BACKLOG = 20_000


@pytest.mark.parametrize("when", ["up", "away", "replaying"])
async def test_kill_loses_at_most_the_last_second(
    own: tuple[EmbeddedServer, Database, Path], tmp_path: Path, when: str
) -> None:
    server, database, _ = own
    assert isinstance(database.address, ServerAddress)
    spool = tmp_path / "spool"
    if when == "away":
        await server.stop()
    if when == "replaying":
        left = Spool(spool_folder(spool, database), max_bytes=1 << 30, max_age_s=86400)
        left.open()
        left.append([sample("old", NOW - timedelta(milliseconds=number), number) for number in range(BACKLOG)])
        left.close()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, json.dumps(asdict(database.address)), str(spool)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    put = 0
    try:
        async with asyncio.timeout(60):
            while put < (100 if when == "replaying" else 500):
                line = await child.stdout.readline()
                put = int(line) if line.strip().isdigit() else put  # warnings come by the same way
    finally:
        child.send_signal(signal.SIGKILL)
        killed = datetime.now(UTC)
        await child.wait()
    if when == "away":
        await server.start(lambda text: None)
    waits = list(spool_folder(spool, database).glob("*.spool"))
    async with Running(database, spool) as writer:
        if waits:
            await until(lambda: writer.stats().stored > 0 and writer.stats().spooled == 0, 60)
    async with database.driver() as connection:
        newest, gaps, old = await connection.fetchrow(
            """
            SELECT max(ts) FILTER (WHERE name <> 'old'), max(seq) FILTER (WHERE name <> 'old') + 1
                   - count(*) FILTER (WHERE name <> 'old'), count(*) FILTER (WHERE name = 'old')
            FROM host_samples JOIN hosts USING (host_id)
            """
        )
    assert newest is not None and killed - newest < timedelta(seconds=1.3)
    assert gaps == 0  # what was lost is the end, nothing in between
    assert old == (BACKLOG if when == "replaying" else 0)
