"""Alerts in the running console, over a real database: kept over restarts, said at one console and heard at another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from console.composition import alerting
from console.composition.alerting import Alerting
from core.events import LOUD, AlertAcknowledged, AlertRaised, AlertResolved, BaseEvent, EventBus, Notice
from core.live_state import LiveState
from core.models import (
    DatabaseState,
    DatabaseView,
    DriveFigures,
    Finding,
    Host,
    HostFinding,
    HostState,
    SectionStatus,
    Transition,
)
from core.models import PollerRole as Role
from core.ports import SystemClock
from core.storage import alerts as stored
from core.storage.engine import Database

KEY = "drive-failing\tnas\t/dev/sda"


class Console:
    """The live state, the bus and the alerts of one console; its host has a failing drive."""

    def __init__(self, held: list[Database], role: Role, rules: Path | None = None) -> None:
        self.clock, self.bus = SystemClock(), EventBus()
        self.live = LiveState(self.clock)
        self.held, self.paused = held, False
        self.alerts = Alerting(
            self.live, self.bus, self.clock, rules_file=rules, interval_s=10.0, actor="anna", fresh=False
        )
        self.alerts.attach(lambda: self.held[0] if self.held else None, lambda: self.paused)
        self.alerts.set_role(role)
        self.events: list[BaseEvent] = []
        self.live.set_hosts([Host("nas")])
        self.live.apply_transition(Transition("nas", self.clock.now(), HostState.UNKNOWN, HostState.ONLINE))
        self.drive(failing=role is Role.POLLER)

    def drive(self, *, failing: bool) -> None:
        """The drive says how it is."""
        told = (DriveFigures("/dev/sda", "ata", passed=not failing),)
        found = Finding("drives", SectionStatus.OK, told)
        self.live.apply_finding(HostFinding("nas", self.clock.now(), found))

    @property
    def shown(self) -> dict[str, str]:
        """What stands, and in which state."""
        return {alert.key: alert.state.value for alert in self.live.current().alerts}

    def of(self, kind: type[BaseEvent]) -> list[BaseEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def running(console: Console) -> AsyncIterator[Console]:
    async with console.bus:
        console.bus.subscribe(LOUD, console.events.append)
        task = asyncio.create_task(console.alerts.run())
        try:
            yield console
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that looks more often, so that the tests need not wait."""
    for name in ("_LOOK_S", "_SAID_S", "_RULES_S", "_RETRY_S"):
        monkeypatch.setattr(alerting, name, 0.05)


async def test_a_restart_keeps_what_was_said_and_tells_nothing_anew(database: Database) -> None:
    async with running(Console([database], Role.POLLER)) as first:
        await until(lambda: first.shown == {KEY: "raised"} and first.of(AlertRaised))
        await first.alerts.acknowledge([KEY], "a drive is ordered")
        assert first.shown == {KEY: "acknowledged"}
        await until(lambda: first.of(AlertAcknowledged))
    async with running(Console([database], Role.POLLER)) as second:
        await until(lambda: second.shown == {KEY: "acknowledged"})
        (alert,) = second.live.current().alerts
        assert alert.note == "a drive is ordered" and [c.change for c in alert.changes] == ["raised", "acknowledged"]
        second.drive(failing=False)
        await until(lambda: second.shown == {KEY: "resolved"})
        await until(lambda: second.of(AlertResolved))
        assert not second.of(AlertRaised)
        steps: list[str] = []
        async with asyncio.timeout(60):
            while "resolved" not in steps:
                async with database.connect() as connection:
                    rows = await connection.execute(text("SELECT change FROM alert_changes ORDER BY change_id"))
                    steps = list(rows.scalars())
                await asyncio.sleep(0.02)
        assert steps == ["raised", "acknowledged", "resolved"]


async def test_a_viewer_shows_the_pollers_alerts_and_what_is_said_there_is_heard(database: Database) -> None:
    if database.single_session:
        pytest.skip("this engine takes one session")
    async with (
        running(Console([database], Role.POLLER)) as poller,
        running(Console([database], Role.VIEWER)) as viewer,
    ):
        await until(lambda: viewer.shown == {KEY: "raised"})
        assert not viewer.of(AlertRaised)  # its view is the database's; the one that polls tells
        await viewer.alerts.acknowledge([KEY], "seen from the other desk")
        await until(lambda: poller.shown == {KEY: "acknowledged"})
        assert poller.live.current().alerts[0].note == "seen from the other desk"
        until_then = poller.clock.now() + timedelta(hours=1)
        await viewer.alerts.silence([KEY], until_then, "quiet")
        await until(lambda: poller.shown == {KEY: "silenced"})
        await viewer.alerts.unsilence([KEY])
        await until(lambda: poller.shown == {KEY: "acknowledged"})


async def test_what_came_while_the_database_was_away_is_stored_when_it_is_there(database: Database) -> None:
    console = Console([], Role.POLLER)
    async with running(console):
        console.live.set_standing(database=DatabaseView(DatabaseState.STARTING))
        await asyncio.sleep(0.2)
        assert not console.shown  # not before it is known what stood already
        console.live.set_standing(database=DatabaseView(DatabaseState.AWAY))
        await until(lambda: console.shown == {KEY: "raised"})
        with pytest.raises(alerting.BusinessLogicError, match="no database"):
            await console.alerts.acknowledge([KEY], "x")
        console.held.append(database)
        async with asyncio.timeout(60):
            while [alert.key for alert in await stored.load(database)] != [KEY]:
                await asyncio.sleep(0.02)
        assert len(console.of(AlertRaised)) == 1


async def test_rules_are_taken_as_the_file_changes_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    console = Console([], Role.POLLER, path)
    console.live.set_standing(database=DatabaseView(DatabaseState.NONE))
    async with running(console):
        await until(lambda: console.shown == {KEY: "raised"})
        path.write_text('[[rules]]\nname = "drive-failing"\nonn = false\n')
        await until(lambda: any("do you mean on?" in e.summary() for e in console.of(Notice)))
        assert console.shown == {KEY: "raised"}
        path.write_text('[[rules]]\nname = "drive-failing"\non = false\n# mended\n')
        await until(lambda: console.shown == {KEY: "resolved"})


async def test_no_look_while_paused(database: Database) -> None:
    console = Console([database], Role.POLLER)
    console.paused = True
    async with running(console):
        await asyncio.sleep(0.3)
        assert not console.shown
        console.paused = False
        await until(lambda: console.shown == {KEY: "raised"})
        (alert,) = console.live.current().alerts
        assert replace(alert, changes=()).title == "drive or array fails"
