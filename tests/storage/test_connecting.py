"""Connecting: what goes wrong is told by name with the way out, passwords never, TLS as set, sessions as promised."""

from __future__ import annotations

import asyncio
import socket
import time
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
from tests.parts import need
from tests.storage import plain_server
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
        assert view.state is DatabaseState.AWAY and view.detail == caught.value.message
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
    begun = time.monotonic()
    error = await failure(url=f"postgresql://u@127.0.0.1:{port}/d", connect_timeout_s=0.3, ssl_mode="disable")
    silent.close()
    assert isinstance(error, DatabaseTimeoutError) and time.monotonic() - begun < 5


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
        with pytest.raises(DatabaseTimeoutError, match="statement_timeout"):
            async with hasty.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(5)"))
        async with given.connect() as connection:
            await connection.execute(text("LOCK TABLE hosts IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(DatabaseTimeoutError, match="lock_timeout"):
                async with hasty.connect() as second:
                    await second.execute(text("SELECT * FROM hosts"))
    finally:
        await hasty.close()


async def test_the_pool_is_bounded_and_says_when_it_is_used_up(plain: PlainServer) -> None:
    small = Database(settings(plain.url(), pool_size=1, max_overflow=0, pool_timeout_s=0.2), RetentionSettings())
    await small.open()
    try:
        async with small.connect():
            pool = small.pool()
            assert pool is not None and (pool.size, pool.checked_out, pool.limit) == (1, 1, 1)
            with pytest.raises(DatabaseTimeoutError, match="POOL_SIZE"):
                async with small.connect():
                    pass
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
    async with asyncio.timeout(5):
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
        assert PASSWORD not in repr(public.get_connection_info())
        assert (await public.get_database_stats()).tables
        assert await public.get_chunk_statistics("host_samples")
        assert (await public.get_timescaledb_info()).capability.role == "owner"
        assert (await public.validate_database_schema()).ok
        assert all(step.ok for step in await public.optimize_database())
        rows = await public.execute_raw_sql("SELECT CAST(:a AS int) AS a", {"a": 7})
        assert rows == [{"a": 7}]
        with pytest.raises(BusinessLogicError):
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
