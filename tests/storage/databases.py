"""Real databases for the storage tests: each test gets an empty one, on every engine that this machine has."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from pydantic import SecretStr

from core.config import DatabaseSettings, RetentionSettings
from core.storage.engine import Database
from core.storage.servers import EmbeddedServer, ServerAddress, WasmServer, wasm_missing
from core.storage.setup import initialise
from tests.parts import need

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("native", "embedded", "wasm")
# Holds a WebAssembly server for the whole run: its process belongs to one event loop, tests have one each.
HOLDER = """
import asyncio, dataclasses, json, sys
from pathlib import Path
from core.storage.servers import WasmServer

async def main():
    server = WasmServer(Path(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps(dataclasses.asdict(await server.start(lambda text: None))), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


def native_url() -> str:
    """The URL of a database on a TimescaleDB server whose role may create databases; the test is skipped without."""
    url = os.environ.get("JUMPWATCH_TEST_NATIVE_URL")
    if not url:
        pytest.skip("needs a TimescaleDB server: JUMPWATCH_TEST_NATIVE_URL names none")
    return url


async def drop_database(name: str, **where: Any) -> None:
    """Drop a database; background workers that come to it just now are put out again."""
    connection = await asyncpg.connect(**where)
    try:
        for patience in range(50, -1, -1):
            try:
                await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
            except asyncpg.InsufficientPrivilegeError:  # a worker of the superuser's looks in just now
                if not patience:
                    raise
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def create_database(name: str, template: str = "template0", **where: Any) -> None:
    connection = await asyncpg.connect(**where)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something in a loop of its own: a fixture of the run may be asked for while a test's loop is running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAddress]:
    """One embedded PostgreSQL for the run."""
    server = EmbeddedServer(tmp_path_factory.mktemp("embedded"))
    address = apart(lambda: server.start(lambda text: None))
    yield address
    apart(server.stop)


@pytest.fixture(scope="session")
def embedded_template(embedded_server: ServerAddress) -> str:
    """A database that is set up, to be copied: a copy takes a fifth of the time of a set-up."""
    name = f"jw_template_{secrets.token_hex(6)}"

    async def make() -> None:
        await create_database(name, **address_of(embedded_server))
        database = Database(DatabaseSettings(), retention(), replace(embedded_server, database=name))
        try:
            await set_up(database)
        finally:
            await database.close()

    apart(make)
    return name


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder with the WebAssembly engine and an empty cluster for it, made once for all workers."""
    missing = wasm_missing()
    need("TimescaleDB in WebAssembly", missing is None, missing or "")
    run = tmp_path_factory.getbasetemp()
    cache = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "engine"
    cache.mkdir(mode=0o700, exist_ok=True)
    with (cache / "first").open("a+") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        if not first.tell():
            server = WasmServer(tmp_path_factory.mktemp("first") / "data", cache)

            async def start_and_stop() -> None:
                await server.start(lambda text: None)
                await server.stop()

            apart(start_and_stop)
            first.write("made")
    return cache


@pytest.fixture(scope="session")
def wasm_server(engine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAddress]:
    """One TimescaleDB in WebAssembly for the run."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path_factory.mktemp("wasm") / "data"), str(engine_cache)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    line = holder.stdout.readline()
    yield ServerAddress(**json.loads(line))
    holder.communicate(timeout=20)


def address_of(address: ServerAddress) -> dict[str, Any]:
    return {"host": address.socket_dir, "port": address.port, "user": address.user, "database": address.database}


async def empty(address: ServerAddress) -> None:
    """Make the one database of a WebAssembly server as good as new."""
    connection = await asyncpg.connect(**address_of(address), ssl=False, timeout=30, statement_cache_size=0)
    try:
        views = await connection.fetch(
            "SELECT view_name::text AS name FROM timescaledb_information.continuous_aggregates"
        )
        for row in views:
            await connection.execute(f"DROP MATERIALIZED VIEW {row['name']} CASCADE")
        tables = await connection.fetch("SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'")
        for row in tables:
            await connection.execute(f"DROP TABLE {row['name']} CASCADE")
    finally:
        await connection.close()


def retention(**changes: Any) -> RetentionSettings:
    return RetentionSettings(**{"flush_interval_s": 0.1, **changes})


@asynccontextmanager
async def fresh(engine: str, request: pytest.FixtureRequest, template: str = "template0") -> AsyncIterator[Database]:
    """Give a Database on an empty database of an engine, or on a copy of the template, not opened."""
    name = f"jw_test_{secrets.token_hex(6)}"
    if engine == "native":
        url = native_url()
        await create_database(name, dsn=url)
        database = Database(DatabaseSettings(url=SecretStr(url.rpartition("/")[0] + f"/{name}")), retention())
        yield database
        await database.close()
        await drop_database(name, dsn=url)
    elif engine == "embedded":
        server: ServerAddress = request.getfixturevalue("embedded_server")
        await create_database(name, template, **address_of(server))
        database = Database(DatabaseSettings(), retention(), replace(server, database=name))
        yield database
        await database.close()
        await drop_database(name, **address_of(server))
    else:
        address: ServerAddress = request.getfixturevalue("wasm_server")
        await empty(address)
        database = Database(DatabaseSettings(), retention(), ServerAddress(**asdict(address)))
        yield database
        await database.close()


@pytest.fixture(params=ENGINES)
async def blank(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A Database on an empty database, not opened, of each engine in turn."""
    async with fresh(request.param, request) as database:
        yield database


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A Database that is open and set up, of each engine in turn. Jobs stand still: tests run what they mean to."""
    if request.param == "embedded":
        async with fresh("embedded", request, request.getfixturevalue("embedded_template")) as database:
            await database.open()
            yield database
    else:
        async with fresh(request.param, request) as database:
            await set_up(database)
            yield database


async def set_up(database: Database) -> None:
    await database.open()
    failed = [step for step in await initialise(database) if not step.ok]
    assert not failed
    await jobs_stand_still(database)


async def jobs_stand_still(database: Database) -> None:
    if database.timescale and not database.single_session:
        async with database.driver() as connection:
            await connection.execute(
                "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000"
            )


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Database]:
    """A second console on the same database; only where it takes more than one session."""
    if database.single_session:
        pytest.skip("this engine takes one session")
    second = Database(database.settings, database.retention, database.address)
    await second.open()
    yield second
    await second.close()
