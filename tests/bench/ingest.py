"""Storing samples beside psql's \\copy, on one server, batch by batch in turn; then the replay of a spool.

The server is Debian's PostgreSQL, or the TimescaleDB that JUMPWATCH_TEST_NATIVE_URL names. psql reads files that are
ready; ours begins either with row tuples (encoder and COPY) or with HostSample objects (the whole way).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import SecretStr

from core.config import DatabaseSettings, RetentionSettings
from core.storage.engine import Database
from core.storage.ingest import Ingest, _copy, _unnest
from core.storage.rows import Row, sample_rows
from core.storage.schema import HOST_SAMPLES, SAMPLE_TABLES
from core.storage.setup import initialise
from tests.bench.figures import Figure
from tests.bench.replaying import BATCH, HOSTS, batch
from tests.storage import plain_server
from tests.storage.made import sample


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Give the URL of a server and what it is."""
    if native := os.environ.get("JUMPWATCH_TEST_NATIVE_URL"):
        yield native, "TimescaleDB"
        return
    if why := plain_server.missing():
        raise SystemExit(f"no server to measure on: {why}")
    plain = plain_server.start()
    try:
        yield plain.url(), "plain PostgreSQL"
    finally:
        plain.stop()


@asynccontextmanager
async def fresh(url: str, *, make: bool) -> AsyncIterator[Database]:
    """Give a database that is set up; ``make`` it beside the one that the URL names, and drop it afterwards."""
    name = f"jw_bench_{secrets.token_hex(4)}"
    if make:
        await _administer(url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    there = url.rpartition("/")[0] + f"/{name}" if make else url
    database = Database(DatabaseSettings(url=SecretStr(there)), RetentionSettings())
    try:
        await database.open()
        await initialise(database)
        yield database
    finally:
        await database.close()
        if make:
            await _drop(url, name)


async def _drop(url: str, name: str) -> None:
    for _ in range(20):  # a superuser's process, such as autovacuum, may be in it for a moment
        with suppress(asyncpg.InsufficientPrivilegeError):
            return await _administer(url, f'DROP DATABASE "{name}" WITH (FORCE)')
        await asyncio.sleep(0.5)
    print(f"the database {name} could not be dropped", file=sys.stderr)


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class Psql:
    """One psql that is kept, as its start is not what is measured; it reads files that were made before."""

    def __init__(self, process: asyncio.subprocess.Process, files: Path, connection: Any) -> None:
        self._process, self._files, self._connection = process, files, connection

    @classmethod
    async def start(cls, url: str, files: Path, connection: Any, rows: Sequence[Row]) -> Psql:
        parts = urlsplit(url)
        where = {
            "PGHOST": parts.hostname or "", "PGPORT": str(parts.port or 5432), "PGUSER": parts.username or "",
            "PGPASSWORD": unquote(parts.password or ""), "PGDATABASE": parts.path.lstrip("/"),
        }  # fmt: skip
        program = shutil.which("psql") or str((plain_server.binaries() or Path()) / "psql")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(program, "-X", "-q", "-v", "ON_ERROR_STOP=1"), stdin=pipe, stdout=pipe, env={**os.environ, **where}
        )
        # A plain table of the same shape, for the server to write the files from.
        await connection.execute("CREATE UNLOGGED TABLE bench_rows (LIKE host_samples)")
        await connection.copy_records_to_table("bench_rows", records=rows, columns=HOST_SAMPLES.columns)
        return cls(process, files, connection)

    async def prepare(self, later: timedelta, format_: str) -> None:
        """Write the rows to the file, moved in time."""
        columns = ", ".join(HOST_SAMPLES.columns[2:])
        query = f"SELECT host_id, ts + $1, {columns} FROM bench_rows"
        with (self._files / "rows").open("wb") as file:
            await self._connection.copy_from_query(query, later, output=file, format=format_)

    async def copy(self, format_: str) -> None:
        """Store the prepared file; its one command is one transaction."""
        assert self._process.stdin is not None and self._process.stdout is not None
        command = f"\\copy host_samples from '{self._files / 'rows'}' (format {format_})\n\\echo done\n"
        self._process.stdin.write(command.encode())
        line = await self._process.stdout.readline()
        if line.strip() != b"done":
            raise SystemExit("psql failed")

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds and CPU seconds of this process for one batch."""

    seconds: float
    cpu: float


async def timed(work: Awaitable[None]) -> Took:
    began, cpu = perf_counter(), process_time()
    await work
    return Took(perf_counter() - began, process_time() - cpu)


async def compare(database: Database, url: str, rounds: int) -> dict[str, list[Took]]:
    """Store batches by each way in turn, all of them into the same table."""
    ingest = Ingest(database)
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = batch(0, start)
    await ingest.samples(first[:HOSTS], fresh=False)  # the hosts get their ids
    async with database.driver() as connection:
        ids = dict(await connection.fetch("SELECT name, host_id FROM hosts"))
    rows = list(sample_rows(first, ids, {})[HOST_SAMPLES])
    number, took = 0, dict[str, list[Took]]()
    bare = await database.dedicated("bench")
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as folder:
        psql = await Psql.start(url, Path(folder), bare, rows)
        try:
            for round_ in range(rounds + 1):  # the first one makes partitions and plans
                for way in ("binary", "csv", "copy", "records", "unnest", "samples"):
                    number += 1
                    later = timedelta(seconds=10 * number * (BATCH // HOSTS))
                    moved = [(row[0], row[1] + later, *row[2:]) for row in rows]
                    if way in ("binary", "csv"):
                        await psql.prepare(later, way)
                        work = psql.copy(way)
                    elif way == "samples":
                        work = ingest.samples(batch(number, start), fresh=True, now=start + later)
                    else:
                        work = {"copy": ready, "records": records, "unnest": unnest}[way](database, bare, moved)
                    gc.collect()  # what was made for the batch is not what is measured
                    result = await timed(work)
                    if round_:
                        took.setdefault(way, []).append(result)
        finally:
            await psql.stop()
            await bare.close()
    async with database.driver() as connection:
        stored = await connection.fetchval("SELECT count(*) FROM host_samples")
    assert stored == number * BATCH + HOSTS, f"{stored} of {number * BATCH + HOSTS} rows"
    return took


async def ready(database: Database, bare: Any, rows: Sequence[Row]) -> None:
    """Store ready rows as a fresh batch is stored."""
    async with database.driver() as connection:
        await _copy(connection, HOST_SAMPLES, rows)


async def records(database: Database, bare: Any, rows: Sequence[Row]) -> None:
    """Store ready rows with nothing but the driver."""
    await bare.copy_records_to_table("host_samples", records=rows, columns=HOST_SAMPLES.columns)


async def unnest(database: Database, bare: Any, rows: Sequence[Row]) -> None:
    """Store ready rows as a batch is stored of which some rows are there already."""
    async with database.driver() as connection:
        await _unnest(connection, HOST_SAMPLES, rows)


async def whole(database: Database, rounds: int) -> float:
    """Rows a second of all tables from samples with their filesystems, disks and interfaces."""
    ingest, rates = Ingest(database), []
    start = datetime.now(UTC) - timedelta(hours=3)
    for number in range(rounds + 1):
        samples = [
            sample(f"full{n % HOSTS}", start + timedelta(seconds=10 * (number * 2 + n // HOSTS)), n)
            for n in range(2 * HOSTS)
        ]
        took = await timed(ingest.samples(samples, fresh=True, now=samples[0].ts))
        rows = sum(sum(1 for _ in made) for made in sample_rows(samples, _Any(), _Any()).values())
        if number:
            rates.append(rows / took.seconds)
    return statistics.median(rates)


class _Any(dict[Any, int]):
    """Knows an id for everything, each its own."""

    def __missing__(self, key: Any) -> int:
        return self.setdefault(key, len(self))


async def _apart(url: str, samples: int) -> Mapping[str, float]:
    """Replay in a process of its own, so that the memory is the replay's alone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.replaying", str(samples)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "JUMPWATCH_BENCH_URL": url},
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("the replay failed")
    found: dict[str, float] = json.loads(said)
    return found


async def measure(url: str, which: str, *, quick: bool) -> list[Figure]:
    rounds, spooled = (7, 50_000) if quick else (25, 1_000_000)
    make = which == "TimescaleDB"
    async with fresh(url, make=make) as database:
        there = url.rpartition("/")[0] + f"/{database.settings.name}"
        took = await compare(database, there, rounds)
        rate = await whole(database, rounds // 3)
        async with database.driver() as connection:
            await connection.execute("TRUNCATE " + ", ".join(table.name for table in SAMPLE_TABLES))
        replayed = await _apart(there, spooled)
    return [*_figures(took, which, rate), *_replayed(replayed, took["unnest"], spooled)]


def _figures(took: Mapping[str, list[Took]], which: str, rate: float) -> Iterator[Figure]:
    says = {
        "binary": "psql \\copy, binary", "csv": "psql \\copy, CSV", "copy": "ours, ready rows",
        "samples": "ours, from samples", "records": "asyncpg copy_records_to_table", "unnest": "ours, unnest",
    }  # fmt: skip
    for way, text in says.items():
        yield Figure(
            "ingest", f"{text} ({which})", BATCH / statistics.median(t.seconds for t in took[way]) / 1e3, "k/s"
        )
    yield Figure("ingest", "ours, 5 tables of full samples", rate / 1e3, "k/s")
    for way, peer, aim in (
        ("copy", "binary", 0.8), ("samples", "binary", None), ("copy", "csv", None), ("samples", "csv", None),
        ("copy", "records", None), ("unnest", "binary", None),
    ):  # fmt: skip
        ratio = statistics.median(b.seconds / a.seconds for a, b in zip(took[way], took[peer], strict=True))
        yield Figure("ingest", f"{says[way]} / {says[peer]}", ratio, "ratio", aim=aim, at_least=True)
    for way in ("copy", "samples", "unnest"):
        cpu = statistics.median(t.cpu for t in took[way]) / BATCH * 1e6
        yield Figure("ingest", f"client CPU a row: {says[way]}", cpu, "us")


def _replayed(replayed: Mapping[str, float], unnested: Sequence[Took], samples: int) -> Iterator[Figure]:
    plain = BATCH / statistics.median(t.seconds for t in unnested)
    yield Figure("ingest", f"replay of {samples} spooled rows", replayed["rate"] / 1e3, "k/s")
    yield Figure("ingest", "replay / unnest of ready rows", replayed["rate"] / plain, "ratio")
    grown = (replayed["most"] - replayed["before"]) / (1 << 20)
    yield Figure("ingest", "memory: replay grows it by", grown, "MiB")
    yield Figure("ingest", "memory: most during replay", replayed["most"] / (1 << 20), "MiB")


def run(*, quick: bool) -> list[Figure]:
    """Measure on one server."""
    with server() as (url, which):
        return asyncio.run(measure(url, which, quick=quick))
