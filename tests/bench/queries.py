"""Reading back beside the plain forms by asyncpg alone: latest rows, a host's day and month, and the Database pane."""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import asyncpg
from pydantic import SecretStr

from core.config import DatabaseSettings, RetentionSettings
from core.storage import plots, queries, rollups
from core.storage.catalogue import read_chunks
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.partitions import ensure_partitions
from core.storage.schema import FRAME_TABLES, HOST_SAMPLES, ROLLUPS, SYSTEM_COLUMNS
from core.storage.setup import initialise
from tests.bench.figures import Figure
from tests.storage import plain_server
from tests.storage.databases import create_database, drop_database, jobs_stand_still

NAME = "queries"
DAY, MONTH = timedelta(days=1), timedelta(days=30)
# A month of host 1 at 10 s with its four items; all hosts coarsely, and densely over the last half hour.
_ITEMS = {"filesystem_samples": (0, 1), "disk_samples": (2,), "interface_samples": (3,)}
_TABLES = ", ".join(f"'{table.name}'" for table in FRAME_TABLES)


def _lateral(columns: Iterable[str]) -> str:
    return (
        f"SELECT h.name, {', '.join('s.' + column for column in columns)} FROM hosts h CROSS JOIN LATERAL ("
        "SELECT * FROM host_samples s WHERE s.host_id = h.host_id AND s.ts > $1 AND s.ts <= $2 "
        "ORDER BY s.ts DESC LIMIT 1) s"
    )


LATERAL = _lateral(HOST_SAMPLES.columns)
TEN = _lateral(SYSTEM_COLUMNS[:10])  # as many as the measurement had that the aims come from
DISTINCT = f"""
SELECT DISTINCT ON (host_id) {", ".join(HOST_SAMPLES.columns)} FROM host_samples ORDER BY host_id, ts DESC
"""
_BIN = "floor(extract(epoch FROM (ts - $2)) / $4::float8) AS bin"
_SPAN = "WHERE host_id = $1 AND ts >= $2 AND ts < $3 GROUP BY 1"
RAW = (
    f"SELECT {_BIN}, avg(cpu_pct), avg(load1), avg(100.0 * (mem_total - mem_available) / mem_total) "
    f"FROM host_samples {_SPAN}",
    f"SELECT {_BIN}, sum(rx_bps + tx_bps) / count(DISTINCT ts) FROM interface_samples {_SPAN}",
    f"SELECT {_BIN}, max(100.0 * used / (used + available)) FROM filesystem_samples {_SPAN}",
    f"SELECT {_BIN}, max(busy_pct) FROM disk_samples {_SPAN}",
)
CHUNKS = (
    "SELECT hypertable_name, chunk_schema, chunk_name, range_start, range_end, is_compressed "
    "FROM timescaledb_information.chunks"
)
STATS = f"SELECT t, s.* FROM unnest(ARRAY[{_TABLES}]) t, LATERAL chunk_compression_stats(t::regclass) s"
DETAILED = f"SELECT t, s.* FROM unnest(ARRAY[{_TABLES}]) t, LATERAL chunks_detailed_size(t::regclass) s"
PARTITIONS = (
    "SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid), "
    "pg_total_relation_size(child.oid) "
    "FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent AND parent.relkind = 'p' "
    "JOIN pg_class child ON child.oid = i.inhrelid"
)


@dataclass(frozen=True)
class Size:
    """How much there is to read."""

    hosts: int
    span: timedelta
    step_s: int  # of host 1
    chunks: tuple[int, ...]
    rounds: int
    latest: float  # aims: ours by LATERAL
    day: float  # by raw
    month: float
    warm: float  # the pane by the catalogue's own forms
    changed: float


FULL = Size(1000, MONTH, 10, (100, 1000, 3000), 21, 1.5, 1.5, 0.2, 0.8, 1.0)
# With less to read what does not depend on it weighs more: the aims are looser.
QUICK = Size(200, timedelta(days=8), 20, (100, 600), 7, 2.5, 2.5, 0.6, 2.0, 2.5)
Timed = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def made(url: str, retention: RetentionSettings) -> AsyncIterator[tuple[Database, asyncpg.Connection]]:
    """A new database that is set up, and asyncpg's own connection to it; dropped at the end."""
    name = f"jw_bench_{secrets.token_hex(6)}"
    await create_database(name, dsn=url)
    where = url.rpartition("/")[0] + f"/{name}"
    database = Database(DatabaseSettings(url=SecretStr(where), statement_timeout_s=600), retention)
    try:
        await database.open()
        failed = [step for step in await initialise(database) if not step.ok]
        assert not failed, failed
        await jobs_stand_still(database)
        bare = await asyncpg.connect(where, server_settings={"jit": "off", "TimeZone": "UTC"})
        try:
            yield database, bare
        finally:
            await bare.close()
    finally:
        await database.close()
        await drop_database(name, dsn=url)


async def load(database: Database, bare: asyncpg.Connection, size: Size, now: datetime) -> int:
    """Fill the sample tables by INSERT ... SELECT, and roll them up; returns the rows."""
    await bare.execute("INSERT INTO hosts (name) SELECT 'host' || n FROM generate_series(1, $1) n", size.hosts)
    kinds = "(ARRAY['fs', 'fs', 'disk', 'net'])[i + 1], (ARRAY['/', '/srv', 'sda', 'eth0'])[i + 1]"
    await bare.execute(
        f"INSERT INTO items (item_id, host_id, kind, name) SELECT (h - 1) * 4 + i, h, {kinds} "
        "FROM generate_series(1, $1::int) h, generate_series(0, 3) i",
        size.hosts,
    )
    start, rows = now - size.span, 0
    if not database.timescale:
        for table in FRAME_TABLES:
            await ensure_partitions(database, table.name, start, now + DAY)
    half_hour = now - timedelta(minutes=30)
    spans = (  # first and last host, from, to, seconds between two samples
        (1, 1, start, half_hour, size.step_s),
        (2, size.hosts, start, now - DAY, 7200),
        (2, size.hosts, now - DAY, half_hour, 300),
        (1, size.hosts, half_hour, now, 10),
    )
    figures = ", ".join(SYSTEM_COLUMNS)
    made_up = ", ".join("1 << 33" if c.startswith(("mem", "swap")) else "50 + 40 * sin(h + n)" for c in SYSTEM_COLUMNS)
    for low, high, begin, end, step in spans:
        series = (
            f"FROM generate_series(0, {int((end - begin).total_seconds()) // step - 1}) n, "
            f"generate_series({low}, {high}) h"
        )
        ts = f"$1::timestamptz + n * INTERVAL '{step} seconds'"
        status = await bare.execute(
            f"INSERT INTO host_samples (host_id, ts, seq, boot_id, uptime_s, interval_s, {figures}) "
            f"SELECT h, {ts}, n, 'boot', n * {step}, {step}, {made_up} {series}",
            begin,
        )
        rows += int(status.split()[-1])
        if high > 1 and step > 10:
            continue  # items of host 1, and of all over the last half hour
        for table, places in _ITEMS.items():
            columns = next(t.columns[3:] for t in FRAME_TABLES if t.name == table)
            status = await bare.execute(
                f"INSERT INTO {table} SELECT h, (h - 1) * 4 + i, {ts}, {', '.join(['100 + n % 100'] * len(columns))} "
                f"{series}, unnest(ARRAY{list(places)}) i",
                begin,
            )
            rows += int(status.split()[-1])
    await rollups.refresh_all(database, start, now - timedelta(minutes=10))
    await bare.execute("ANALYZE")
    return rows


async def interleaved(rounds: int, **ways: Timed) -> dict[str, list[float]]:
    """Milliseconds of each way, round by round, after two that warm up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, way in ways.items():
            begun = perf_counter()
            await way()
            if number > 1:
                took[name].append((perf_counter() - begun) * 1000)
    return took


def absolute(what: str, took: dict[str, list[float]], aims: dict[str, str] | None = None) -> list[Figure]:
    """Medians of each way; what limits.md aims at stands in the label."""
    labels = {name: f" (aim {aims[name]})" if aims and name in aims else "" for name in took}
    return [Figure(NAME, f"{what}: {name}{labels[name]}", statistics.median(t), "ms") for name, t in took.items()]


def ratio(what: str, took: dict[str, list[float]], ours: str, peer: str, aim: float | None) -> Figure:
    both = zip(took[ours], took[peer], strict=True)
    return Figure(NAME, f"{what}: {ours} / {peer}", statistics.median(a / b for a, b in both), "ratio", aim=aim)


async def reads(
    database: Database, bare: asyncpg.Connection, size: Size, now: datetime, form: str
) -> AsyncIterator[Figure]:
    """Latest rows, a day and the whole span of host 1; ``form`` names the state of the chunks."""
    bounds = (now - queries.MAX_AGE, now)
    host, aim = f"{size.hosts} hosts, {form}", f"{12 if form == 'plain' else 25} ms for ten columns"

    async def rows() -> None:
        async with database.connect() as connection:
            await queries.latest_rows(connection, None, low=bounds[0], at=now, timescale=database.timescale)

    took = await interleaved(
        size.rounds,
        rows=rows,
        samples=lambda: queries.latest(database, now),
        lateral=lambda: bare.fetch(LATERAL, *bounds),
        lateral_of_ten_columns=lambda: bare.fetch(TEN, *bounds),
    )
    took |= await interleaved(3, rows_again=rows, distinct_on=lambda: bare.fetch(DISTINCT))
    assert len(await queries.latest(database, now)) == len(await bare.fetch(LATERAL, *bounds)) == size.hosts
    for figure in absolute(f"latest of {host}", took, {"rows": aim, "lateral_of_ten_columns": aim}):
        yield figure
    yield ratio(f"latest of {host}", took, "rows", "lateral", size.latest)
    yield ratio(f"latest of {host}", took, "rows_again", "distinct_on", 0.5)
    yield ratio(f"latest of {host}", took, "samples", "lateral", None)
    for what, span, aim, bound in (
        ("day", DAY, "3.4 to 3.9 ms for one table", size.day),
        ("month", size.span, "50 ms", size.month),
    ):
        given = (1, now - span, now, span.total_seconds() / 240)

        async def raw(given: tuple[Any, ...] = given) -> None:
            for statement in RAW:
                await bare.fetch(statement, *given)

        took = await interleaved(
            size.rounds,
            ours=lambda span=span: plots.host_history(database, "host1", now - span, now),  # type: ignore[misc]
            raw=raw,
            one_table=lambda given=given: bare.fetch(RAW[0], *given),  # type: ignore[misc]
        )
        label = f"{what} ({span.days} d) of a host and its items, {form}"
        for figure in absolute(label, took, {"ours": aim}):
            yield figure
        yield ratio(label, took, "ours", "raw", bound)


async def pane(url: str, size: Size) -> AsyncIterator[Figure]:
    """The Database pane beside the plain catalogue forms: warm, after one chunk has changed, and cold."""
    retention = RetentionSettings(chunk_interval=timedelta(hours=1))
    async with made(url, retention) as (database, bare):
        start, hours = datetime.now(UTC) - timedelta(hours=size.chunks[-1] // 4 + 2), 0
        for chunks in size.chunks:
            wanted = chunks // 4
            for table in FRAME_TABLES:
                if not database.timescale:
                    await ensure_partitions(database, table.name, start, start + timedelta(hours=wanted - 1))
                items = ", 1" if table.kind else ""
                for low in range(hours, wanted, 50):  # locks of one transaction are limited
                    await bare.execute(
                        f"INSERT INTO {table.name} SELECT 1{items}, $1::timestamptz + n * INTERVAL '1 hour' "
                        f"FROM generate_series($2::int, $3::int) n",
                        start, low, min(low + 50, wanted) - 1,
                    )  # fmt: skip
            hours = wanted
            await bare.execute("ANALYZE")
            async for figure in _pane(database, bare, chunks, "plain", size):
                yield figure
            if database.timescale and chunks == size.chunks[-1]:
                print(f"compressing {chunks} chunks", file=sys.stderr)
                for table in FRAME_TABLES:
                    names = await bare.fetch(f"SELECT show_chunks('{table.name}', INTERVAL '2 hours')::text AS name")
                    for row in names:
                        await bare.execute(f"SELECT compress_chunk('{row['name']}')")
                async for figure in _pane(database, bare, chunks, "compressed", size):
                    yield figure


async def _pane(
    database: Database, bare: asyncpg.Connection, chunks: int, form: str, size: Size
) -> AsyncIterator[Figure]:
    what = f"pane of {chunks} chunks, {form}"
    keeper = StorageChunks(database)
    oldest = (await read_chunks(database, "host_samples"))[0]

    async def plain() -> None:
        for statement in (CHUNKS, STATS) if database.timescale else (PARTITIONS,):
            await bare.fetch(statement)

    async def change() -> None:
        """Let one chunk change, as a job of the server would."""
        if not database.timescale:
            return
        now = (await read_chunks(database, name=oldest.name))[0]
        await (keeper.decompress if now.compressed else keeper.compress)(now)

    async def cold() -> None:
        database.slow_figures.pop("chunks", None)
        await database.view()

    took: dict[str, list[float]] = {}
    for _ in range(max(5, size.rounds // 2)):
        for name, way in {"changed": database.view, "warm": database.view, "catalogue": plain}.items():
            if name == "changed":
                await change()
            begun = perf_counter()
            await way()
            took.setdefault(name, []).append((perf_counter() - begun) * 1000)
    begun = perf_counter()
    await cold()
    took["cold"] = [(perf_counter() - begun) * 1000]
    if database.timescale:
        begun = perf_counter()
        await bare.fetch(DETAILED)
        took["chunks_detailed_size"] = [(perf_counter() - begun) * 1000]
    view = await database.view()
    assert len([c for c in view.chunks if c.hypertable in {t.name for t in FRAME_TABLES}]) >= chunks
    for figure in absolute(what, took, {"warm": "20 ms", "changed": "20 ms"}):
        yield figure
    most = chunks == size.chunks[-1]
    yield ratio(what, took, "warm", "catalogue", size.warm if most else None)
    if database.timescale:
        yield ratio(what, took, "changed", "catalogue", size.changed if most else None)


async def _run(size: Size) -> list[Figure]:
    url, server = os.environ.get("JUMPWATCH_TEST_NATIVE_URL"), None
    figures: list[Figure] = []
    if not url:
        missing = plain_server.missing()
        if missing:
            raise SystemExit(f"needs JUMPWATCH_TEST_NATIVE_URL, or PostgreSQL 15 on this machine: {missing}")
        print("no JUMPWATCH_TEST_NATIVE_URL: plain partitions on PostgreSQL, nothing compressed", file=sys.stderr)
        server = plain_server.start()
        server.sql("ALTER ROLE owner CREATEDB")
        url = server.url()
    try:
        now = datetime.now(UTC).replace(microsecond=0)
        async with made(url, RetentionSettings()) as (database, bare):
            begun = perf_counter()
            rows = await load(database, bare, size, now)
            figures.append(
                Figure(NAME, f"loaded and rolled up {rows / 1e6:.1f} million rows", perf_counter() - begun, "s")
            )
            figures += [figure async for figure in reads(database, bare, size, now, "plain")]
            figures += await _sizes(bare, database)
            if database.timescale:
                for table in FRAME_TABLES:
                    await bare.execute(f"SELECT compress_chunk(c) FROM show_chunks('{table.name}') c")
                await bare.execute("ANALYZE")
                figures += [figure async for figure in reads(database, bare, size, now, "compressed")]
        figures += [figure async for figure in pane(url, size)]
    finally:
        if server is not None:
            server.stop()
    return figures


async def _sizes(bare: asyncpg.Connection, database: Database) -> list[Figure]:
    """What a row costs on disk, raw and rolled up."""
    found = []
    view = await database.view()
    rolled = [rollup.name for rollup in ROLLUPS if rollup.source in FRAME_TABLES]
    for name in [*(table.name for table in FRAME_TABLES), *rolled]:
        total = next(t.total_bytes for t in view.hypertables if t.name == name)
        rows = await bare.fetchval(f"SELECT count(*) FROM {name}")
        found.append(Figure(NAME, f"a row of {name} on disk, indexes and all", (total or 0) / max(1, rows), "bytes"))
    return found


def run(*, quick: bool) -> Iterable[Figure]:
    """Read from one database filled for it, and from another of many chunks."""
    return asyncio.run(_run(QUICK if quick else FULL))
