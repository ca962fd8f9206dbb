"""The three roles on real servers: each does what it is for, is refused the rest with the way out, and no more."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from console.composition.storage import prepare
from console.composition.storage_lane import StorageLane
from core.config import DatabaseSettings, load_settings
from core.events import EventBus
from core.exceptions import (
    BusinessLogicError,
    ConfigurationError,
    DatabaseOperationError,
    InfrastructureException,
    ValidationError,
)
from core.live_state import LiveState
from core.models import (
    Alert,
    AlertChange,
    DatabaseState,
    Finding,
    Host,
    HostFinding,
    HostState,
    PlanRequest,
    PollerRole,
    SectionStatus,
    SessionInfo,
    StorageMode,
    Transition,
)
from core.operations import Gate, Operations
from core.ports import SystemClock
from core.storage import alerts, plots, queries
from core.storage.activity import read_activity
from core.storage.audit import StorageAudit
from core.storage.catalogue import read_chunks
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.history import write_history
from core.storage.housekeeping import Housekeeper
from core.storage.ingest import Ingest, sync_hosts
from core.storage.lock import PollerLock
from core.storage.roles import Facts, names_of, render, roles_sql
from core.storage.schema import SAMPLE_TABLES
from core.storage.setup import initialise
from core.storage.upkeep import StorageUpkeep
from tests.parts import need
from tests.storage import plain_server
from tests.storage.databases import create_database, drop_database, jobs_stand_still, native_url, retention
from tests.storage.made import NOW, count, look, sample, series
from tests.storage.plain_server import PASSWORD, PlainServer

DAY = timedelta(days=1)
ALERT = Alert("k", "disk-full", "host0", "/", "error", "/ full", NOW, NOW)
STEP = AlertChange("k", NOW, "raised")
WORD = "s3cret"
Login = Callable[[str], Awaitable[Database]]


@dataclass
class World:
    """An owner's database with history and the three roles, and a way to come in as one of them."""

    owner: Database
    prefix: str
    login: Login


@pytest.fixture(scope="module")
def plain() -> Iterator[PlainServer]:
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    server.sql("ALTER ROLE owner CREATEDB CREATEROLE")
    yield server
    server.stop()


@pytest.fixture(params=["plain", "native"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    native = request.param == "native"
    base = native_url() if native else request.getfixturevalue("plain").url(password=PASSWORD)
    mark = secrets.token_hex(4)
    name, prefix = f"jw_roles_{mark}", f"Jw {mark}"
    await create_database(name, dsn=base)
    url = base.rpartition("/")[0] + f"/{name}"
    owner = Database(DatabaseSettings(url=SecretStr(url)), retention())
    opened = [owner]
    logins: dict[str, str] = {}

    async def login(role: str) -> Database:
        """Open the database as a login user that has been given one role, or none."""
        user = logins.setdefault(role, f"jw_{role}_{mark}")
        async with owner.driver() as raw:
            await raw.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{WORD}'")
            if role != "nobody":
                await raw.execute(f'GRANT "{prefix}_{role}" TO {user}')
        where = url.partition("@")[2]
        found = Database(DatabaseSettings(url=SecretStr(f"postgresql://{user}:{WORD}@{where}")), retention())
        opened.append(found)
        if role != "nobody":
            await found.open()
        return found

    await owner.open()
    assert all(step.ok for step in await initialise(owner))
    await jobs_stand_still(owner)
    await write_history(owner, [Host("host0")], series(1, 12 * 24 * 4, end=NOW - DAY))
    script = await roles_sql(owner, prefix)
    for _ in range(2):  # it may be run again
        async with owner.driver() as raw:
            await raw.execute(script.replace("BEGIN;\n", "", 1).replace("COMMIT;\n", "", 1))
    yield World(owner, prefix, login)
    for database in opened:
        await database.close()
    raw = await asyncpg.connect(base)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = ANY($2::text[])"
    async with asyncio.timeout(20):  # their sessions are closed and on their way out: the owner may not end them
        while await raw.fetchval(others, name, list(logins.values())):
            await asyncio.sleep(0.05)
    await drop_database(name, dsn=base)
    for user in (*logins.values(), *(f"{prefix}_{role}" for role in ("maintainer", "writer", "reader"))):
        await raw.execute(f'DROP ROLE "{user}"')
    await raw.close()


async def tables(database: Database) -> dict[str, int]:
    return {table.name: await count(database, table.name) for table in SAMPLE_TABLES} | {
        name: await count(database, name) for name in ("hosts", "items", "transitions", "audit")
    }


async def refused(work: Awaitable[object]) -> InfrastructureException:
    with pytest.raises(InfrastructureException) as caught:
        await work
    return caught.value


def operations(database: Database, bus: EventBus) -> Operations:
    gate = Gate(read_only=False)
    gate.forbid(database.capability.why_no_write if database.capability else "")
    return Operations(
        StorageChunks(database), StorageAudit(database), database.retention, bus,
        gate=gate, capability=lambda: database.capability, server=StorageUpkeep(database),
    )  # fmt: skip


async def test_a_reader_sees_all_and_writes_nothing(world: World) -> None:
    reader, before = await world.login("reader"), await tables(world.owner)
    can = reader.capability
    assert can is not None and (can.may_write, can.may_maintain, can.owner) == (False, False, False)
    await prepare(reader, lambda line: None)  # takes the database as it is
    view = await reader.view()
    assert view.state is DatabaseState.CONNECTED and view.chunks and view.jobs and view.database_bytes
    assert len(view.hypertables) == len((await world.owner.view()).hypertables)
    assert set(await queries.latest(reader, NOW, max_age=2 * DAY)) == {"host0"}
    assert [host.name for host in await queries.hosts(reader)] == ["host0"]
    assert await queries.states(reader) == {} and await queries.transitions(reader) == ()
    for source in ("raw", "1m", "1h"):
        plot = await plots.host_history(reader, "host0", NOW - 3 * DAY, NOW - 2 * DAY, source=source)
        assert any(plot.history.cpu)
    assert await StorageAudit(reader).recent() == ()
    assert (await PollerLock(reader).holder()) is None

    said = await refused(initialise(reader))
    assert isinstance(said, BusinessLogicError) and "db roles" in said.message and "as wanted" in said.message
    for work in (
        Ingest(reader).samples([sample("host0", NOW)], fresh=True),
        Ingest(reader).findings([HostFinding("host0", NOW, Finding("drives", SectionStatus.ABSENT))]),
        Ingest(reader).transitions([Transition("host0", NOW, HostState.UNKNOWN, HostState.ONLINE)]),
        sync_hosts(reader, [Host("host0")]),
        StorageAudit(reader).intent(action="x", actor="y", plan={}),
        alerts.store(reader, [ALERT], [("host0", STEP)]),
        StorageChunks(reader).run_job(view.jobs[0].job_id),
    ):
        said = await refused(work)
        assert isinstance(said, DatabaseOperationError), said
    chunk = (await read_chunks(reader, "host_samples"))[0]
    assert isinstance(await refused(StorageChunks(reader).drop(chunk)), InfrastructureException)
    async with EventBus() as bus:
        ways = operations(reader, bus)
        plan = await ways.plan(PlanRequest("retention.run"))
        assert "may look and not write" in plan.refused and "db roles" in plan.refused
        with pytest.raises(BusinessLogicError, match="may look and not write"):
            ways.gate.unlock(60)
    assert await tables(world.owner) == before


async def test_a_readers_console_looks_on(world: World, tmp_path: Path) -> None:
    reader = await world.login("reader")
    assert reader.settings.url is not None
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    settings = load_settings(
        {"database.url": reader.settings.url.get_secret_value()}, folders | {"HOME": str(tmp_path)}
    )
    await Ingest(world.owner).samples([sample("host0", datetime.now(UTC))], fresh=True)
    roles: list[tuple[PollerRole, str]] = []

    async def on_role(role: PollerRole, detail: str) -> None:
        roles.append((role, detail))

    live, gate = LiveState(SystemClock()), Gate()
    async with EventBus() as bus:
        lane = StorageLane(
            settings, bus=bus, live=live, gate=gate, clock=SystemClock(), say=lambda line: None, on_role=on_role,
            world=None,
        )  # fmt: skip
        running = asyncio.create_task(lane.run())
        async with asyncio.timeout(30):
            while not any(view.sample for view in live.current().hosts):
                assert not running.done()
                await asyncio.sleep(0.05)
        lock = PollerLock(world.owner)
        assert await lock.acquire()  # nobody holds it: the reader never asked for it
        await lock.release()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await lane.stop()
    assert [role for role, _ in roles] == [PollerRole.VIEWER] and "may look and not write" in roles[0][1]
    with pytest.raises(BusinessLogicError, match="may look and not write"):
        gate.unlock(60)


async def sessions(database: Database) -> tuple[SessionInfo, ...]:
    async with database.connect("look at the sessions") as connection:
        return (await read_activity(database, connection)).sessions


async def test_a_writer_stores_and_drops_nothing(world: World) -> None:
    writer, before = await world.login("writer"), await tables(world.owner)
    can = writer.capability
    assert can is not None and (can.may_write, can.may_maintain) == (True, False)
    await prepare(writer, lambda line: None)
    lock = PollerLock(writer)
    assert await lock.acquire()
    ingest = Ingest(writer)
    far = NOW + 20 * DAY  # no partition is there for it, and a writer makes none
    batch = [sample("new", NOW), sample("new", far), sample("host0", NOW - timedelta(hours=30, seconds=7))]
    for fresh in (True, False):
        await ingest.samples(batch, fresh=fresh)
    await ingest.transitions([Transition("new", NOW, HostState.UNKNOWN, HostState.ONLINE)])
    await ingest.findings([HostFinding("new", NOW, Finding("drives", SectionStatus.ABSENT))])
    await sync_hosts(writer, [Host("new", "10.0.0.9"), Host("newer")])
    for _ in range(2):  # added, then changed
        await alerts.store(writer, [ALERT], [("host0", STEP)])
    assert await StorageAudit(writer).intent(action="x", actor="y", plan={})
    await Housekeeper(writer).run_due()
    after = await tables(world.owner)
    assert after["host_samples"] == before["host_samples"] + 3 and after["hosts"] == 3 and after["audit"] == 1
    jobs = (await writer.view()).jobs
    assert all(job.last_ok is not False for job in jobs if not writer.timescale)
    await lock.release()

    assert isinstance(await refused(initialise(writer)), BusinessLogicError)
    async with EventBus() as bus:
        ways = operations(writer, bus)
        assert not ways.gate.read_only
        for request in (PlanRequest("retention.run"), PlanRequest("table.analyze", {"table": "host_samples"})):
            plan = await ways.plan(request)
            assert "does not own" in plan.refused and "maintainer" in plan.refused
        # Whose statements a role may not see it is told so, and it ends no session of theirs.
        owners = next(s for s in await sessions(writer) if s.application == "jumpwatch" and s.hidden)
        assert owners.query == "" and not owners.may_signal
        plan = await ways.plan(PlanRequest("session.terminate", {"pid": owners.pid}))
        assert "no member of it" in plan.refused or "superuser" in plan.refused
        assert any("pg_read_all_stats" in warning for warning in plan.warnings)
    keeper = StorageChunks(writer)
    old = (await keeper.chunks("host_samples"))[0]
    await refused(keeper.drop(old))
    for statement in ("DELETE FROM host_samples", "UPDATE audit SET actor = 'z'", "TRUNCATE transitions"):
        with pytest.raises(DatabaseOperationError, match="db roles"):
            async with writer.connect("by hand") as connection:
                await connection.execute(text(statement))
    if writer.timescale:
        await refused(keeper.compress(old))
    assert old in await StorageChunks(world.owner).chunks("host_samples")


async def test_a_maintainer_compresses_drops_and_upgrades(world: World) -> None:
    maintainer = await world.login("maintainer")
    can = maintainer.capability
    assert can is not None and (can.may_write, can.may_maintain) == (True, True)
    assert all(step.ok for step in await initialise(maintainer))
    await Ingest(maintainer).samples([sample("host0", NOW + 20 * DAY)], fresh=True)
    keeper = StorageChunks(maintainer)
    first, second, *_ = await keeper.chunks("host_samples")
    async with EventBus() as bus:
        ways = operations(maintainer, bus)
        if maintainer.timescale:
            plan = await ways.plan(PlanRequest("chunk.compress", {"chunk": first.name}))
            assert (await ways.apply(plan, plan.confirm, "anna")).ok
            job = next(job for job in (await maintainer.view()).jobs if "Retention" in job.name and job.hypertable)
            plan = await ways.plan(PlanRequest("job.run", {"job_id": job.job_id}))
            assert (await ways.apply(plan, plan.confirm, "anna")).ok
            async with world.owner.driver() as raw:  # a job of somebody else's, which its owner alone may run
                await raw.execute("CREATE PROCEDURE theirs(job_id int, config jsonb) LANGUAGE sql AS 'SELECT 1'")
                number = await raw.fetchval("SELECT add_job('theirs', '1 day', scheduled => false)")
            for action in ("job.run", "job.fix", "job.resume"):
                plan = await ways.plan(PlanRequest(action, {"job_id": number}))
                assert f"job {number} belongs to the role" in plan.refused and "GRANT" in plan.refused
        plan = await ways.plan(PlanRequest("table.analyze", {"table": "host_samples"}))
        assert (await ways.apply(plan, plan.confirm, "anna")).ok
    await keeper.drop(second)
    assert second.name not in {chunk.name for chunk in await keeper.chunks("host_samples")}
    # What a maintainer made, another one and the owner can drop.
    made = max(await keeper.chunks("host_samples"), key=lambda chunk: chunk.end)
    async with world.owner.connect() as connection:
        owners = await connection.execute(
            text("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE oid IN ('host_samples'::regclass, "
                 "CAST(CAST(:name AS text) AS regclass))"),
            {"name": made.name},
        )  # fmt: skip
        assert len(list(owners)) == 1
    reader = await world.login("reader")
    assert await count(reader, "host_samples") == await count(world.owner, "host_samples")


async def test_a_login_without_a_role_is_told_the_way(world: World) -> None:
    nobody = await world.login("nobody")
    said = await refused(nobody.open())
    assert "permission denied" in said.message and "db roles" in said.message
    assert (await nobody.view()).state is DatabaseState.AWAY


async def test_a_schema_that_is_behind_is_told_to_who_cannot_change_it(world: World) -> None:
    async with world.owner.connect() as connection:
        await connection.execute(text("UPDATE jumpwatch_schema SET version_num = '0001'"))
    reader = await world.login("reader")
    with pytest.raises(ConfigurationError, match=r"at revision 0001.*db init"):
        await prepare(reader, lambda line: None)
    assert "0001" in (await refused(initialise(reader))).message


FACTS = Facts(
    'we"ird', "own er", False, StorageMode.PARTITIONS, [("hosts", "r"), ("audit", "r"), ("audit_default", "r")]
)


def test_names_are_quoted_and_a_superusers_rights_are_not_given_on() -> None:
    script = render(FACTS, "It's")
    assert 'GRANT CONNECT ON DATABASE "we""ird" TO "It\'s_reader";' in script
    assert 'GRANT "own er" TO "It\'s_maintainer";' in script
    assert "public.audit, public.audit_default TO" in script and "INSERT, UPDATE ON TABLE public.hosts TO" in script
    taken = render(replace(FACTS, superuser=True), "jw")
    assert '"own er"' not in taken and "ALTER TABLE public.audit_default OWNER TO jw_owner;" in taken
    assert "GRANT jw_owner TO jw_maintainer;" in taken
    for bad in ("", "a" * 60, "x$jumpwatch$", "a\nb", "pg_x"):
        with pytest.raises(ValidationError):
            names_of(bad)
    with pytest.raises(ValidationError):
        render(replace(FACTS, database="x\nDROP"), "jw")


async def test_a_writer_stores_looks_and_one_of_before_the_upgrade_may_only_look(world: World) -> None:
    writer = await world.login("writer")
    await Ingest(writer).items([look("host0")], fresh=True)
    assert await count(world.owner, "container_samples") == 2 and await count(world.owner, "unit_samples") == 1
    async with world.owner.driver() as raw:  # as an upgrade leaves it, until the script has run again
        await raw.execute(f'REVOKE INSERT ON unit_samples FROM "{world.prefix}_writer"')
    can = await writer.refresh_capability()
    assert not can.may_write and "db roles" in can.why_no_write
