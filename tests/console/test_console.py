"""The console driven by keys, on fake services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.app import JumpwatchApp
from console.panes.fleet import FleetPane
from console.panes.fleet_table import FleetTable
from console.panes.host import HostPane
from console.screens.drawer import Drawer
from console.screens.hostkeys import HostKeyScreen
from console.screens.small import TooSmall
from console.widgets.linesview import LinesView
from core.models import FleetView, HostState, PollerRole
from tests.console.fake_services import FakeServices


@asynccontextmanager
async def running(
    services: FakeServices | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[JumpwatchApp, Pilot[None], FakeServices]]:
    """Run the console until its first view is drawn."""
    services = services or FakeServices(moving=False)
    app = JumpwatchApp(services)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bool(services.view.hosts) == bool(services.names) and services._post is not None)
        await pilot.pause()
        yield app, pilot, services


async def until(pilot: Pilot[Any], met: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait until the condition is met."""
    async with asyncio.timeout(timeout_s):
        while not met():
            await pilot.pause(0.01)


def screen_text(app: JumpwatchApp) -> str:
    """Return the screen as plain text, a line a row."""
    app.screen._compositor_refresh()
    rows = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in rows)


async def type_text(pilot: Pilot[None], text: str) -> None:
    """Type the text into whatever has the keyboard."""
    box = pilot.app.focused
    assert isinstance(box, Input)
    box.insert_text_at_cursor(text)
    await pilot.pause()


def table(app: JumpwatchApp) -> FleetTable:
    """Return the fleet's table."""
    return app.main.query_one(FleetTable)


async def test_worst_hosts_come_first() -> None:
    async with running() as (app, _pilot, services):
        states = [table(app).hosts[str(row)].state for row in table(app).rows]
        assert states[0] is HostState.OFFLINE
        assert states[-1] is HostState.ONLINE
        assert len(states) == len(services.names)
        text = screen_text(app)
        assert "✗ offline" in text and "▲ degraded" in text and "● online" in text


async def test_status_line_says_what_is_live() -> None:
    async with running(size=(160, 50)) as (app, _pilot, _services):
        first = screen_text(app).splitlines()[0]
        for word in ("LIVE", "RO", "POLLER", "2 offline", "7 online", "lag 0.1s", "timescaledb 2.27.2", "UTC"):
            assert word in first


async def test_no_line_is_wider_than_the_terminal_and_no_hint_is_cut() -> None:
    for width in (60, 72, 80, 100, 133, 200):
        async with running(size=(width, 24)) as (app, pilot, _services):
            for key in ("1", "2", "4", "5"):
                await pilot.press(key)
                await pilot.pause()
                lines = screen_text(app).splitlines()
                assert len(lines) == 24
                assert all(len(line) <= width for line in lines)
                assert lines[-1].endswith("q quit"), lines[-1]


async def test_unknown_figures_are_dashes_never_zero() -> None:
    async with running() as (app, _pilot, _services):
        row = next(line for line in screen_text(app).splitlines() if "cache-01" in line)
        assert row.split()[:7] == ["●", "online", "cache-01", "0s", "–", "58%", "65%"]


async def test_cursor_stays_on_its_host_through_sort_and_refresh() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("j", "j", "j")
        host = table(app).current
        for _ in range(9):
            await pilot.press("s")
            assert table(app).current == host
        services._step += 50
        services.push()
        await pilot.pause()
        assert table(app).current == host
        line = table(app).render_line(table(app).cursor - table(app).scroll_offset.y + 1)
        assert str(host) in line.text


async def test_cursor_stays_when_its_host_moves() -> None:
    async with running() as (app, pilot, services):
        table(app).select("web-03")
        await pilot.pause()
        hosts = tuple(
            replace(view, state=HostState.OFFLINE, version=view.version + 1) if view.host.name == "web-03" else view
            for view in services.view.hosts
        )
        services.push(replace(services.view, hosts=hosts))
        await pilot.pause()
        assert table(app).current == "web-03"
        assert table(app).cursor <= 2


async def test_filter_keeps_and_clears() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("slash")
        await pilot.pause()
        await type_text(pilot, "state:online !web")
        names = [str(row) for row in table(app).rows]
        assert names and not any("web" in name for name in names)
        await pilot.press("enter")
        assert app.focused is table(app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(table(app).rows) == len(services.names)


async def test_filter_by_figure_and_its_remark() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("slash")
        await pilot.pause()
        await type_text(pilot, "disk>=80")
        assert set(table(app).rows) == {"backup-01", "edge-ams-01", "edge-nyc-01"}
        await type_text(pilot, " frob>3")
        await pilot.pause()
        text = screen_text(app)
        assert "no figure frob" in text
        assert "no host passes the filter" in text


async def test_enter_shows_the_host_and_escape_comes_back() -> None:
    async with running() as (app, pilot, _services):
        table(app).select("db-01")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.main.pane, HostPane)
        text = screen_text(app)
        assert "db-01" in text and "FULLEST DISK" in text
        await pilot.press("escape")
        assert isinstance(app.main.pane, FleetPane)
        assert table(app).current == "db-01"


async def test_foreign_text_is_never_markup_nor_control() -> None:
    async with running(size=(120, 40)) as (app, pilot, services):
        evil = "[red]x[/] \x1b[31mred\x1b[0m\x1b]0;title\x07\u202egnirts\nnew [bold"
        hosts = tuple(
            replace(view, state=HostState.OFFLINE, detail=evil, version=99) if view.host.name == "web-01" else view
            for view in services.view.hosts
        )
        services.push(replace(services.view, hosts=hosts, notices=(evil,)))
        await pilot.pause()
        for keys in ((), ("enter",)):
            table(app).select("web-01")
            await pilot.press(*keys)
            await pilot.pause()
            text = screen_text(app)
            assert "[red]x[/]" in text
            assert not set("\x1b\x07\u202e") & set(text)


async def test_preview_from_120_columns() -> None:
    async with running(size=(160, 50)) as (app, pilot, _services):
        table(app).select("web-02")
        await pilot.pause()
        preview = app.main.query_one("#fleet-preview", LinesView)
        assert "web-02" in preview.text and "FILESYSTEMS" in preview.text
        await pilot.resize_terminal(100, 40)
        await pilot.pause()
        assert not preview.display


async def test_empty_fleet_teaches() -> None:
    async with running(FakeServices(0, moving=False)) as (app, pilot, _services):
        await pilot.pause()
        text = screen_text(app)
        for command in ("jumpwatch hosts add", "jumpwatch hosts import ~/.ssh/config", "jumpwatch demo"):
            assert command in text


async def test_progress_of_the_start_is_shown() -> None:
    services = FakeServices(moving=False, slow_start_s=0.4)
    app = JumpwatchApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(services.startup_lines) > 1)
        await until(pilot, lambda: "starting the database" in screen_text(app))
        assert services.view.role is PollerRole.STARTING


async def open_drawer(pilot: Pilot[None]) -> Drawer:
    """Ask for the compression of the third newest chunk and return the drawer."""
    await pilot.press("5")
    await pilot.pause()
    await pilot.press("left", "left", "C")
    await until(pilot, lambda: isinstance(pilot.app.screen, Drawer))
    await pilot.pause()
    drawer = pilot.app.screen
    assert isinstance(drawer, Drawer)
    return drawer


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
        assert "audit a-000123" in text and "180 MiB → 18 MiB" in text
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
    services.apply_s = 1.0
    async with running(services, (120, 40)) as (app, pilot, _):
        drawer = await open_drawer(pilot)
        await pilot.press("tab")
        await type_text(pilot, drawer.operation.plan.confirm)
        await pilot.press("enter", "enter", "escape")
        await pilot.pause()
        assert app.screen is app.main and drawer.operation.running
        await until(pilot, lambda: drawer.operation.outcome is not None)
        await pilot.pause(0.3)
        assert "compressed 1 chunk" in screen_text(app), screen_text(app)


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


async def test_tiny_terminal_says_so_and_returns() -> None:
    async with running(size=(40, 10)) as (app, pilot, _services):
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await until(pilot, lambda: "Terminal is 40x10" in screen_text(app))
        assert "60x15" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is app.main)
        await pilot.pause()
        assert "✗ offline" in screen_text(app)


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


async def test_database_sections_at_80x24() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("5")
        await pilot.pause()
        text = screen_text(app)
        assert "▓▓ ▓▓" in text and "ratio 9.5x" in text and "saved" in text
        await pilot.press("tab")
        await pilot.pause()
        assert "▒ partial" in screen_text(app)
        await pilot.press("tab", "j")
        await pilot.pause()
        assert "deadlock detected" in screen_text(app)
        await pilot.press("tab")
        await pilot.pause()
        assert "compression lag" in screen_text(app)


async def test_partitions_say_what_is_missing() -> None:
    async with running(FakeServices(moving=False, plain=True)) as (app, pilot, _services):
        await pilot.press("5")
        await pilot.pause()
        assert "compression needs TimescaleDB" in screen_text(app)


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


async def test_only_the_newest_view_is_drawn() -> None:
    async with running() as (app, pilot, services):
        drawn: list[FleetView] = []
        keep = app.main.update_view
        app.main.update_view = lambda view: (drawn.append(view), keep(view))[1]  # type: ignore[method-assign,func-returns-value]
        views = [replace(services.view, version=100 + number) for number in range(50)]
        for view in views:
            app.receive(view)
        await pilot.pause()
        assert drawn == [views[-1]]


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
