"""Connecting: what goes wrong is told by name with the way out, passwords never, TLS as set, sessions as promised."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core import database as public
from core.config import DatabaseSettings, RetentionSettings
from core.database import Database, initialise
from core.exceptions import (
    BusinessLogicError,
    ConfigurationError,
    DatabaseConnectionError,
    DatabaseOperationError,
    DatabaseTimeoutError,
    InfrastructureException,
)
from core.models import DatabaseState, StorageMode
from core.storage.lock import PollerLock
from core.storage.writer import BatchWriter
from tests.parts import need
from tests.storage import plain_server
from tests.storage.made import sample
from tests.storage.plain_server import PASSWORD, PlainServer


@pytest.fixture(scope="module")
def plain() -> Iterator[PlainServer]:
    """A plain PostgreSQL over TCP."""
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    yield server
    server.stop()


def settings(url: str, **changes: Any) -> DatabaseSettings:
    return DatabaseSettings(url=SecretStr(url), **{"connect_timeout_s": 2, "ssl_mode": "prefer", **changes})


@pytest.fixture
async def given(plain: PlainServer) -> AsyncIterator[Database]:
    """A database given by URL, set up."""
    database = Database(settings(plain.url()), RetentionSettings())
    await database.open()
    await initialise(database)
    yield database
    await database.close()


async def failure(**values: Any) -> InfrastructureException:
    database = Database(settings(**values), RetentionSettings())
    try:
        with pytest.raises(InfrastructureException) as caught:
            await database.open()
        view = await database.view()
        refused = isinstance(caught.value, ConfigurationError)
        assert view.state is (DatabaseState.UNSUPPORTED if refused else DatabaseState.AWAY)
        assert view.detail == caught.value.message
    finally:
        await database.close()
    assert PASSWORD not in str(caught.value) and PASSWORD not in str(caught.value.to_dict())
    assert "Traceback" not in caught.value.message and "\n" not in caught.value.message
    return caught.value


async def test_a_wrong_password_is_told(plain: PlainServer) -> None:
    error = await failure(url=plain.url(password="wrong-one"))
    assert isinstance(error, DatabaseConnectionError) and error.error_code == "DATABASE_LOGIN"
    assert "password" in error.message and "JUMPWATCH_DATABASE_URL" in error.message
    assert "wrong-one" not in str(error.to_dict())


async def test_an_unknown_role_is_told(plain: PlainServer) -> None:
    assert (await failure(url=plain.url(user="nobody-here"))).error_code == "DATABASE_LOGIN"


async def test_a_missing_database_is_told(plain: PlainServer) -> None:
    error = await failure(url=plain.url(name="not_there"))
    assert error.error_code == "DATABASE_MISSING" and "createdb" in error.message and "not_there" in error.message


async def test_a_refused_connection_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = await failure(url=f"postgresql://u:{'x'}@127.0.0.1:{port}/d")
    assert isinstance(error, DatabaseConnectionError) and "refuses" in error.message and str(port) in error.message


async def test_a_name_without_address_is_told() -> None:
    error = await failure(url="postgresql://u@no-such-host.invalid/d")
    assert isinstance(error, DatabaseConnectionError) and "no-such-host.invalid" in error.message


async def test_a_missing_socket_is_told(tmp_path: Path) -> None:
    error = await failure(url=f"postgresql://u@/d?host={tmp_path}")
    assert isinstance(error, DatabaseConnectionError) and str(tmp_path) in error.message


async def test_a_server_that_says_nothing_times_out() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    error = await failure(url=f"postgresql://u@127.0.0.1:{port}/d", connect_timeout_s=0.3, ssl_mode="disable")
    silent.close()
    assert isinstance(error, DatabaseTimeoutError) and error.timeout_seconds == pytest.approx(0.3)
    assert "while connecting" in error.message


async def test_something_else_than_postgresql_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    error = await failure(url=f"postgresql://u@127.0.0.1:{port}/d", ssl_mode="disable")
    server.close()
    assert isinstance(error, DatabaseConnectionError)


async def test_nothing_configured_is_told() -> None:
    with pytest.raises(ConfigurationError, match="JUMPWATCH_DATABASE_URL"):
        await Database(DatabaseSettings(), RetentionSettings()).open()


@pytest.mark.parametrize(
    ("host", "mode", "root", "works"),
    [
        ("localhost", "disable", False, True),
        ("localhost", "prefer", False, True),
        ("localhost", "require", False, True),
        ("localhost", "verify-full", True, True),
        ("127.0.0.1", "verify-ca", True, True),
        ("127.0.0.1", "verify-full", True, False),  # the certificate is localhost's
        ("localhost", "verify-full", False, False),  # signed by nobody that this machine trusts
    ],
)
async def test_tls_as_set(plain: PlainServer, host: str, mode: str, root: bool, works: bool) -> None:
    changes: dict[str, Any] = {"ssl_mode": mode, "ssl_root_cert": plain.certificate if root else None}
    if not works:
        error = await failure(url=plain.url(host=host), **changes)
        assert isinstance(error, DatabaseConnectionError) and "TLS" in error.message
        return
    database = Database(settings(plain.url(host=host), **changes), RetentionSettings())
    await database.open()
    async with database.connect() as connection:
        encrypted = await connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    await database.close()
    assert encrypted is (mode != "disable")


async def test_a_root_certificate_that_is_none_is_told(plain: PlainServer, tmp_path: Path) -> None:
    error = await failure(url=plain.url(), ssl_mode="verify-full", ssl_root_cert=tmp_path / "none.crt")
    assert isinstance(error, ConfigurationError) and "SSL_ROOT_CERT" in error.message


async def test_plain_postgresql_gets_partitions_and_says_so(given: Database) -> None:
    capability = given.capability
    assert capability is not None and capability.mode is StorageMode.PARTITIONS and not capability.compression
    assert capability.extension_version is None and capability.owner and not capability.superuser and capability.copy
    steps = await public.setup_compression_policies(given)
    assert all("needs TimescaleDB" in step.reason for step in steps)
    assert any("TimescaleDB" in check.text for check in await given.health())


async def test_every_session_has_its_settings(given: Database) -> None:
    names = ("TimeZone", "jit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with given.connect() as connection:
        found = [await connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) for name in names]
        assert await connection.scalar(text("SHOW application_name")) == "jumpwatch"
    assert found == ["UTC", "off", "15s", "5s", "30s"]


async def test_a_statement_and_a_lock_time_out(plain: PlainServer, given: Database) -> None:
    hasty = Database(settings(plain.url(), statement_timeout_s=0.2, lock_timeout_s=0.1), RetentionSettings())
    await hasty.open()
    try:
        with pytest.raises(DatabaseTimeoutError, match="statement_timeout") as slow:
            async with hasty.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(5)"))
        assert slow.value.timeout_seconds == pytest.approx(0.2) and slow.value.details["timeout_seconds"]
        async with given.connect() as connection:
            await connection.execute(text("LOCK TABLE hosts IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(DatabaseTimeoutError, match="lock_timeout") as locked:
                async with hasty.connect() as second:
                    await second.execute(text("SELECT * FROM hosts"))
            assert locked.value.timeout_seconds == pytest.approx(0.1)
    finally:
        await hasty.close()


async def test_a_transaction_that_idles_is_ended_by_the_server(plain: PlainServer, given: Database) -> None:
    idle = Database(settings(plain.url(), idle_in_transaction_timeout_s=1), RetentionSettings())
    await idle.open()
    gone = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    try:
        with pytest.raises(DatabaseConnectionError, match="idles for 1 s"):
            async with idle.connect("think it over") as connection:
                pid = await connection.scalar(text("SELECT pg_backend_pid()"))
                async with asyncio.timeout(20):
                    while True:
                        async with given.connect() as other:
                            if not await other.scalar(gone, {"pid": pid}):
                                break
                        await asyncio.sleep(0.05)
                await connection.execute(text("SELECT 1"))
        async with idle.connect() as connection:  # the next one is well
            assert await connection.scalar(text("SELECT 1")) == 1
    finally:
        await idle.close()


async def test_what_the_caller_raises_is_not_the_databases(given: Database, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with given.connect():
            (tmp_path / "none").read_text()
    with pytest.raises(TimeoutError):
        async with given.session():
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)
    with pytest.raises(DatabaseTimeoutError):
        async with given.maintenance(0.2) as connection:
            await connection.execute(text("SELECT pg_sleep(5)"))


async def test_a_statement_that_an_administrator_stops_is_no_timeout(plain: PlainServer, given: Database) -> None:
    async def long() -> None:
        async with given.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(20) /* stopped */"))

    task = asyncio.create_task(long())
    # Asleep in it: while the statement is only prepared, a cancel finds nothing to end.
    stop = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%/* stopped */' AND {}"
    async with asyncio.timeout(30):
        while plain.answer(stop.format("wait_event = 'PgSleep'")) == "0":
            await asyncio.sleep(0.05)
    with pytest.raises(DatabaseOperationError, match="user request"):
        await task


async def test_no_session_is_held_while_nothing_is_asked(given: Database, tmp_path: Path) -> None:
    """Neither the pane between two looks, nor the writer that waits for samples, nor a lock, keeps one of the pool."""

    def out() -> int:
        pool = given.pool()
        assert pool is not None
        return pool.checked_out

    await given.view()
    assert out() == 0
    writer = BatchWriter(given, given.retention.model_copy(update={"flush_interval_s": 0.05}), tmp_path / "spool")
    running = asyncio.create_task(writer.run())
    try:
        assert out() == 0  # nothing to write yet
        writer.put(sample())
        async with asyncio.timeout(30):
            while not writer.stats().stored:
                await asyncio.sleep(0.01)
        for _ in range(20):  # it waits for the next ones
            await asyncio.sleep(0.01)
            assert out() == 0
        lock = PollerLock(given)
        await lock.acquire()
        assert out() == 0  # its session is its own
        await lock.release()
    finally:
        await writer.stop(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with given.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1 and out() == 1
    assert out() == 0


async def test_the_pool_is_bounded_and_says_when_it_is_used_up(plain: PlainServer) -> None:
    small = Database(settings(plain.url(), pool_size=1, max_overflow=0, pool_timeout_s=0.2), RetentionSettings())
    await small.open()
    try:
        async with small.connect():
            pool = small.pool()
            assert pool is not None and (pool.size, pool.checked_out, pool.limit) == (1, 1, 1)
            with pytest.raises(DatabaseTimeoutError, match="POOL_SIZE") as full:
                async with small.connect():
                    pass
            assert full.value.timeout_seconds == pytest.approx(0.2)
    finally:
        await small.close()


async def test_maintenance_is_outside_a_transaction_bounded_and_cancellable(given: Database) -> None:
    async with given.maintenance() as connection:
        await connection.execute(text("VACUUM hosts"))
        assert await connection.scalar(text("SHOW statement_timeout")) == "1h"
    with pytest.raises(DatabaseTimeoutError) as caught:
        async with given.maintenance(0.3) as connection:
            await connection.execute(text("SELECT pg_sleep(10)"))
    assert caught.value.timeout_seconds == pytest.approx(0.3)

    async def long() -> None:
        async with given.maintenance() as connection:
            await connection.execute(text("SELECT pg_sleep(20) /* ours */"))

    task = asyncio.create_task(long())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    running = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%/* ours */' AND state = 'active'")
    async with asyncio.timeout(30):
        while True:
            async with given.connect() as connection:
                if await connection.scalar(running.columns()) <= 1:
                    break
            await asyncio.sleep(0.05)


async def test_a_reader_is_no_owner(plain: PlainServer, given: Database) -> None:
    plain.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "plain")
    reader = Database(settings(plain.url(user="reader")), RetentionSettings())
    capability = await reader.open()
    assert not capability.owner and capability.role == "reader"
    assert (await reader.view()).state is DatabaseState.CONNECTED
    with pytest.raises(DatabaseOperationError, match="right"):
        async with reader.connect() as connection:
            await connection.execute(text("DELETE FROM hosts"))
    await reader.close()


async def test_the_lock_survives_nothing_but_its_session(given: Database) -> None:
    lock = PollerLock(given)
    assert await lock.acquire()
    await lock.release()
    assert not await lock.held()


async def test_the_public_face(plain: PlainServer, given: Database) -> None:
    with pytest.raises(DatabaseConnectionError, match="init_database"):
        public.get_async_engine()
    await public.init_database(settings(plain.url()), RetentionSettings())
    try:
        with pytest.raises(BusinessLogicError):
            await public.init_database(settings(plain.url()), RetentionSettings())
        async with public.get_async_session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        async for session in public.get_db_session():
            assert await session.scalar(text("SELECT 2")) == 2
        assert (await public.test_database_connection()).ok
        assert PASSWORD not in repr(await public.get_connection_info())
        assert (await public.get_database_stats()).tables
        assert await public.get_chunk_statistics("host_samples")
        assert (await public.get_timescaledb_info()).capability.role == "owner"
        assert (await public.validate_database_schema()).ok
        assert all(step.ok for step in await public.optimize_database())
        rows = await public.execute_raw_sql("SELECT CAST(:a AS int) AS a", {"a": 7})
        assert rows == [{"a": 7}]
        with pytest.raises(DatabaseOperationError, match="multiple commands"):
            await public.execute_raw_sql("SELECT 1; DROP TABLE hosts")
        for steps in (
            await public.create_hypertables(),
            await public.setup_compression_policies(),
            await public.setup_rollups(),
            await public.setup_retention_policies(),
        ):
            assert steps and all(step.ok for step in steps)
    finally:
        await public.close_database()
    await public.close_database()


async def test_two_consoles_set_up_one_database_at_once(plain: PlainServer) -> None:
    plain.sql("CREATE DATABASE twice OWNER owner TEMPLATE template0")
    plain.sql("ALTER SCHEMA public OWNER TO owner", "twice")
    both = [Database(settings(plain.url(name="twice")), RetentionSettings()) for _ in range(2)]
    for database in both:
        await database.open()
    results = await asyncio.gather(*(initialise(database) for database in both))
    assert all(step.ok for steps in results for step in steps)
    for database in both:
        assert database.capability is not None and database.capability.mode is StorageMode.PARTITIONS
        await database.close()


@pytest.fixture
def apart() -> Iterator[PlainServer]:
    """A server that a test may stop and start."""
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    yield server
    server.stop()


async def test_a_server_that_goes_and_comes_back(apart: PlainServer) -> None:
    database = Database(settings(apart.url(), pool_size=3), RetentionSettings())
    await database.open()
    await initialise(database)

    async def ask() -> object:
        async with database.connect("ask") as connection:
            return await connection.scalar(text("SELECT 1"))

    try:
        assert await asyncio.gather(*(ask() for _ in range(3))) == [1, 1, 1]  # several connections lie in the pool
        apart.halt()
        with pytest.raises(DatabaseConnectionError):
            await ask()
        assert (await database.view()).state is DatabaseState.AWAY
        apart.run()
        assert await asyncio.gather(*(ask() for _ in range(3))) == [1, 1, 1]  # the dead ones were thrown away
        apart.halt()
        apart.run()
        assert await asyncio.gather(*(ask() for _ in range(3))) == [1, 1, 1]  # nobody asked while it was gone

        apart.halt()
        apart.standby(True)
        apart.run(wait=False, hot_standby="off")  # in recovery, and takes no sessions
        with pytest.raises(DatabaseConnectionError, match="starting, stopping or recovering") as caught:
            await ask()
        assert caught.value.details["sqlstate"] == "57P03"
        apart.halt()
        apart.run()  # a standby that may be read
        found = {check.name: check for check in await public.check_database_health(database)}
        assert found["writable"].ok is False and "standby" in found["writable"].text
        with pytest.raises(DatabaseOperationError, match=r"read-only.*primary"):
            async with database.connect("write") as connection:
                await connection.execute(text("INSERT INTO hosts (name) VALUES ('x')"))
        apart.halt()
        apart.standby(False)
        apart.run()
        assert await ask() == 1
        assert {check.name: check for check in await public.check_database_health(database)}["writable"].ok
    finally:
        await database.close()


async def test_what_a_role_may_not_see_is_not_known(plain: PlainServer, given: Database) -> None:
    found = {check.name: check for check in await public.check_database_health(given)}
    for name in ("long transactions", "idle in transaction"):
        assert found[name].ok is None and "pg_read_all_stats" in found[name].text
    plain.sql("ALTER ROLE owner SET default_transaction_read_only = on")
    try:
        await given.forget_connections()
        found = {check.name: check for check in await public.check_database_health(given)}
        assert found["writable"].ok is False and "default_transaction_read_only" in found["writable"].text
    finally:
        plain.sql("ALTER ROLE owner RESET default_transaction_read_only")
        await given.forget_connections()
