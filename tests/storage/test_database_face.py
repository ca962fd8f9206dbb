"""The database's public face, true in every mode of storage: health, figures, drift, maintenance, raw SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from console.cli import main
from core import database as public
from core.config import DatabaseSettings, RetentionSettings
from core.database import Database, SchemaReport, StepState, Thresholds, initialise
from core.exceptions import (
    DatabaseConnectionError,
    DatabaseOperationError,
    InfrastructureException,
    ResourceNotFoundError,
    ValidationError,
)
from core.models import Host, StorageMode
from core.storage import probes
from core.storage.chunks import StorageChunks
from core.storage.health_deep import deep_checks
from core.storage.history import write_history
from core.storage.schema import ROLLUPS, SAMPLE_TABLES, metadata
from tests.parts import need
from tests.storage import plain_server
from tests.storage.databases import jobs_stand_still
from tests.storage.made import series


async def named(database: Database, thresholds: Thresholds | None = None) -> dict[str, tuple[bool | None, str]]:
    checks = await public.check_database_health(database, thresholds or Thresholds())
    assert checks[0].name == "connection" and all(check.text for check in checks)
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: (check.ok, check.text) for check in checks}


async def test_a_sound_database_is_told_as_sound(database: Database) -> None:
    await write_history(database, [Host("host0")], series(1, 50))
    found = await named(database)
    bad = {name: value for name, value in found.items() if value[0] is False and name != "jobs"}
    assert not bad
    assert {"writable", "server sessions", "wraparound", "dead rows", "indexes", "size", "disk"} <= set(found)
    assert found["size"][0] is None and "no budget" in found["size"][1]
    assert ("extension" in found) is database.timescale
    assert (found["pool"][0] is None) is database.single_session
    one = await public.test_database_connection(database)
    assert one.ok and " ms" in one.text


async def test_each_threshold_fires_and_says_the_way_out(database: Database) -> None:
    await write_history(database, [Host("host0")], series(1, 50))
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO hosts (name) SELECT 'h' || n FROM generate_series(1, 3000) n"))
    async with database.connect() as connection:
        await connection.execute(text("DELETE FROM hosts WHERE name LIKE 'h%'"))
    strict = Thresholds(
        latency_s=0.0, clock_off_s=0.0, sessions=0.0, xid_age=0, dead_rows=0, dead_share=0.0, database_bytes=1
    )
    found = await named(database, strict)
    for name, figure, way in (
        ("server sessions", " of the ", "max_connections"),
        *([] if database.single_session else [("wraparound", "transactions old", "VACUUM (FREEZE)")]),
        ("size", " of 0 MiB", "RETENTION"),
    ):
        if name != "server sessions" or not database.single_session:
            assert found[name][0] is False, name
            assert figure in found[name][1] and way in found[name][1]
    if database.kind == "embedded":
        disk = (await named(database, Thresholds(disk_free=1.1)))["disk"]
        assert disk[0] is False and "GiB" in disk[1] and "JUMPWATCH_DATABASE_URL" in disk[1]


async def test_dead_rows_and_cut_off_indexes_are_named(database: Database) -> None:
    quiet = await probes.read_probes(database, dead_rows=10**9)
    bad = replace(quiet, dead=(("public.hosts", 5000, 10),), invalid=("public.audit_ts_ccnew",), recovering=True)
    limits = Thresholds(dead_rows=1000)
    found = {check.name: check for check in deep_checks(bad, (), database.capability, limits)}
    assert found["dead rows"].ok is False and "public.hosts: 5,000 beside 10" in found["dead rows"].text
    assert found["indexes"].ok is False and "audit_ts_ccnew" in found["indexes"].text
    assert found["writable"].ok is False and "primary" in found["writable"].text
    for installed, available, ok in (("2.9.0", "2.9.0", False), ("2.20.1", "2.19.0", False), ("3.0.1", "3.0.1", None)):
        checks = deep_checks(
            replace(quiet, extension=installed, available=available),
            (),
            database.capability and replace(database.capability, mode=StorageMode.TIMESCALEDB),
        )
        assert next(check for check in checks if check.name == "extension").ok is ok


async def test_transactions_that_lie_about_are_told(database: Database, other: Database) -> None:
    async with other.connect() as connection:
        await connection.execute(text("SELECT 1"))
        found = await named(database, Thresholds(transaction_s=0.0, idle_s=0.0))
    for name in ("long transactions", "idle in transaction"):
        assert found[name][0] is False and "pg_terminate_backend" in found[name][1] and "pid " in found[name][1]


async def test_a_full_pool_is_told(database: Database) -> None:
    if database.single_session:
        pytest.skip("this engine has one session")
    full = await named(database, Thresholds(pool=0.0))
    assert full["pool"][0] is False and "POOL_SIZE" in full["pool"][1]


async def test_a_database_that_is_away_is_one_failed_check(blank: Database) -> None:
    nowhere = Database(DatabaseSettings(host="127.0.0.1", port=1, connect_timeout_s=1), blank.retention)
    checks = await public.check_database_health(nowhere)
    assert len(checks) == 1 and checks[0].ok is False and "refuses" in checks[0].text
    assert (await public.test_database_connection(nowhere)).ok is False
    with pytest.raises(DatabaseConnectionError):
        await public.get_database_stats(nowhere)
    await nowhere.close()


async def test_a_database_that_is_not_set_up_is_told(blank: Database) -> None:
    await blank.open()
    found = await named(blank)
    assert found["schema"][0] is False and "jumpwatch db init" in found["schema"][1]
    report = await public.validate_database_schema(blank)
    assert not report.ok and report.revision is None and "jumpwatch db init" in report.drift[0].way_out


async def test_the_figures_are_typed_and_true(database: Database) -> None:
    await write_history(database, [Host("host0")], series(2, 60))
    connection = await public.get_connection_info(database)
    assert database.capability is not None and connection.role == database.capability.role
    assert connection.server_version == database.capability.server_version and connection.backend_pid >= 0
    assert connection.session["TimeZone"] == "UTC" and connection.session["jit"] == "off"
    assert connection.session["application_name"] == "jumpwatch" and connection.session["lock_timeout"] == "5s"
    if database.kind == "embedded":
        assert connection.tls is None
    stats = await public.get_database_stats(database)
    assert stats.database_bytes and {table.name for table in stats.tables} >= {t.name for t in SAMPLE_TABLES}
    info = await public.get_timescaledb_info(database)
    assert info.capability == database.capability and info.jobs
    assert (info.compression_needs == "") is database.timescale
    chunks = await public.get_chunk_statistics("disk_samples", database)
    assert chunks and {chunk.hypertable for chunk in chunks} == {"disk_samples"}
    with pytest.raises(ResourceNotFoundError, match="host_samples"):
        await public.get_chunk_statistics("hosts", database)
    with pytest.raises(AttributeError):
        info.workers = 3  # type: ignore[misc]


async def test_partial_chunks_are_counted(database: Database) -> None:
    if not database.timescale:
        pytest.skip("needs TimescaleDB")
    await write_history(database, [Host("host0")], series(1, 50))
    chunk = (await public.get_chunk_statistics("disk_samples", database))[0]
    await StorageChunks(database).compress(chunk)
    async with database.connect() as connection:
        late = text("INSERT INTO disk_samples (host_id, item_id, ts) VALUES (9, 9, :ts)")
        await connection.execute(late, {"ts": chunk.start})
    found = await named(database, Thresholds(partial_chunks=0))
    assert found["partial chunks"][0] is False and chunk.name in found["partial chunks"][1]


PLANTED = {  # a statement for every mode, what is found of it, and whether `db init` puts it right
    "table": ("DROP TABLE transitions", ("table", "transitions"), True),
    "samples": ("DROP TABLE disk_samples CASCADE", ("table", "disk_samples"), True),
    "column": ("ALTER TABLE hosts DROP COLUMN tags", ("column", "hosts.tags"), True),
    "type": ("ALTER TABLE audit ALTER COLUMN actor TYPE varchar(80)", ("type", "audit.actor"), False),
    "nulls": ("ALTER TABLE items ALTER COLUMN kind DROP NOT NULL", ("column", "items.kind"), False),
    "index": ("DROP INDEX audit_ts", ("index", "audit_ts"), True),
    "unique": ("ALTER TABLE hosts DROP CONSTRAINT hosts_name_key", ("key", "hosts"), True),
    "check": ("ALTER TABLE audit DROP CONSTRAINT audit_phase_check", ("key", "audit"), True),
    "primary": ("ALTER TABLE jumpwatch_jobs DROP CONSTRAINT jumpwatch_jobs_pkey", ("key", "jumpwatch_jobs"), True),
}
PARTITIONED = {
    "default": ("DROP TABLE host_samples_default", ("partitions", "host_samples_default"), True),
    "rollup": ("DROP TABLE disk_samples_1h", ("rollup", "disk_samples_1h"), True),
}
_JOB = "FROM timescaledb_information.jobs WHERE proc_name = '{}' AND hypertable_name = '{}' LIMIT 1"
TIMESCALE = {
    "policy": ("SELECT remove_retention_policy('filesystem_samples')", ("policy", "filesystem_samples"), True),
    "changed": (
        "SELECT alter_job(job_id, config => jsonb_set(config, '{drop_after}', '\"9 days\"')) "
        + _JOB.format("policy_retention", "host_samples"),
        ("policy", "host_samples"),
        True,
    ),
    "interval": (
        "SELECT set_chunk_time_interval('interface_samples', INTERVAL '3 hours')",
        ("hypertable", "interface_samples"),
        True,
    ),
    "rollup": ("DROP MATERIALIZED VIEW interface_samples_1h", ("rollup", "interface_samples_1h"), True),
    "refresh": ("SELECT remove_continuous_aggregate_policy('host_samples_1m')", ("policy", "host_samples_1m"), True),
}  # fmt: skip
PLAIN_AGAIN = """
CREATE TABLE plain_again (LIKE interface_samples INCLUDING ALL);
DROP TABLE interface_samples CASCADE;
ALTER TABLE plain_again RENAME TO interface_samples
"""


def told(report: SchemaReport) -> set[tuple[str, str]]:
    return {(drift.kind, drift.target) for drift in report.drift}


async def test_planted_drift_is_named_and_init_puts_it_right(database: Database) -> None:
    assert (await public.validate_database_schema(database)).drift == ()
    plants = {**PLANTED, **(TIMESCALE if database.timescale else PARTITIONED)}
    if database.single_session:
        del plants["samples"]  # its one session remembers the old hypertable
    by_hand = {}
    for statement, found, repaired in plants.values():
        before = told(await public.validate_database_schema(database))
        async with database.connect() as connection:
            await connection.execute(text(statement))
        report = await public.validate_database_schema(database)
        assert not report.ok and found in told(report) - before, statement
        mine = next(drift for drift in report.drift if (drift.kind, drift.target) == found)
        assert ("jumpwatch db init" in mine.way_out) is (repaired or mine.kind == "type"), mine
        if not repaired:
            by_hand[found] = mine
    steps = await initialise(database)
    await jobs_stand_still(database)
    assert all(step.ok for step in steps), [step for step in steps if not step.ok]
    assert told(await public.validate_database_schema(database)) == set(by_hand)
    for (_, target), drift in by_hand.items():
        statement = drift.way_out.partition("by hand: ")[2].partition(", then")[0]
        async with database.connect() as connection:
            await connection.execute(text(statement))
        assert target not in {drift.target for drift in (await public.validate_database_schema(database)).drift}
    assert (await public.validate_database_schema(database)).ok
    assert {step.state for step in await initialise(database)} == {StepState.SKIPPED}


async def test_a_sample_table_that_is_plain_is_told(database: Database) -> None:
    async with database.connect() as connection:
        for statement in PLAIN_AGAIN.split(";"):
            await connection.execute(text(statement))
    kind = "hypertable" if database.timescale else "partitions"
    report = await public.validate_database_schema(database)
    assert (kind, "interface_samples") in told(report)
    if database.timescale and not database.single_session:  # whose one session remembers the old table
        steps = await initialise(database)
        assert all(step.ok for step in steps), [step for step in steps if not step.ok]
        await jobs_stand_still(database)
        assert (await public.validate_database_schema(database)).ok


async def test_columns_of_somebody_else_are_notes(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text("ALTER TABLE hosts ADD COLUMN rack text"))
        await connection.execute(text("ALTER TABLE items ADD COLUMN shelf text NOT NULL"))
    report = await public.validate_database_schema(database)
    assert report.ok and len(report.notes) == 2
    assert "hosts.rack" in report.notes[0] and "no harm" in report.notes[0]
    assert "items.shelf" in report.notes[1] and "refuses our rows" in report.notes[1]


async def test_optimizing_is_idempotent_and_says_what_it_did(database: Database) -> None:
    await write_history(database, [Host("host0")], series(1, 50))
    lines: list[str] = []
    for _ in range(2):
        steps = await public.optimize_database(database, progress=lines.append)
        assert all(step.ok and step.reason for step in steps), [step for step in steps if not step.ok]
        done = {step.target for step in steps if step.step == "vacuum" and step.state is StepState.CHANGED}
        assert done == {*metadata.tables, *(rollup.name for rollup in ROLLUPS)}
        built = {step.target for step in steps if step.step == "reindex" and step.state is StepState.CHANGED}
        assert ("hosts" in built) is not database.single_session
        assert ("host_samples" in built) is (not database.timescale)
    assert lines and (await public.validate_database_schema(database)).ok
    assert all(step.step != "reindex" for step in await public.optimize_database(database, reindex=False))


_LEFT = text("SELECT count(*) FROM pg_class WHERE relkind = 'i' AND relname ~ '_cc(new|old)'")


async def left(database: Database) -> int:
    async with database.connect() as connection:
        return int(await connection.scalar(_LEFT) or 0)


async def test_a_reindex_that_is_cut_leaves_no_index_behind(database: Database, other: Database) -> None:
    """It cannot end while another session has written to the table and keeps its transaction open."""
    open_ = text("INSERT INTO hosts (name) VALUES ('open') ON CONFLICT DO NOTHING")
    async with other.connect() as connection:
        await connection.execute(open_)
        task = asyncio.create_task(public.optimize_database(database))
        async with asyncio.timeout(30):
            while not await left(database):  # its new index is there, and waits for the other session
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.sleep(0)  # it is told now; the other transaction ends while it cleans up
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left(database) == 0
    async with other.connect() as connection:  # the same where its time is over; what stays goes with the next run
        await connection.execute(open_)
        slow = Database(
            database.settings.model_copy(update={"lock_timeout_s": 0.1}), database.retention, database.address
        )
        await slow.open()
        steps = asyncio.create_task(public.optimize_database(slow, timeout_s=0.5))
        async with asyncio.timeout(30):
            while not await left(database):
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.6)
    assert any(step.target == "hosts" and not step.ok and "took too long" in step.reason for step in await steps)
    await slow.close()
    assert all(step.ok for step in await public.optimize_database(database)) and await left(database) == 0


async def test_raw_sql_binds_by_name_and_runs_one_command(database: Database) -> None:
    rows = await public.execute_raw_sql(
        "SELECT CAST(:a AS text) || '; b' AS a;", {"a": "x'; DROP TABLE hosts; --"}, database
    )
    assert rows == [{"a": "x'; DROP TABLE hosts; --; b"}]
    insert = "INSERT INTO hosts (name) VALUES (:name)"
    assert await public.execute_raw_sql(insert, {"name": "raw"}, database) == []
    with pytest.raises(InfrastructureException, match="multiple commands") as caught:
        await public.execute_raw_sql("INSERT INTO hosts (name) VALUES ('two'); DROP TABLE hosts", None, database)
    assert isinstance(caught.value, DatabaseOperationError)
    with pytest.raises(ValidationError, match=r"not given: name.*for nothing: nam"):
        await public.execute_raw_sql(insert, {"nam": "x"}, database)
    names = await public.execute_raw_sql("SELECT name FROM hosts ORDER BY name", None, database)
    assert names == [{"name": "raw"}]


@pytest.fixture
def doctored() -> Iterator[Database]:
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    yield Database(DatabaseSettings(url=SecretStr(server.url())), RetentionSettings())
    server.stop()


def test_doctor_prints_health_and_drift(
    doctored: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctored.settings.url is not None
    monkeypatch.setenv("JUMPWATCH_DATABASE_URL", doctored.settings.url.get_secret_value())
    assert main(["db", "init", "--json"]) == 0
    capsys.readouterr()
    assert main(["db", "doctor"]) == 0
    out = capsys.readouterr().out
    assert "wraparound" in out and "as this version makes it" in out
    asyncio.run(_change(doctored, "DROP INDEX audit_ts"))
    assert main(["db", "doctor"]) == 1
    assert "audit_ts" in capsys.readouterr().out
    assert main(["db", "doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and found["schema"]["drift"][0]["target"] == "audit_ts"
    assert "way_out" in found["schema"]["drift"][0] and found["connection"]["session"]["TimeZone"] == "UTC"
    asyncio.run(_change(doctored, "UPDATE jumpwatch_schema SET version_num = '0999'"))
    for command in ("init", "doctor"):  # made by a newer program: refused, in one line
        assert main(["db", command]) == 2
        said = capsys.readouterr()
        assert "0999" in said.err and "upgrade jumpwatch" in said.err and said.out == ""


async def _change(database: Database, statement: str) -> None:
    await database.open()
    async with database.connect() as connection:
        await connection.execute(text(statement))
    await database.close()
