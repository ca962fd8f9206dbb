"""TimescaleDB under its Apache licence, and a database whose TimescaleDB is gone: said plainly, degraded honestly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core import database as public
from core.config import DatabaseSettings, RetentionSettings
from core.database import Database, initialise
from core.exceptions import BusinessLogicError, ConfigurationError, InfrastructureException
from core.models import DatabaseState, Host, StorageMode
from core.retention import plan_retention
from core.storage.chunks import StorageChunks
from core.storage.history import write_history
from tests.storage import plain_server
from tests.storage.made import NOW, count, series
from tests.storage.plain_server import PlainServer

PRELOADED = {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}
APACHE = {**PRELOADED, "timescaledb.license": "apache"}
COMMUNITY = {**PRELOADED, "timescaledb.license": "timescale"}


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    """A TimescaleDB of our own, for its licence is the whole server's."""
    found = plain_server.with_timescaledb()
    if found is None:  # like the native server's URL: never required, for no package of Debian's has it
        pytest.skip("needs TimescaleDB's files: JUMPWATCH_TEST_NATIVE_BIN names no PostgreSQL that has them")
    server = plain_server.start(found, **COMMUNITY)
    server.sql("CREATE EXTENSION timescaledb", "plain")
    yield server
    server.stop()


@pytest.fixture
async def database(server: PlainServer) -> AsyncIterator[Database]:
    server.sql("DROP DATABASE plain WITH (FORCE)")
    server.sql("CREATE DATABASE plain OWNER owner TEMPLATE template0")
    server.sql("ALTER SCHEMA public OWNER TO owner", "plain")
    server.sql("CREATE EXTENSION timescaledb", "plain")
    database = Database(DatabaseSettings(url=SecretStr(server.url())), RetentionSettings())
    yield database
    await database.close()
    server.halt()
    server.run(**COMMUNITY)


async def test_the_apache_edition_gets_partitions_and_says_what_lacks(database: Database, server: PlainServer) -> None:
    server.halt()
    server.run(**APACHE)
    capability = await database.open()
    assert capability.licence == "apache" and capability.mode is StorageMode.PARTITIONS and not capability.compression
    steps = await initialise(database)
    assert all(step.ok for step in steps)
    why = {step.reason for step in steps if step.step == "compression policy"}
    assert len(why) == 1 and "community licence" in why.pop()
    await write_history(database, [Host("host0")], series(1, 100))
    assert await count(database, "host_samples") == 100 and await count(database, "host_samples_1h") > 0
    keeper = StorageChunks(database)
    chunk = (await keeper.chunks("host_samples"))[0]
    with pytest.raises(BusinessLogicError, match=r"community licence.*timescaledb\.license = 'timescale'"):
        await keeper.compress(chunk)
    assert (await plan_retention(keeper, database.retention, NOW)).chunks == ()
    info = await public.get_timescaledb_info(database)
    assert "community licence" in info.compression_needs and info.capability.extension_version
    mode = next(check for check in await public.check_database_health(database) if check.name == "mode")
    assert mode.ok and "Apache licence" in mode.text and "community" in mode.text
    assert (await public.validate_database_schema(database)).ok

    server.halt()
    server.run(**COMMUNITY)  # the licence comes later: what was set up with partitions keeps them
    await database.forget_connections()
    assert (await database.open()).mode is StorageMode.PARTITIONS
    assert all(step.ok for step in await initialise(database))
    assert await count(database, "host_samples") == 100


@pytest.mark.parametrize("gone", ["licence", "library", "extension"])
async def test_a_database_whose_timescaledb_is_gone_is_refused(
    database: Database, server: PlainServer, gone: str
) -> None:
    assert (await database.open()).mode is StorageMode.TIMESCALEDB
    assert all(step.ok for step in await initialise(database))
    await database.close()
    if gone == "extension":
        server.sql("DROP EXTENSION timescaledb CASCADE", "plain")
    else:
        server.halt()
        server.run(**(APACHE if gone == "licence" else {}))
    words = {
        "licence": "Apache licence.*set timescaledb.license = 'timescale'",
        "library": "does not load TimescaleDB.*shared_preload_libraries",
        "extension": "the extension is gone.*restore",
    }[gone]
    with pytest.raises(ConfigurationError, match=words) as caught:
        await database.open()
    assert caught.value.error_code == "DATABASE_UNSUPPORTED"
    view = await database.view()
    assert view.state is DatabaseState.UNSUPPORTED and view.detail == caught.value.message
    with pytest.raises(InfrastructureException):  # nothing is set up anew over it
        await initialise(database)
    await database.close()
    if gone == "extension":  # its rows went with it
        return
    server.halt()
    server.run(**COMMUNITY)
    assert (await database.open()).mode is StorageMode.TIMESCALEDB  # and all is as it was
    async with database.connect() as connection:
        assert await connection.scalar(text("SELECT value FROM jumpwatch_meta WHERE key = 'mode'")) == "timescaledb"
    assert (await public.validate_database_schema(database)).ok
