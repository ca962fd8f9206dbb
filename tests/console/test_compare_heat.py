"""Marked hosts side by side, and the map of the fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from console.panes.comparing import TRAITS, compare
from console.panes.host import HostPane
from console.screens.compare import CompareScreen
from console.screens.heat import NAMES, HeatScreen
from console.widgets.heatgrid import HeatGrid
from console.widgets.linesview import LinesView
from core.models import Host, HostState, HostView
from tests.console.driving import running, screen_text, table, until
from tests.console.fake_fleet import make_host
from tests.console.fake_services import FakeServices

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _trait(label: str, *views: HostView) -> tuple[int, ...]:
    return compare(next(each for each in TRAITS if each.label == label), views, NOW).apart


def test_what_stands_apart_is_told_and_the_unknown_is_not_apart() -> None:
    one, two, three = (make_host(index, f"web-{index}", 5, NOW) for index in range(3))
    lone = HostView(Host("lone"), HostState.OFFLINE)
    assert _trait("state", one, two, three) == (0, 0, 0)
    assert _trait("state", one, two, lone) == (0, 0, 1)
    assert _trait("tags", one, two) == (1, 1) and _trait("tags", two, three) == (0, 0)
    assert _trait("CPUs", one, two, three) == (-1, 0, 1)  # 4, 8, 12
    assert _trait("CPUs", one, lone) == (0, 0)
    assert _trait("CPUs", one, one, one, three) == (0, 0, 0, 1), "what most have does not stand apart"
    assert _trait("updates", one, two) == (0, 0)
    same = replace(one, host=replace(one.host, name="copy"))
    assert not any(any(compare(trait, (one, same), NOW).apart) for trait in TRAITS)


async def test_marked_hosts_are_set_side_by_side_by_keys() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("c")
        await until(pilot, lambda: "mark two hosts or more" in screen_text(app))
        for name in ("web-01", "web-02", "db-01"):
            table(app).select(name)
            await pilot.press("space")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "web-02" in screen_text(app))
        sheet = app.screen.query_one(LinesView)
        await until(pilot, lambda: "≠ prod" in sheet.text)
        text = sheet.text
        assert "3 hosts side by side" in screen_text(app) and "differs" in text and "CPU history" in text
        assert all(len(line) <= 80 for line in screen_text(app).splitlines())
        before = len([line for line in text.splitlines() if line.startswith("containers up")])
        await pilot.press("d")
        await pilot.pause()
        rows = [line for line in sheet.text.splitlines() if line.startswith(("memory", "CPUs", "tags", "swap"))]
        assert before and rows and all("differs" in line for line in rows)
        services._step += 5
        services.push()
        await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert table(app).marked == {"web-01", "web-02", "db-01"}


async def test_the_map_has_a_cell_a_host_and_opens_one() -> None:
    async with running(FakeServices(300, moving=False), size=(80, 24)) as (app, pilot, services):
        table(app).select("node-0100")
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HeatScreen) and "300 hosts by STATE" in screen_text(app))
        grid = app.screen.query_one(HeatGrid)
        assert grid.current == "node-0100"
        text = screen_text(app)
        assert "✗✗" in text and "●●" in text and "node-0100" in text.splitlines()[-2]
        for name in (*NAMES[1:], NAMES[0]):
            await pilot.press("m")
            await until(pilot, lambda name=name: f"by {name.upper()}" in screen_text(app))  # type: ignore[misc]
            assert all(len(line) <= 80 for line in screen_text(app).splitlines())
        await pilot.press("g", "j", "right")
        assert grid.cursor == grid.across + 1
        name = grid.current
        services.push()
        await pilot.pause()
        assert grid.current == name
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.main.pane, HostPane) and app.screen is app.main)
        assert app.main.pane.host == name


async def test_a_map_of_thousands_fits_or_scrolls() -> None:
    async with running(FakeServices(2000, moving=False, trouble=False), size=(80, 24)) as (app, pilot, _services):
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HeatScreen) and "2000 hosts" in screen_text(app))
        grid = app.screen.query_one(HeatGrid)
        assert grid.cell == 1
        await pilot.press("G")
        await until(pilot, lambda: grid.cursor == 1999 and grid.scroll_offset.y > 0)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
