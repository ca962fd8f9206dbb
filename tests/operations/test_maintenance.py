"""Maintenance as an operation: planned over the inventory, gated, hashed, audited, written once for all hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.config import RetentionSettings
from core.events import EventBus
from core.exceptions import BusinessLogicError, ResourceNotFoundError, ValidationError
from core.inventory import Inventory
from core.inventory.keeper import InventoryFile, set_maintenance
from core.models import Host, PlanRequest
from core.operations import Gate, Operations
from tests.operations.fakes import NOW, TIMESCALE, FakeAudit, FakeKeeper, HandClock

UNTIL = NOW + timedelta(hours=2)
ON = PlanRequest("maintenance.on", {"hosts": "a b", "until": UNTIL.isoformat()})
OFF = PlanRequest("maintenance.off", {"hosts": "a"})


class Bench:
    """Operations over a real hosts.toml, with the audit in memory."""

    def __init__(self, bus: EventBus, path: Path) -> None:
        self.path, self.audit, self.clock = path, FakeAudit(), HandClock()
        self.gate = Gate(read_only=False, clock=self.clock)
        self.capability = TIMESCALE
        with Inventory.edit(path) as inventory:
            for name in ("a", "b", "c"):
                inventory.add(Host(name))
        self.operations = Operations(
            FakeKeeper([]), self.audit, RetentionSettings(), bus, gate=self.gate,
            capability=lambda: self.capability, clock=self.clock, inventory=InventoryFile(path),
        )  # fmt: skip

    def hosts(self) -> dict[str, Host]:
        return {host.name: host for host in Inventory.load(self.path).hosts}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with EventBus() as bus:
        yield Bench(bus, tmp_path / "hosts.toml")


async def test_on_and_off_are_planned_written_and_audited(bench: Bench) -> None:
    plan = await bench.operations.plan(ON)
    assert [t.name for t in plan.targets] == ["a", "b"] and plan.confirm == "maintenance" and not plan.refused
    assert plan.statements[0] == f"inventory, a: maintenance = true, maintenance_until = {UNTIL.isoformat()}"
    assert "2 hosts into maintenance until 2030-06-15 14:00 UTC" in plan.summary
    assert not any(host.maintenance for host in bench.hosts().values())
    outcome = await bench.operations.apply(plan, "maintenance", "tester")
    assert outcome.ok and outcome.done == ("a", "b") and outcome.correlation_id == ON.correlation_id
    assert bench.hosts()["a"] == Host("a", maintenance=True, maintenance_until=UNTIL) and bench.hosts()["c"] == Host(
        "c"
    )
    assert [row[0] for row in bench.audit.rows] == ["intent", "outcome"]
    plan = await bench.operations.plan(OFF)
    assert plan.confirm == "a" and "until 2030-06-15 14:00 UTC" in plan.targets[0].note
    assert (await bench.operations.apply(plan, "a", "tester")).ok
    assert bench.hosts()["a"] == Host("a")


async def test_a_plan_goes_stale_when_somebody_else_was_there(bench: Bench) -> None:
    plan = await bench.operations.plan(ON)
    set_maintenance(bench.path, ["b"], True)
    with pytest.raises(BusinessLogicError, match="stale"):
        await bench.operations.apply(plan, "maintenance", "tester")
    assert not bench.hosts()["a"].maintenance and not bench.audit.rows


async def test_what_is_refused(bench: Bench) -> None:
    assert "none of these" in (await bench.operations.plan(OFF)).refused
    late = PlanRequest("maintenance.on", {"hosts": "a", "until": NOW.isoformat()})
    assert "passed already" in (await bench.operations.plan(late)).refused
    set_maintenance(bench.path, ["a"], True, NOW - timedelta(seconds=1))  # it has ended by itself
    assert "none of these" in (await bench.operations.plan(OFF)).refused
    bench.gate.lock()
    assert "read-only" in (await bench.operations.plan(ON)).refused
    bench.capability = replace(TIMESCALE, may_write=False)
    assert (await bench.operations.plan(ON)).refused
    with pytest.raises(ResourceNotFoundError, match="no host 'x'"):
        await bench.operations.plan(PlanRequest("maintenance.on", {"hosts": "a x"}))
    for arguments in ({"hosts": "a", "until": "noon"}, {"hosts": "a", "until": "2030-01-01T00:00:00"}, {}):
        with pytest.raises(ValidationError):
            await bench.operations.plan(PlanRequest("maintenance.on", arguments))


async def test_a_file_that_cannot_be_written_fails_each_host_and_says_why(bench: Bench) -> None:
    plan = await bench.operations.plan(ON)
    (bench.path.parent / ".hosts.toml.lock").unlink()
    (bench.path.parent / ".hosts.toml.lock").mkdir()
    outcome = await bench.operations.apply(plan, "maintenance", "tester")
    assert not outcome.ok and [name for name, _ in outcome.failed] == ["a", "b"]
    assert "cannot be changed" in outcome.failed[0][1]
