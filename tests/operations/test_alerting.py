"""What is said of alerts as operations: planned, gated, audited, stale where somebody was there before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core.config import RetentionSettings
from core.events import EventBus
from core.exceptions import BusinessLogicError, DatabaseConnectionError, ResourceNotFoundError, ValidationError
from core.models import Alert, PlanRequest
from core.models.alerts import alert_key
from core.operations import Gate, Operations
from core.operations.alerting import request_of
from tests.operations.fakes import NOW, TIMESCALE, FakeAudit, FakeKeeper, HandClock

A, B = alert_key("disk-full", "web1", "/var"), alert_key("host-away", "db1", "")


def alert(key: str, rule: str, host: str, item: str) -> Alert:
    return Alert(key, rule, host, item, "warning", f"{item} 92% full", NOW - timedelta(hours=1), NOW)


class Book:
    """The port AlertKeeper over a dictionary; ``fail`` is raised instead of a change."""

    def __init__(self) -> None:
        self.held = {A: alert(A, "disk-full", "web1", "/var"), B: alert(B, "host-away", "db1", "")}
        self.fail: DatabaseConnectionError | None = None

    async def alerts(self) -> tuple[Alert, ...]:
        return tuple(self.held.values())

    async def acknowledge(self, keys: Sequence[str], note: str) -> None:
        self._change(keys, acked=NOW, acked_by="me", note=note)

    async def silence(self, keys: Sequence[str], until: datetime, note: str) -> None:
        self._change(keys, silenced=NOW, silenced_until=until, note=note)

    async def unsilence(self, keys: Sequence[str]) -> None:
        self._change(keys, silenced=None, silenced_until=None)

    def _change(self, keys: Sequence[str], **changes: object) -> None:
        if self.fail:
            raise self.fail
        for key in keys:
            self.held[key] = replace(self.held[key], **changes)  # type: ignore[arg-type]


class Bench:
    def __init__(self, bus: EventBus) -> None:
        self.book, self.audit, self.clock = Book(), FakeAudit(), HandClock()
        self.gate = Gate(read_only=False, clock=self.clock)
        self.capability = TIMESCALE
        self.operations = Operations(
            FakeKeeper([]), self.audit, RetentionSettings(), bus, gate=self.gate,
            capability=lambda: self.capability, clock=self.clock, alerts=self.book,
        )  # fmt: skip


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with EventBus() as bus:
        yield Bench(bus)


async def test_two_alerts_are_acknowledged_by_one_plan(bench: Bench) -> None:
    request = request_of("alert.ack", [A, B], note="a disk is ordered")
    plan = await bench.operations.plan(request)
    assert not plan.refused and not plan.destructive and plan.confirm == "ack"
    assert [t.name for t in plan.targets] == ["disk-full web1 /var", "host-away db1"]
    assert plan.statements[0] == "alert, disk-full web1 /var: acknowledged, note = 'a disk is ordered'"
    assert plan.summary == "would acknowledge 2 alerts" and "92% full" in plan.targets[0].note
    assert not any(each.acked for each in bench.book.held.values())
    outcome = await bench.operations.apply(plan, "ack", "tester")
    assert outcome.ok and len(outcome.done) == 2
    assert all(each.note == "a disk is ordered" for each in bench.book.held.values())
    assert [row[0] for row in bench.audit.rows] == ["intent", "outcome"]
    assert bench.audit.rows[0][2]["arguments"]["note"] == "a disk is ordered"  # type: ignore[index]


async def test_a_silence_has_an_end_and_is_taken_back(bench: Bench) -> None:
    until = NOW + timedelta(hours=2)
    plan = await bench.operations.plan(request_of("alert.silence", [A], until=until.isoformat(), note="copying"))
    assert plan.confirm == "silence" and plan.summary == "would silence 1 alert until 2030-06-15 14:00 UTC"
    assert (await bench.operations.apply(plan, "silence", "tester")).ok
    assert bench.book.held[A].silenced_until == until and bench.book.held[B].silenced_until is None
    plan = await bench.operations.plan(request_of("alert.unsilence", [A]))
    assert (await bench.operations.apply(plan, "unsilence", "tester")).ok
    assert bench.book.held[A].silenced_until is None
    assert "none of these" in (await bench.operations.plan(request_of("alert.unsilence", [A]))).refused


async def test_a_plan_goes_stale_when_somebody_else_has_spoken(bench: Bench) -> None:
    plan = await bench.operations.plan(request_of("alert.ack", [A], note="mine"))
    await bench.book.acknowledge([A], "theirs")
    with pytest.raises(BusinessLogicError, match="stale"):
        await bench.operations.apply(plan, "ack", "tester")
    assert bench.book.held[A].note == "theirs" and not bench.audit.rows


async def test_what_is_refused(bench: Bench) -> None:
    with pytest.raises(ResourceNotFoundError, match="does not stand any more"):
        await bench.operations.plan(request_of("alert.ack", ["gone\thost\t"], note="x"))
    bench.book.held[B] = replace(bench.book.held[B], resolved=NOW)
    with pytest.raises(ResourceNotFoundError):
        await bench.operations.plan(request_of("alert.ack", [B], note="x"))
    for request in (
        request_of("alert.ack", [A]),
        request_of("alert.ack", [A], note="x" * 501),
        request_of("alert.silence", [A]),
        request_of("alert.silence", [A], until="noon"),
        request_of("alert.silence", [A], until=(NOW - timedelta(minutes=1)).isoformat()),
        request_of("alert.silence", [A], until=(NOW + timedelta(days=400)).isoformat()),
        PlanRequest("alert.ack", {"alerts": A, "note": "x", "until": "y"}),
    ):
        with pytest.raises(ValidationError):
            await bench.operations.plan(request)
    bench.gate.lock()
    assert "read-only" in (await bench.operations.plan(request_of("alert.ack", [A], note="x"))).refused
    bench.capability = replace(TIMESCALE, may_write=False)
    assert "may look and not write" in (await bench.operations.plan(request_of("alert.ack", [A], note="x"))).refused
    bench.capability = replace(TIMESCALE, owner=False)  # a writer may
    bench.gate.unlock(60)
    assert not (await bench.operations.plan(request_of("alert.ack", [A], note="x"))).refused


async def test_a_database_that_goes_away_fails_each_of_them_and_says_why(bench: Bench) -> None:
    plan = await bench.operations.plan(request_of("alert.ack", [A, B], note="x"))
    bench.book.fail = DatabaseConnectionError("the database is gone")
    outcome = await bench.operations.apply(plan, "ack", "tester")
    assert not outcome.ok and outcome.failed[0] == ("disk-full web1 /var", "the database is gone")
    assert not any(each.acked for each in bench.book.held.values())
