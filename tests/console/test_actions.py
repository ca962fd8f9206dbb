"""What the operator asks of the console: plans, drawer, read-only, host keys, quitting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from textual.widgets import Button

from console.screens.drawer import Drawer
from console.screens.hostkeys import HostKeyScreen
from console.screens.maintenance import MaintenanceDialog
from core.exceptions import BusinessLogicError
from core.models import HostState, Reason
from tests.console.driving import open_drawer, running, screen_text, table, type_text, until
from tests.console.fake_services import FakeServices


async def test_drawer_wants_the_name_typed() -> None:
    services = FakeServices(moving=False)
    services.unlock(600)
    services.apply_s = 0.01
    async with running(services) as (app, pilot, _):
        drawer = await open_drawer(pilot)
        apply, cancel = drawer.query_one("#apply", Button), drawer.query_one("#cancel", Button)
        assert app.focused is cancel and apply.disabled
        text = screen_text(app)
        assert "SELECT compress_chunk" in text and "DRY RUN" in text and "TARGETS 1" in text
        await pilot.press("tab")
        await type_text(pilot, drawer.operation.plan.confirm[:-1])
        assert apply.disabled
        await pilot.press("enter")
        assert not services.applied
        await type_text(pilot, drawer.operation.plan.confirm[-1])
        await pilot.pause()
        assert not apply.disabled
        await pilot.press("enter", "enter")
        await until(pilot, lambda: drawer.operation.outcome is not None)
        await pilot.pause()
        assert services.applied[0][1] == drawer.operation.plan.confirm
        text = screen_text(app)
        assert "audit a-000123" in text and text.count("180M → 18M, 10.0x") == 1 and "18 MiB →" not in text
        await pilot.press("escape")
        assert app.screen is app.main


async def test_escape_and_enter_on_cancel_do_nothing() -> None:
    services = FakeServices(moving=False)
    services.unlock(600)
    async with running(services) as (app, pilot, _):
        await open_drawer(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.main and not services.applied


async def test_drawer_shows_a_failure() -> None:
    services = FakeServices(moving=False)
    services.unlock(600)
    services.apply_s, services.fail_with = 0.0, "the plan went stale: chunk 4 was compressed by somebody else"
    async with running(services) as (app, pilot, _):
        drawer = await open_drawer(pilot)
        await pilot.press("tab")
        await type_text(pilot, drawer.operation.plan.confirm)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: bool(drawer.operation.error))
        await pilot.pause()
        assert "✗ failed: the plan went" in screen_text(app), screen_text(app)


async def test_apply_goes_on_when_the_drawer_is_closed() -> None:
    services = FakeServices(moving=False)
    services.unlock(600)
    services.apply_s = 4.0  # longer than a loaded machine takes from the key to the look
    async with running(services, (120, 40)) as (app, pilot, _):
        drawer = await open_drawer(pilot)
        await pilot.press("tab")
        await type_text(pilot, drawer.operation.plan.confirm)
        await pilot.press("enter", "enter", "escape")
        await pilot.pause()
        assert app.screen is app.main and drawer.operation.running
        await until(pilot, lambda: drawer.operation.outcome is not None)
        await pilot.pause(0.3)
        assert "1 of 1 done" in screen_text(app), screen_text(app)


async def test_read_only_is_refused_and_unlocking_plans_again() -> None:
    async with running() as (app, pilot, services):
        drawer = await open_drawer(pilot)
        text = screen_text(app)
        assert "refused" in text and "read-only" in text
        assert not drawer.query_one("#apply", Button).display
        await pilot.press("w")
        await pilot.pause()
        assert "Leave read-only?" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: app.screen is drawer and not drawer.operation.plan.refused)
        await pilot.pause()
        assert not services.read_only
        assert drawer.query_one("#apply", Button).display
        assert "refused" not in screen_text(app)


async def test_unlocking_asks_and_no_is_the_default() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("w")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert services.read_only and app.screen is app.main
        await pilot.press("w")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert not services.read_only
        assert "RW 9m" in screen_text(app).splitlines()[0] or "RW 10m" in screen_text(app).splitlines()[0]
        await pilot.press("w")
        assert services.read_only


async def test_new_keys_are_accepted_by_a_typed_word() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        await pilot.pause()
        assert "SHA256:Qm3vXcT0oWf0nHk2yJ8sVt1bYpLrA9dEuGiZxC4wKjM" in screen_text(app)
        await pilot.press("a")
        await type_text(pilot, "ye")
        await pilot.press("enter")
        await pilot.pause()
        assert not services.accepted
        await pilot.press("a")
        await type_text(pilot, "build-01")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.accepted) == 1)
        assert services.accepted[0].host == "build-01"
        await pilot.press("A")
        await type_text(pilot, "yes")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.accepted) == 2)
        assert all(not review.changed for review in services.accepted)


async def test_a_changed_key_is_shown_and_not_acceptable() -> None:
    async with running(size=(100, 32)) as (app, pilot, services):
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        await pilot.press("G")
        await pilot.pause()
        text = screen_text(app)
        assert "SHA256:OldOld" in text and "SHA256:Zt8q" in text
        await pilot.press("a")
        await pilot.pause()
        assert "not accepted here" in screen_text(app)
        assert not app.screen.query_one("#key-confirm").display
        await pilot.press("x")
        await until(pilot, lambda: len(services.rejected) == 1)


async def test_help_lists_the_live_keys() -> None:
    async with running(size=(100, 40)) as (app, pilot, _services):
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(app)
        assert "FLEET" in text and "filter" in text and "write mode" in text
        await pilot.press("escape")
        await pilot.press("5")
        await pilot.pause()
        await pilot.press("question_mark")
        await pilot.pause()
        assert "compress all past their" in screen_text(app)


async def test_quit_asks_and_stops_the_services() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("q")
        await pilot.pause()
        assert "Polling of 12 hosts stops" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.is_running and not services.stopped
        await pilot.press("q")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: services.stopped == 1)


async def test_a_stop_that_hangs_is_bounded() -> None:
    class Hanging(FakeServices):
        async def stop(self) -> None:
            self.stopped += 1
            await asyncio.sleep(60)

    services = Hanging(moving=False)
    begun = datetime.now(UTC)
    async with running(services) as (_app, pilot, _):
        await pilot.press("ctrl+q")
    assert (datetime.now(UTC) - begun).total_seconds() < 6
    assert services.stopped == 1


async def test_poll_pause_and_interval() -> None:
    async with running() as (app, pilot, services):
        table(app).select("web-02")
        await pilot.press("r")
        await pilot.pause()
        assert services.polled == ["web-02"]
        await pilot.press("p")
        await pilot.pause()
        assert services.paused and "PAUSED" in screen_text(app).splitlines()[0]
        await pilot.press("minus")
        await pilot.pause()
        assert services.interval_s == 4.0


async def test_keys_can_be_remapped() -> None:
    async with running() as (app, pilot, _services):
        app.set_keymap({"rows.sort": "o"})
        await pilot.press("o")
        await pilot.pause()
        assert table(app).order == "name"


async def test_a_viewer_may_not_unlock() -> None:
    class Viewer(FakeServices):
        def unlock(self, seconds: float) -> None:
            raise BusinessLogicError("this console only looks on")

    async with running(Viewer(moving=False)) as (app, pilot, services):
        await pilot.press("w")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: "only looks on" in screen_text(app))
        assert services.read_only


async def test_maintenance_is_asked_for_and_planned() -> None:
    services = FakeServices(moving=False)
    async with running(services) as (app, pilot, _):
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MaintenanceDialog))
        await pilot.pause()
        assert "2  2 hours" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("space", "space", "m")
        await until(pilot, lambda: isinstance(app.screen, MaintenanceDialog))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        assert isinstance(app.screen, Drawer)
        request = app.screen.operation.plan.request
        assert request.action == "maintenance.on" and len(str(request.arguments["hosts"]).split()) == 2
        left = datetime.fromisoformat(str(request.arguments["until"])) - datetime.now(UTC)
        assert timedelta(hours=1) < left <= timedelta(hours=2)


async def test_hosts_in_maintenance_are_taken_out_of_it() -> None:
    services = FakeServices(moving=False)
    async with running(services, (160, 40)) as (app, pilot, _):
        line = "not polled until 2030-01-01 00:00 UTC"
        hosts = tuple(
            replace(
                each, host=replace(each.host, maintenance=True), state=HostState.MAINTENANCE, reason=Reason.NONE,
                detail=line,
            )
            for each in services.view.hosts
        )  # fmt: skip
        services.push(replace(services.view, hosts=hosts, version=99))
        await until(pilot, lambda: line in screen_text(app))
        await pilot.press("enter", "m")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        assert isinstance(app.screen, Drawer)
        request = app.screen.operation.plan.request
        assert request.action == "maintenance.off" and len(str(request.arguments["hosts"]).split()) == 1
