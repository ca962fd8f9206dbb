"""What the console shows, driven by keys on fake services."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rich.style import Style
from textual.strip import Strip

from console.app import JumpwatchApp
from console.panes.fleet import FleetPane
from console.panes.host import HostPane
from console.screens.small import TooSmall
from console.widgets.linesview import LinesView
from core.exceptions import ConfigurationError
from core.models import FleetView, HostState, PollerRole
from tests.console.driving import running, screen_text, table, type_text, until
from tests.console.fake_services import FakeServices


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
                assert lines[-1].endswith("q quit" if key == "1" else "q back"), lines[-1]


async def test_unknown_figures_are_dashes_never_zero() -> None:
    async with running() as (app, _pilot, _services):
        fleet = table(app)
        sample = fleet.hosts["cache-01"].sample
        assert sample is not None
        fleet.now = sample.ts  # a busy machine draws it seconds later
        row = fleet.render_line(1 + list(fleet.rows).index("cache-01")).text
        assert row.split()[:7] == ["●", "online", "cache-01", "0s", "–", "58%", "65%"]


async def test_what_may_not_be_read_is_not_just_unknown() -> None:
    async with running(size=(160, 90)) as (app, pilot, _services):
        table(app).select("cache-01")
        await pilot.press("enter")
        await pilot.pause()
        rows = [line.strip() for line in screen_text(app).splitlines()]
        at = next(n for n, row in enumerate(rows) if row.startswith("INTERFACES"))
        assert rows[at + 1].startswith("forbidden: the login may not read it")


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
        assert "there is no frob" in text
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


async def test_tiny_terminal_says_so_and_returns() -> None:
    async with running(size=(40, 10)) as (app, pilot, _services):
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await until(pilot, lambda: "Terminal is 40x10" in screen_text(app))
        assert "60x15" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: "✗ offline" in screen_text(app))


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
        await pilot.press("tab", "tab", "tab")
        await pilot.pause()
        assert "compression lag" in screen_text(app)


async def test_partitions_say_what_is_missing() -> None:
    async with running(FakeServices(moving=False, plain=True)) as (app, pilot, _services):
        await pilot.press("5")
        await pilot.pause()
        assert "compression needs TimescaleDB" in screen_text(app)


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


async def test_mouse_chooses_rows_tabs_and_hints() -> None:
    async with running() as (app, pilot, _services):
        await pilot.click("#fleet-table", offset=(15, 5))
        await pilot.pause()
        assert table(app).cursor == 4
        await pilot.click("#tabs", offset=(9, 0))
        await pilot.pause()
        assert isinstance(app.main.pane, HostPane)
        await pilot.click("#hints", offset=(75, 0))
        await pilot.pause()
        assert isinstance(app.main.pane, FleetPane)


async def test_copy_takes_the_name_of_the_host() -> None:
    async with running() as (app, pilot, _services):
        table(app).select("mq-01")
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == "mq-01"


async def test_every_theme_draws() -> None:
    async with running(size=(120, 40)) as (app, pilot, _services):
        for theme in ("textual-light", "ansi-dark", "jumpwatch"):
            app.theme = theme
            await pilot.pause()
            assert "✗ offline" in screen_text(app)


async def test_a_failed_start_is_told() -> None:
    class Failing(FakeServices):
        async def start(self, post: Any) -> None:
            raise ConfigurationError("hosts.toml line 3: [red]port[/] must be a number; correct it")

    app = JumpwatchApp(Failing(moving=False))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "[red]port[/] must be" in screen_text(app))


async def test_old_data_says_its_age_and_offline_figures_stay() -> None:
    async with running() as (app, _pilot, _services):
        lines = screen_text(app).splitlines()
        assert any("db-02" in line and "5m" in line and "port" in line for line in lines)
        row = list(table(app).rows).index("edge-ams-01")
        strip = table(app).render_line(row + 1)
        aged = next(segment for segment in strip if re.search(r"4\ds", segment.text))
        assert aged.style is not None and aged.style.color == table(app).palette.bad.color


async def test_events_follow_and_filter() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("4")
        await pilot.pause()
        assert "✗ error" in screen_text(app)
        await pilot.press("slash")
        await pilot.pause()
        await type_text(pilot, "error !lab")
        await pilot.press("enter")
        text = screen_text(app)
        assert "▲ warning" not in text and "lab-arm64" not in text
        await pilot.press("escape")
        await pilot.pause()
        assert "▲ warning" in screen_text(app)


async def test_the_events_pane_opens_at_the_newest() -> None:
    async with running(size=(80, 24)) as (app, pilot, services):
        await pilot.press("4")
        newest = services.view.events[-1]
        assert len(services.view.events) > 24
        await until(pilot, lambda: any(f"{newest.ts:%H:%M:%S}" in s for s in screen_text(app).splitlines()[3:]), 10)


async def test_a_row_where_but_the_age_moved_on_looks_as_if_drawn_anew(monkeypatch: Any) -> None:
    for width in (60, 80, 160):
        async with running(size=(width, 24)) as (app, pilot, _services):
            fleet, start = table(app), table(app).now
            patched: list[bool] = []
            real = fleet.patch_row

            def watched(*of: Any, real: Any = real, patched: list[bool] = patched) -> Strip | None:
                made: Strip | None = real(*of)
                patched.append(made is not None)
                return made

            monkeypatch.setattr(fleet, "patch_row", watched)
            for seconds in (0.5, 1, 3, 7, 11, 16, 59, 61, 75, 600, 4000, 90_000):
                fleet.now = start + timedelta(seconds=seconds)
                lines = range(1, fleet.size.height)
                by_patch = [fleet.render_line(y) for y in lines]
                fleet.forget()
                for y, strip in zip(lines, by_patch, strict=True):
                    anew = fleet.render_line(y)
                    assert strip.cell_length == anew.cell_length
                    assert _cells(strip) == _cells(anew)
            assert any(patched) and not all(patched)
            await pilot.pause()


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    return [(letter, segment.style) for segment in strip for letter in segment.text]
