"""Plan and apply: exact targets, confirmation, staleness, failures, audit, events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from console.formatting import short_bytes
from core.config import RetentionSettings
from core.events import ActionFinished, ActionStarted, BaseEvent, EventBus
from core.exceptions import (
    BusinessLogicError,
    DatabaseConnectionError,
    DatabaseOperationError,
    ResourceNotFoundError,
    ValidationError,
)
from core.models import Capability, Outcome, PlanRequest
from core.operations import Gate, Operations
from core.operations.catalog import change_in_words, compress_statement
from tests.operations.fakes import PLAIN, TIMESCALE, FakeAudit, FakeKeeper, HandClock, chunk

OLDER = PlanRequest("chunk.compress-older")
RETENTION = PlanRequest("retention.run")


class Bench:
    """An Operations over fakes, with what it emitted."""

    def __init__(self, bus: EventBus, keeper: FakeKeeper, capability: Capability | None = TIMESCALE) -> None:
        self.keeper, self.audit, self.clock = keeper, FakeAudit(), HandClock()
        self.gate = Gate(read_only=False, clock=self.clock)
        self.bus, self.events = bus, []  # type: ignore[var-annotated]
        self.capability = capability
        bus.subscribe(BaseEvent, self.events.append, name="test")
        self.operations = Operations(
            keeper, self.audit, RetentionSettings(), bus,
            gate=self.gate, capability=lambda: self.capability, clock=self.clock,
        )  # fmt: skip

    async def do(self, request: PlanRequest, **kwargs: Any) -> Outcome:
        plan = await self.operations.plan(request)
        return await self.operations.apply(plan, plan.confirm, "tester", **kwargs)


@pytest.fixture
async def bus() -> AsyncIterator[EventBus]:
    async with EventBus() as running:
        yield running


def days(*ages: int, table: str = "host_samples") -> FakeKeeper:
    return FakeKeeper([chunk(age, table) for age in ages])


async def test_a_plan_changes_nothing_and_says_everything(bus: EventBus) -> None:
    bench = Bench(bus, days(0, 1, 2, 3, 5))
    before = list(bench.keeper.held)
    plan = await bench.operations.plan(OLDER)
    assert [t.name for t in plan.targets] == [c.name for c in (chunk(5), chunk(3))]  # day 2 ended 1.5 days ago
    assert plan.statements == tuple(f"CALL convert_to_columnstore('{t.name}')" for t in plan.targets)
    assert plan.confirm == "compress-older" and not plan.destructive and not plan.refused
    assert "2 chunks of 1 table, 2.0 MiB" in plan.summary and "about 1000 rows" in plan.targets[0].note
    assert bench.keeper.held == before and bench.keeper.calls == [] and bench.audit.rows == []


def test_the_statement_is_the_one_that_the_server_has() -> None:
    old = replace(TIMESCALE, compress_call="SELECT compress_chunk", recompress_call="CALL recompress_chunk")
    whole, part = chunk(5, compressed=False), chunk(5, compressed=True, partial=True)
    assert compress_statement(whole, old) == f"SELECT compress_chunk('{whole.name}')"
    assert compress_statement(part, old) == f"CALL recompress_chunk('{part.name}')"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(458_752, 98_304, "448K → 96K, 4.7x"), (98_304, 458_752, "96K → 448K"), (5 << 30, 0, "5.0G → 0B"),
     (1023, 1000, "1.0K → 1.0K, 1.0x"), (7 << 50, 7 << 49, "7168T → 3584T, 2.0x")],
)  # fmt: skip
def test_a_change_of_size_is_said_once_as_the_lists_say_it(before: int, after: int, words: str) -> None:
    assert change_in_words(before, after) == words
    if after < 1 << 40 > before:
        assert words.split(",")[0] == f"{short_bytes(before)} → {short_bytes(after)}"


async def test_compress_older_leaves_done_ones_and_rollups(bus: EventBus) -> None:
    done = chunk(5, compressed=True, before_bytes=1000, after_bytes=100)
    partial = chunk(6, compressed=True, partial=True)
    bench = Bench(bus, FakeKeeper([done, partial, chunk(7), chunk(8, "host_samples_1m")]))
    plan = await bench.operations.plan(OLDER)
    assert [t.name for t in plan.targets] == [chunk(7).name, partial.name]
    assert "10.0x so far" in plan.summary


async def test_apply_compresses_measures_audits_and_tells(bus: EventBus) -> None:
    bench = Bench(bus, days(4, 5))
    seen: list[tuple[int, int, str]] = []
    outcome = await bench.do(OLDER, on_progress=lambda *step: seen.append(step))
    await asyncio.sleep(0.01)
    assert outcome.ok and len(outcome.done) == 2
    assert (outcome.before_bytes, outcome.after_bytes) == (2 << 20, 2 << 17)
    assert outcome.summary == "2 of 2 done, 2.0M → 256K, 8.0x"
    assert seen == [(0, 2, chunk(5).name), (1, 2, chunk(4).name), (2, 2, "")]
    (intent, outcome_row) = bench.audit.rows
    assert intent[0] == "intent" and intent[2]["actor"] == "tester" and len(intent[2]["statements"]) == 2  # type: ignore[index]
    assert outcome_row == ("outcome", intent[1], outcome)
    assert [type(e) for e in bench.events] == [ActionStarted, ActionFinished]
    assert bench.events[1].audit_id == outcome.audit_id and bench.events[1].ok


async def test_one_chunk_by_its_short_name(bus: EventBus) -> None:
    bench = Bench(bus, days(4, 5))
    plan = await bench.operations.plan(PlanRequest("chunk.compress", {"chunk": "host_samples_4_chunk"}))
    assert plan.confirm == "host_samples_4_chunk" and plan.targets[0].name == chunk(4).name
    await bench.operations.apply(plan, " host_samples_4_chunk ", "t")
    assert bench.keeper.calls == [("compress", chunk(4).name)]


async def test_a_chunk_in_the_wrong_state_is_refused(bus: EventBus) -> None:
    bench = Bench(bus, FakeKeeper([chunk(4, compressed=True), chunk(5)]))
    for action, age in (("chunk.compress", 4), ("chunk.decompress", 5)):
        plan = await bench.operations.plan(PlanRequest(action, {"chunk": chunk(age).name}))
        assert plan.refused
        with pytest.raises(BusinessLogicError):
            await bench.operations.apply(plan, plan.confirm, "t")
    assert bench.keeper.calls == [] and bench.audit.rows == []


async def test_an_open_chunk_warns(bus: EventBus) -> None:
    plan = await Bench(bus, days(0)).operations.plan(PlanRequest("chunk.compress", {"chunk": chunk(0).name}))
    assert "still being written" in plan.warnings[0]


async def test_retention_drops_only_what_is_past_its_time(bus: EventBus) -> None:
    held = [chunk(a) for a in (1, 29, 30, 31, 60)]
    held += [chunk(a, "host_samples_1m") for a in (100, 200)] + [chunk(a, "host_samples_1h") for a in (200, 1200)]
    bench = Bench(bus, FakeKeeper(held))
    plan = await bench.operations.plan(RETENTION)
    assert [t.name for t in plan.targets] == [
        c.name for c in (chunk(1200, "host_samples_1h"), chunk(200, "host_samples_1m"), chunk(60), chunk(31))
    ]
    assert plan.destructive and plan.confirm == "retention" and "cannot be undone" in plan.summary
    assert "drop_chunks('host_samples', older_than => '" in plan.statements[-1]
    outcome = await bench.operations.apply(plan, "retention", "t")
    assert outcome.ok and len(bench.keeper.held) == 5


async def test_nothing_to_do_is_said(bus: EventBus) -> None:
    bench = Bench(bus, days(1))
    for request in (RETENTION, OLDER):
        plan = await bench.operations.plan(request)
        assert plan.refused.startswith("nothing to do") and not plan.targets


async def test_mistyped_is_refused(bus: EventBus) -> None:
    bench = Bench(bus, days(40))
    plan = await bench.operations.plan(RETENTION)
    for typed in ("", "Retention", "retentio", "yes"):
        with pytest.raises(BusinessLogicError, match="type retention exactly"):
            await bench.operations.apply(plan, typed, "t")
    assert bench.keeper.calls == [] and bench.audit.rows == []


async def test_read_only_refuses_and_the_plan_says_so(bus: EventBus) -> None:
    bench = Bench(bus, days(40))
    bench.gate.lock()
    plan = await bench.operations.plan(RETENTION)
    assert "read-only" in plan.refused and plan.targets  # it can be looked at
    with pytest.raises(BusinessLogicError, match="read-only"):
        await bench.operations.apply(plan, plan.confirm, "t")
    bench.gate.unlock(60)
    assert (await bench.operations.apply(plan, plan.confirm, "t")).ok  # the same plan, once it may


def _changed(bench: Bench, change: str) -> None:
    if change == "more":
        bench.keeper.held.append(chunk(50))
    elif change == "gone":
        bench.keeper.held.pop()
    else:
        bench.keeper.held[0] = replace(bench.keeper.held[0], compressed=True)


@pytest.mark.parametrize(
    ("change", "words"), [("more", "1 new"), ("gone", "1 no longer"), ("state", "state of a target has changed")]
)
async def test_a_stale_plan_stops(bus: EventBus, change: str, words: str) -> None:
    bench = Bench(bus, days(40, 41))
    plan = await bench.operations.plan(RETENTION)
    _changed(bench, change)
    with pytest.raises(BusinessLogicError, match=words):
        await bench.operations.apply(plan, plan.confirm, "t")
    assert bench.keeper.calls == [] and bench.audit.rows == []


async def test_growing_bytes_do_not_make_a_plan_stale(bus: EventBus) -> None:
    bench = Bench(bus, days(40))
    plan = await bench.operations.plan(RETENTION)
    bench.keeper.held[0] = replace(bench.keeper.held[0], total_bytes=5 << 20, rows=9999)
    assert (await bench.operations.apply(plan, plan.confirm, "t")).ok


async def test_a_forged_plan_is_caught(bus: EventBus) -> None:
    bench = Bench(bus, days(40, 41))
    plan = await bench.operations.plan(PlanRequest("chunk.compress", {"chunk": chunk(40).name}))
    forged = replace(plan, request=RETENTION)
    with pytest.raises(BusinessLogicError, match="stale"):
        await bench.operations.apply(forged, forged.confirm, "t")
    assert bench.keeper.calls == []


async def test_a_failure_stops_what_destroys(bus: EventBus) -> None:
    bench = Bench(bus, days(40, 41, 42))
    bench.keeper.fail = {chunk(41).name: DatabaseOperationError("in use")}
    outcome = await bench.do(RETENTION)
    assert not outcome.ok and outcome.done == (chunk(42).name,) and outcome.failed == ((chunk(41).name, "in use"),)
    assert "1 of 3 done" in outcome.summary and "1 not done" in outcome.summary
    assert chunk(40) in bench.keeper.held


async def test_a_failure_does_not_stop_what_can_be_undone(bus: EventBus) -> None:
    bench = Bench(bus, days(4, 5, 6))
    bench.keeper.fail = {chunk(5).name: DatabaseOperationError("in use")}
    outcome = await bench.do(OLDER)
    assert not outcome.ok and len(outcome.done) == 2 and len(outcome.failed) == 1
    bench.keeper.fail = {chunk(5).name: DatabaseConnectionError("gone")}
    bench.keeper.held.append(chunk(4, "disk_samples"))
    outcome = await bench.do(OLDER)
    assert "1 not done" in outcome.summary  # without a database there is no going on


async def test_no_intent_no_action(bus: EventBus) -> None:
    bench = Bench(bus, days(40))
    bench.audit.broken = {"intent": DatabaseConnectionError("away")}
    with pytest.raises(DatabaseConnectionError):
        await bench.do(RETENTION)
    assert bench.keeper.calls == []


async def test_a_lost_outcome_row_is_said(bus: EventBus) -> None:
    bench = Bench(bus, days(40))
    bench.audit.broken = {"outcome": DatabaseConnectionError("away")}
    outcome = await bench.do(RETENTION)
    assert outcome.ok and "the audit has no outcome: away" in outcome.summary


async def test_being_cancelled_leaves_an_outcome(bus: EventBus) -> None:
    bench = Bench(bus, days(40, 41))
    bench.keeper.gate = asyncio.Event()
    task = asyncio.create_task(bench.do(RETENTION))
    while not bench.keeper.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    outcome = bench.audit.rows[-1][2]
    assert isinstance(outcome, Outcome) and not outcome.ok and "cut off" in outcome.summary
    bench.keeper.gate = None
    assert (await bench.do(RETENTION)).ok  # its claim on the targets is gone


async def test_two_actions_never_share_a_target(bus: EventBus) -> None:
    bench = Bench(bus, days(40, 41))
    bench.keeper.gate = asyncio.Event()
    task = asyncio.create_task(bench.do(RETENTION))
    while not bench.keeper.calls:
        await asyncio.sleep(0)
    plan = await bench.operations.plan(PlanRequest("chunk.compress", {"chunk": chunk(40).name}))
    with pytest.raises(BusinessLogicError, match="another action"):
        await bench.operations.apply(plan, plan.confirm, "t")
    bench.keeper.gate.set()
    assert (await task).ok


@pytest.mark.parametrize(
    ("capability", "words"),
    [(None, "not connected"), (PLAIN, "needs TimescaleDB"), (replace(TIMESCALE, licence="apache"), "needs TimescaleDB"),
     (replace(TIMESCALE, owner=False), "role watch does not own")],
)  # fmt: skip
async def test_what_the_server_cannot_do_is_refused_with_the_reason(
    bus: EventBus, capability: Capability | None, words: str
) -> None:
    bench = Bench(bus, days(5), capability)
    plan = await bench.operations.plan(OLDER)
    assert words in plan.refused
    with pytest.raises(BusinessLogicError, match=words):
        await bench.operations.apply(plan, plan.confirm, "t")


async def test_partitions_can_be_dropped_without_timescaledb(bus: EventBus) -> None:
    bench = Bench(bus, days(40), PLAIN)
    plan = await bench.operations.plan(RETENTION)
    assert plan.statements[0].startswith("ALTER TABLE host_samples DETACH PARTITION")
    assert (await bench.operations.apply(plan, plan.confirm, "t")).ok


async def test_jobs_and_tables(bus: EventBus) -> None:
    bench = Bench(bus, days(1))
    assert (await bench.do(PlanRequest("job.run", {"job_id": 1001}))).ok
    assert (await bench.do(PlanRequest("table.analyze", {"table": "host_samples"}))).ok
    assert bench.keeper.calls == [("job", "1001"), ("analyze", "host_samples")]
    plan = await bench.operations.plan(PlanRequest("job.run", {"job_id": 1001}))
    assert plan.confirm == "1001" and plan.statements == ("CALL run_job(1001)",)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [("chunk.eat", {}), ("chunk.compress", {}), ("chunk.compress", {"chunk": 3}), ("job.run", {"job_id": "1; DROP"}),
     ("job.run", {"job_id": True}), ("retention.run", {"force": True}), ("chunk.compress", {"chunk": "x", "y": 1})],
)  # fmt: skip
async def test_odd_requests_are_refused(bus: EventBus, action: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        await Bench(bus, days(1)).operations.plan(PlanRequest(action, arguments))


@pytest.mark.parametrize("request_", [PlanRequest("chunk.compress", {"chunk": "x'; DROP TABLE hosts; --"}),
                                      PlanRequest("chunk.compress-older", {"hypertable": "nothing"})])  # fmt: skip
async def test_what_is_not_there_is_not_found(bus: EventBus, request_: PlanRequest) -> None:
    with pytest.raises(ResourceNotFoundError):
        await Bench(bus, days(5)).operations.plan(request_)


def test_rollups_are_known_by_the_names_that_storage_gives_them() -> None:
    from core.operations.catalog import is_rollup
    from core.storage.schema import ROLLUPS, SAMPLE_TABLES

    assert all(is_rollup(rollup.name) for rollup in ROLLUPS)
    assert not any(is_rollup(table.name) for table in SAMPLE_TABLES)
