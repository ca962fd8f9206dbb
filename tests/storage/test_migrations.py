"""Migrations: forward from every release with its data, together, against locks, and never over a newer program's."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import timedelta

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from console.composition.storage import prepare
from core.database import Database, initialise, validate_database_schema
from core.exceptions import (
    ConfigurationError,
    DatabaseConnectionError,
    DatabaseOperationError,
    DatabaseTimeoutError,
)
from core.models import DatabaseState, StorageMode
from core.storage import setup, setup_times
from core.storage.ingest import Ingest
from core.storage.migrate import MIGRATIONS, migrate, prepare_extension, revision
from core.storage.revisions import HEAD, KNOWN
from core.storage.schema import ROLLUPS, SAMPLE_TABLES
from core.storage.servers import ServerAddress
from core.storage.steps import StepState
from tests.storage.databases import ROOT, jobs_stand_still
from tests.storage.made import NOW, count, look, series

FIRST_IN = {"container_samples": "0005", "unit_samples": "0005"}  # else there from the start


def test_the_program_knows_its_own_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == KNOWN
    assert scripts.get_current_head() == HEAD


@pytest.mark.parametrize("release", KNOWN)
async def test_forward_from_every_release_with_its_data(
    blank: Database, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blank.open()
    await prepare_extension(blank)
    first = await migrate(blank, target=release)
    assert first.state is StepState.CREATED and await revision(blank) == release
    with monkeypatch.context() as then:
        for module in (setup, setup_times):
            tables = [table for table in SAMPLE_TABLES if FIRST_IN.get(table.name, "0001") <= release]
            then.setattr(module, "SAMPLE_TABLES", tables)
            then.setattr(module, "ROLLUPS", [rollup for rollup in ROLLUPS if rollup.source in tables])
        for step in (
            setup.create_hypertables,
            setup.setup_compression_policies,
            setup.create_rollups,
            setup.setup_retention_policies,
        ):
            assert all(result.ok for result in await step(blank))
    await jobs_stand_still(blank)
    await Ingest(blank).samples(list(series(2, 50)), fresh=True)
    async with blank.connect() as connection:
        old = text("INSERT INTO audit (audit_id, phase, actor, body) VALUES ('a1', 'intent', 'anna', '{}')")
        await connection.execute(old)
        if blank.timescale:
            chunk = text("SELECT compress_chunk(c) FROM show_chunks('disk_samples') c")
            await connection.execute(chunk)
    mode = blank.capability and blank.capability.mode

    steps = await initialise(blank)
    assert all(step.ok for step in steps)
    moved = next(step for step in steps if step.step == "schema")
    assert moved.state is (StepState.SKIPPED if release == HEAD else StepState.CHANGED)
    assert await revision(blank) == HEAD and blank.capability is not None and blank.capability.mode is mode
    report = await validate_database_schema(blank)
    assert report.ok, report.drift
    assert await count(blank, "host_samples") == 100 and await count(blank, "disk_samples") == 100
    async with blank.connect() as connection:
        row = (await connection.execute(text("SELECT audit_id, actor, correlation_id FROM audit"))).one()
    assert tuple(row) == ("a1", "anna", None)
    await Ingest(blank).samples(list(series(2, 1, end=NOW + timedelta(seconds=10))), fresh=True)
    await Ingest(blank).items([look(), look("web1", NOW - timedelta(days=20))], fresh=True)
    assert await count(blank, "host_samples") == 102 and await count(blank, "container_samples") == 4


INIT = """
import asyncio, json, sys
from core.config import DatabaseSettings, RetentionSettings
from core.database import Database, initialise
from core.storage.servers import ServerAddress

async def main():
    given = json.loads(sys.argv[1])
    address = ServerAddress(**given) if "socket_dir" in given else None
    database = Database(DatabaseSettings(url=given.get("url")), RetentionSettings(), address)
    await database.open()
    sys.stdin.readline()
    steps = await initialise(database)
    print(json.dumps([(s.step, s.target, s.state.value, s.reason) for s in steps]))
    await database.close()

asyncio.run(main())
"""


def where_is(database: Database) -> str:
    if isinstance(database.address, ServerAddress):
        return json.dumps(asdict(database.address))
    assert database.settings.url is not None
    return json.dumps({"url": database.settings.url.get_secret_value()})


async def test_two_programs_set_up_one_database_and_one_creates(blank: Database) -> None:
    if blank.single_session:
        pytest.skip("this engine takes one session")
    command = (sys.executable, "-c", INIT, where_is(blank))
    pipes = {"cwd": ROOT, "stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    both = [await asyncio.create_subprocess_exec(*command, **pipes) for _ in range(2)]  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(child.communicate(b"go\n") for child in both))
    assert [child.returncode for child in both] == [0, 0]
    steps = [json.loads(out) for out, _ in answers]
    assert all(state != "failed" for answer in steps for _, _, state, _ in answer)
    schemas = sorted(state for answer in steps for step, _, state, _ in answer if step == "schema")
    assert schemas == ["created", "skipped"]
    await blank.open()
    report = await validate_database_schema(blank)
    assert report.ok, report.drift


async def test_two_migrations_at_once_agree_on_who_made_it(blank: Database) -> None:
    if blank.single_session:
        pytest.skip("this engine takes one session")
    await blank.open()
    second = Database(blank.settings, blank.retention, blank.address)
    await second.open()
    try:
        results = await asyncio.gather(migrate(blank), migrate(second))
    finally:
        await second.close()
    assert sorted(result.state.value for result in results) == ["created", "skipped"]


async def test_a_database_that_is_newer_is_refused_and_left_alone(blank: Database) -> None:
    await blank.open()
    await initialise(blank)
    await jobs_stand_still(blank)
    async with blank.connect() as connection:
        await connection.execute(text("UPDATE jumpwatch_schema SET version_num = '0999'"))
        await connection.execute(text("DROP INDEX audit_ts"))  # initialising would want to make it anew
    with pytest.raises(ConfigurationError, match=f"0999.*{HEAD}.*upgrade jumpwatch") as caught:
        await initialise(blank)
    assert caught.value.error_code == "DATABASE_NEWER"
    with pytest.raises(ConfigurationError, match="0999"):
        await blank.open()
    with pytest.raises(DatabaseConnectionError):  # and nothing can be written by way of it
        await Ingest(blank).samples(list(series(1, 1)), fresh=True)
    with pytest.raises(ConfigurationError, match="0999"):  # what the console does when it starts
        await blank.open()
        await prepare(blank, lambda line: None)
    view = await blank.view()
    assert view.state is DatabaseState.UNSUPPORTED and "0999" in view.detail


async def test_a_database_half_set_up_is_finished(blank: Database) -> None:
    await blank.open()
    await prepare_extension(blank)
    await migrate(blank)  # and here the program was killed
    report = await validate_database_schema(blank)
    assert not report.ok and all("jumpwatch db init" in drift.way_out for drift in report.drift)
    assert {drift.target for drift in report.drift} >= {"host_samples_1m", "disk_samples_1h"}
    await setup.create_hypertables(blank)  # a second one came as far as this
    assert all(step.ok for step in await initialise(blank))
    await jobs_stand_still(blank)
    report = await validate_database_schema(blank)
    assert report.ok, report.drift


async def test_a_migration_that_fails_leaves_nothing(blank: Database) -> None:
    await blank.open()
    async with blank.connect() as connection:
        await connection.execute(text("CREATE TABLE audit (note text)"))  # somebody else's, in the way
    with pytest.raises(DatabaseOperationError, match="audit"):
        await initialise(blank)
    async with blank.connect() as connection:
        assert await connection.scalar(text("SELECT to_regclass('public.hosts')")) is None
        await connection.execute(text("DROP TABLE audit"))
    assert all(step.ok for step in await initialise(blank))


async def test_a_locked_table_is_waited_for_in_short_turns(blank: Database) -> None:
    if blank.single_session:
        pytest.skip("this engine takes one session")
    await blank.open()
    await prepare_extension(blank)
    await migrate(blank, target="0001")
    other = Database(blank.settings, blank.retention, blank.address)
    await other.open()
    lines: list[str] = []
    told = asyncio.Event()

    def progress(line: str) -> None:
        lines.append(line)
        told.set()

    try:
        async with other.connect() as holder:
            await holder.execute(text("SELECT count(*) FROM audit"))
            with pytest.raises(DatabaseTimeoutError, match=r"locked by jumpwatch \(pid \d+") as caught:
                await migrate(blank, lock_wait_s=0.05, patience_s=0.2)
            assert caught.value.timeout_seconds == pytest.approx(0.2) and await revision(blank) == "0001"
            waiting = asyncio.create_task(migrate(blank, progress, lock_wait_s=0.05, patience_s=30))
            async with asyncio.timeout(20):
                await told.wait()
        async with asyncio.timeout(20):
            assert (await waiting).state is StepState.CHANGED
    finally:
        await other.close()
    assert "locked by" in lines[0] and await revision(blank) == HEAD


async def test_the_mode_never_flips(blank: Database) -> None:
    """An extension that comes later changes nothing: what was set up with partitions keeps them."""
    if blank.single_session:
        pytest.skip("this engine has the extension from the start")
    await blank.open()
    await migrate(blank)
    assert blank.capability is not None and blank.capability.mode is StorageMode.PARTITIONS
    step = await prepare_extension(blank)
    if step.state is not StepState.CREATED:
        pytest.skip("needs TimescaleDB")
    assert all(step.ok for step in await initialise(blank))
    capability = await blank.refresh_capability()
    assert capability.extension_version and capability.mode is StorageMode.PARTITIONS
    assert (await validate_database_schema(blank)).ok
