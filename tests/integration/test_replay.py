"""Time travel on a real database, with the real program polling on meanwhile."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.exceptions import BusinessLogicError
from core.inventory import Inventory
from core.models import DatabaseState, FleetView, Host, HostState, HostView, PlanRequest, Reason, Transition
from core.storage.history import write_history
from tests.integration.conftest import Walk, console
from tests.storage.made import sample

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = ("db", "web")


@pytest.fixture
def closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two hosts at a port where nobody listens."""
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "1")
    monkeypatch.setenv("JUMPWATCH_SSH_CONNECT_TIMEOUT_S", "2")
    path = home / ".config" / "jumpwatch" / "hosts.toml"
    with Inventory.edit(path) as hosts, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        for name in NAMES:
            hosts.add(Host(name, "127.0.0.1", free.getsockname()[1]))
        hosts.save()
    return path


def host(view: FleetView, name: str) -> HostView:
    return next(each for each in view.hosts if each.host.name == name)


async def told(walk: Walk, text: str) -> None:
    """Wait until a toast says it."""
    async with asyncio.timeout(60):
        while not any(text in toast.message for toast in walk.app._notifications):
            await walk.pilot.pause(0.02)


async def past(walk: Walk) -> datetime:
    """Write six hours that ended an hour ago, with ``web`` away in the middle; return when it went."""
    await walk.until(lambda v: v.database.state is DatabaseState.CONNECTED)
    running = walk.services._running
    assert running is not None
    async with asyncio.timeout(60):
        while (database := running.storage.database) is None:
            await asyncio.sleep(0.05)
    end = datetime.now(UTC).replace(second=0, microsecond=0) - HOUR
    went, back = end - 3 * HOUR, end - 2 * HOUR
    steps = [end - 6 * HOUR + MINUTE * n for n in range(361)]
    samples = [
        sample(name, at, number)
        for number, at in enumerate(steps)
        for name in NAMES
        if name == "db" or not went <= at < back
    ]
    states = [Transition(name, steps[0], HostState.UNKNOWN, HostState.ONLINE) for name in NAMES]
    states.append(Transition("web", went, HostState.ONLINE, HostState.OFFLINE, Reason.ROUTE, "no route to host"))
    states.append(Transition("web", back, HostState.OFFLINE, HostState.ONLINE))
    await write_history(database, [each.host for each in walk.view.hosts], samples, transitions=states)
    return went


async def test_the_past_is_shown_while_the_present_goes_on(closed: Path) -> None:
    async with console() as walk:
        await walk.until(lambda v: {h.host.name for h in v.hosts} == set(NAMES))
        went = await past(walk)
        await walk.until(lambda v: all(h.reason is Reason.PORT for h in v.hosts))
        walk.services.unlock(600)
        running = walk.services._running
        assert running is not None

        await walk.pilot.press("t")
        await walk.shown("Go to which time?")
        await walk.type(f"{went + 30 * MINUTE:%Y-%m-%d %H:%M}")
        await walk.pilot.press("enter")
        await walk.shown("REPLAY")
        await walk.until(lambda v: not v.live and v.past is not None and v.past.whole)
        view = walk.view
        assert view.at == went + 30 * MINUTE
        assert (host(view, "web").state, host(view, "web").since) == (HostState.OFFLINE, went)
        assert host(view, "web").detail == "no route to host"
        db = host(view, "db")
        assert db.state is HostState.ONLINE and db.sample is not None and db.sample.ts == view.at
        screen = await walk.shown("no route to host")
        assert "✗ offline" in screen and "● online" in screen

        # Nothing can be done from there, whoever asks.
        assert walk.services.read_only
        with pytest.raises(BusinessLogicError, match="this is the past"):
            walk.services.unlock(60)
        plan = await walk.services.plan(PlanRequest("table.analyze", {"table": "hosts"}))
        assert "this is the past" in plan.refused
        with pytest.raises(BusinessLogicError, match="this is the past"):
            await walk.services.apply(plan, plan.confirm)
        await walk.pilot.press("r")
        await told(walk, "goes back to live first")

        # Polling goes on meanwhile.
        attempts = host(running.live.current(), "web").failures
        async with asyncio.timeout(60):
            while host(running.live.current(), "web").failures <= attempts:
                await asyncio.sleep(0.05)
        assert walk.view.at == view.at and host(walk.view, "web").reason is Reason.ROUTE

        # Marks, gaps, and the plots of then.
        await walk.until(
            lambda _v: bool(walk.services.replay.timeline and walk.services.replay.timeline.gaps is not None)
        )
        await walk.pilot.press("full_stop")
        await walk.until(lambda v: v.at == went + HOUR and host(v, "web").state is HostState.ONLINE)
        walk.app.main.go(went + 220 * MINUTE)  # type: ignore[attr-defined]
        await walk.until(lambda v: v.past is not None and v.past.source == "")
        await walk.shown("no data at that time")
        assert {h.state for h in walk.view.hosts} == {HostState.UNKNOWN}
        await walk.until(lambda _v: bool(walk.services.replay.timeline and walk.services.replay.timeline.gaps))
        await walk.pilot.press("2", "z")
        await walk.shown("no data of this host in that time")
        walk.app.main.go(went + 90 * MINUTE)  # type: ignore[attr-defined]
        await walk.shown("every sample")
        screen = await walk.shown("CPU")
        assert f"{went + 75 * MINUTE:%H:%M:%S}" in screen

        await walk.pilot.press("1", "backslash")
        await walk.until(lambda v: v.live and all(h.reason is Reason.PORT for h in v.hosts))
        assert not walk.services.read_only
        await walk.shown("LIVE")


async def test_only_the_newest_wish_is_read_and_one_at_a_time(closed: Path) -> None:
    async with console() as walk:
        went = await past(walk)
        running = walk.services._running
        assert running is not None
        source, reading, most, asked = running.replay.source(), 0, 0, list[datetime]()
        read = source.fleet

        async def slow(at: datetime | None = None) -> FleetView:
            nonlocal reading, most
            assert at is not None
            asked.append(at)
            reading += 1
            most = max(most, reading)
            try:
                await asyncio.sleep(0.05)
                return await read(at)
            finally:
                reading -= 1

        source.fleet = slow  # type: ignore[method-assign]
        wishes = [went - MINUTE * number for number in range(60)]
        for at in wishes:
            walk.services.go_to(at, MINUTE)
            await asyncio.sleep(0)
        await walk.until(lambda v: not v.live and v.at == wishes[-1])
        assert most == 1 and len(set(asked) & set(wishes)) < 10, "what was passed by was not read"
        # The next step that way was read ahead: it is there at once.
        ahead = wishes[-1] - MINUTE
        async with asyncio.timeout(60):
            while ahead not in running.replay._kept:
                await asyncio.sleep(0.01)
        walk.services.go_to(ahead, MINUTE)
        assert walk.view.at == ahead and not walk.services.replay.reading
        walk.services.go_to(None, MINUTE)
        assert walk.view.live

        # A database that fails is told, and nobody is left in a past that is not shown.
        async def broken(at: datetime | None = None) -> Any:
            raise BusinessLogicError("the database is away: start it")

        source.fleet = broken  # type: ignore[method-assign]
        walk.services.go_to(went - 2 * HOUR, MINUTE)
        await told(walk, "the database is away")
        assert walk.view.live and walk.services.replay.at is None
        walk.services.unlock(60)
