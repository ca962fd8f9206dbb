"""Operations over real databases: the exact targets are hit, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.events import EventBus
from core.exceptions import BusinessLogicError
from core.models import PlanRequest
from core.operations import Gate, Operations
from core.storage.audit import StorageAudit
from core.storage.chunks import StorageChunks
from core.storage.engine import Database
from core.storage.partitions import ensure_partitions

DAYS = 36


@pytest.fixture
async def operations(database: Database) -> AsyncIterator[Operations]:
    now = datetime.now(UTC)
    if not database.timescale:
        await ensure_partitions(database, "host_samples", now - timedelta(days=DAYS), now)
    async with database.connect("fill") as connection:
        await connection.execute(
            text(
                "INSERT INTO host_samples (host_id, ts, cpu_pct) SELECT h, t, 1 FROM generate_series(1, 3) h, "
                "generate_series(CAST(:start AS timestamptz), CAST(:stop AS timestamptz), interval '30 minutes') t"
            ),
            {"start": now - timedelta(days=DAYS), "stop": now},
        )
    async with EventBus() as bus:
        yield Operations(
            StorageChunks(database), StorageAudit(database), database.retention, bus,
            gate=Gate(read_only=False), capability=lambda: database.capability,
        )  # fmt: skip


async def raw_rows(database: Database) -> int:
    async with database.connect("count") as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM host_samples")) or 0)


async def test_retention_drops_the_planned_chunks_and_the_audit_tells(
    operations: Operations, database: Database
) -> None:
    keeper, before = StorageChunks(database), await raw_rows(database)
    cut = datetime.now(UTC) - timedelta(days=30)
    plan = await operations.plan(PlanRequest("retention.run"))
    old = {c.name for c in await keeper.chunks() if c.end <= cut}
    assert {t.name for t in plan.targets} == old and len(old) >= 5 and not plan.refused
    assert await raw_rows(database) == before  # a plan changes nothing

    outcome = await operations.apply(plan, "retention", "tester")
    assert outcome.ok, outcome.summary
    assert not old & {c.name for c in await keeper.chunks()}
    async with database.connect("look") as connection:
        oldest = await connection.scalar(text("SELECT min(ts) FROM host_samples"))
        hours = await connection.scalar(text("SELECT count(*) FROM host_samples_1h WHERE bucket < :cut"), {"cut": cut})
    assert cut - timedelta(days=1) <= oldest < cut + timedelta(days=1)
    assert hours >= 3 * 24 * len(old) - 72  # what was dropped lives on in the rollup

    (entry,) = await StorageAudit(database).recent()
    assert (entry.audit_id, entry.actor, entry.action) == (outcome.audit_id, "tester", "retention.run")
    assert entry.ok and entry.ended is not None and len(entry.plan["targets"]) == len(old)  # type: ignore[arg-type]
    assert (await operations.plan(PlanRequest("retention.run"))).refused.startswith("nothing to do")
    with pytest.raises(BusinessLogicError):
        await operations.apply(plan, "retention", "tester")  # the same plan twice


async def test_compression_where_the_server_has_it(operations: Operations, database: Database) -> None:
    keeper = StorageChunks(database)
    request = PlanRequest("chunk.compress-older", {"hypertable": "host_samples"})
    plan = await operations.plan(request)
    if not database.timescale:
        assert "needs TimescaleDB" in plan.refused
        return
    assert plan.confirm == "host_samples" and len(plan.targets) >= 30
    outcome = await operations.apply(plan, plan.confirm, "tester")
    assert outcome.ok and outcome.before_bytes and outcome.after_bytes and outcome.after_bytes < outcome.before_bytes
    by_name = {c.name: c for c in await keeper.chunks("host_samples")}
    assert all(by_name[target.name].compressed for target in plan.targets)
    assert (await operations.plan(request)).refused.startswith("nothing to do")

    one = plan.targets[0].name
    back = await operations.plan(PlanRequest("chunk.decompress", {"chunk": one}))
    assert (await operations.apply(back, back.confirm, "tester")).ok
    assert not next(c for c in await keeper.chunks("host_samples") if c.name == one).compressed
    again = await operations.plan(PlanRequest("chunk.compress", {"chunk": one}))
    assert (await operations.apply(again, again.confirm, "tester")).ok


async def test_the_shown_statement_is_what_the_server_takes(operations: Operations, database: Database) -> None:
    """The SQL in a plan is no decoration: run by hand it does the same."""
    keeper = StorageChunks(database)
    if database.timescale:
        plan = await operations.plan(
            PlanRequest("chunk.compress", {"chunk": (await keeper.chunks("host_samples"))[3].name})
        )
        async with database.maintenance(operation="by hand") as connection:
            await connection.execute(text(plan.statements[0]))
        assert (await operations.plan(plan.request)).refused.endswith("compressed already")
    plan = await operations.plan(PlanRequest("retention.run"))
    async with database.maintenance(operation="by hand") as connection:
        for statement in plan.statements[0].split("; "):
            await connection.execute(text(statement.replace(":", r"\:")))
    assert plan.targets[0].name not in {c.name for c in await keeper.chunks()}
