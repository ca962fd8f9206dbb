"""kill -9 of the server under load, again and again: what was acknowledged is there, and everything put is there once.

JUMPWATCH_TEST_CRASHES says how often; ``pytest -s`` shows the figures.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.config import DatabaseSettings
from core.models import HostState, Transition
from core.storage.engine import Database
from core.storage.ingest import Ingest
from core.storage.setup import initialise
from core.storage.writer import BatchWriter
from tests.parts import need
from tests.storage import plain_server
from tests.storage.databases import retention
from tests.storage.made import sample
from tests.storage.plain_server import PlainServer

CRASHES = int(os.environ.get("JUMPWATCH_TEST_CRASHES", "3"))
DURABLE: dict[str, Any] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
Key = tuple[str, datetime, int]  # host, ts, seq


@pytest.fixture
def durable() -> Iterator[PlainServer]:
    """A server that keeps what it has acknowledged."""
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    server.halt()
    server.run(**DURABLE)
    yield server
    server.stop()


def kill(server: PlainServer) -> None:
    """kill -9 of the server with all its processes; returns once none of them is left."""
    assert server.process is not None
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    server.process.wait()
    server.process = None
    for _ in range(1000):  # one that was just being born ends by itself
        if not any(_runs_in(process, server.folder / "data") for process in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.01)
    raise RuntimeError("processes of a killed server live on")


def _runs_in(process: Path, folder: Path) -> bool:
    with suppress(OSError):
        return Path(os.readlink(process / "cwd")) == folder
    return False


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Load:
    """Puts samples and transitions, some hundred a second, and knows them all."""

    def __init__(self, writer: BatchWriter) -> None:
        self.writer = writer
        self.put: set[Key] = set()
        self.transitions = 0
        self.over = False

    async def run(self) -> None:
        seq = 0
        while not self.over:
            for host in range(5):
                seq += 1
                ts = datetime.now(UTC)
                self.writer.put(sample(f"host{host}", ts, seq))
                self.put.add((f"host{host}", ts, seq))
            if seq % 100 == 0:
                self.writer.put_transition(Transition("host1", ts, HostState.ONLINE, HostState.OFFLINE))
                self.transitions += 1
            await asyncio.sleep(0.005)


async def test_crashes_of_the_server_lose_and_double_nothing(
    durable: PlainServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: set[Key] = set()
    store, in_flight, midway = Ingest.samples, 0, 0

    async def noted(self: Ingest, samples: Any, **options: Any) -> None:
        nonlocal in_flight
        in_flight += 1
        try:
            await store(self, samples, **options)
        finally:
            in_flight -= 1
        acknowledged.update((one.host, one.ts, one.seq) for one in samples)

    monkeypatch.setattr(Ingest, "samples", noted)
    monkeypatch.setattr("core.storage.writer._RETRY_MOST_S", 0.5)  # the test's patience, not its point
    settings = DatabaseSettings(url=SecretStr(durable.url()), connect_timeout_s=2, statement_timeout_s=10)
    database = Database(settings, retention())
    await database.open()
    await initialise(database)
    async with database.driver() as connection:
        assert [await connection.fetchval(f"SHOW {name}") for name in DURABLE] == ["on", "on", "on"]
    writer = BatchWriter(database, retention(), tmp_path)
    load, chance = Load(writer), random.Random(CRASHES)
    running = [asyncio.create_task(writer.run()), asyncio.create_task(load.run())]
    spooled = 0
    try:
        for _ in range(CRASHES):
            before = len(acknowledged)
            # Some come in the middle of a replay, some of a fresh batch.
            await until(lambda before=before: len(acknowledged) > before)  # type: ignore[misc]
            await asyncio.sleep(chance.uniform(0, 0.4))
            midway += in_flight
            await asyncio.to_thread(kill, durable)
            lost_at = len(load.put)
            await until(lambda lost_at=lost_at: len(load.put) > lost_at + 100 and writer.stats().spooled > 0)  # type: ignore[misc]
            spooled = max(spooled, writer.stats().spooled)
            await asyncio.to_thread(lambda: durable.run(**DURABLE))
        load.over = True
        await until(lambda: len(acknowledged) == len(load.put) and writer.stats().spooled == 0)
    finally:
        load.over = True
        await writer.stop()
        await asyncio.gather(*running)
    try:
        async with database.driver() as connection:
            found = await connection.fetch(
                "SELECT name, ts, seq FROM host_samples JOIN hosts USING (host_id) ORDER BY ts"
            )
            items = [
                await connection.fetchval(f"SELECT count(*) FROM {table}")
                for table in ("filesystem_samples", "disk_samples", "interface_samples", "transitions")
            ]
    finally:
        await database.close()
    stored = [tuple(row) for row in found]
    print(
        f"put {len(load.put)}, acknowledged {len(acknowledged)}, stored {len(stored)}, "
        f"most in the spool {spooled}, crashes {CRASHES}, of these {midway} while a batch was being stored"
    )
    assert acknowledged <= set(stored), "acknowledged and not there"
    assert set(stored) == load.put and len(stored) == len(load.put)
    assert items == [2 * len(stored), len(stored), len(stored), load.transitions]
    assert writer.stats().dropped == 0
