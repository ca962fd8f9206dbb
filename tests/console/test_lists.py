"""Containers, Services, Storage and Proxies over the fake fleet: worst first, told apart, sorted, filtered, marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import JumpwatchApp
from console.panes.host import HostPane
from console.panes.items import ItemsPane
from console.panes.listing import Key, Rows
from console.panes.storage_listings import FILESYSTEMS
from console.widgets.columns import places_of
from console.widgets.linesview import LinesView
from core.exceptions import DatabaseConnectionError
from core.models import ContainerFigures, Finding, HostFinding, ItemPlot, SectionStatus
from tests.console.driving import running, screen_text, type_text, until
from tests.console.fake_fleet import make_host
from tests.console.fake_services import FakeServices

KEYS = {"containers": "6", "services": "7", "storage": "8", "proxies": "9"}


async def pane_of(app: JumpwatchApp, pilot: Pilot[None], name: str) -> ItemsPane:
    await pilot.press(KEYS[name])
    await until(pilot, lambda: app.main.pane.id == name)
    await pilot.pause()
    pane = app.main.pane
    assert isinstance(pane, ItemsPane)
    return pane


def detail(pane: ItemsPane) -> str:
    return pane.query_one(f"#{pane.id}-detail", LinesView).text


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 50)])
async def test_every_pane_fits_and_tells_worst_first(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot, _services):
        for name, worst in (
            ("containers", "✗ restarting"),
            ("services", "✗ failed"),
            ("storage", "✗ full"),
            ("proxies", "▲ unread"),
        ):
            pane = await pane_of(app, pilot, name)
            lines = screen_text(app).splitlines()
            assert len(lines) == size[1] and all(len(line) <= size[0] for line in lines)
            heads = [n for n, line in enumerate(lines) if line.lstrip().startswith("STATE▾")]
            assert heads and "AGE" in lines[heads[0]] and worst in lines[heads[0] + 1]
            row = pane.selected_row
            assert row is not None and pane.selected_item == (row.host, row.item)


async def test_the_last_looks_of_the_selected_one_are_curves() -> None:
    for size, lines in (((80, 24), 1), ((160, 50), 2)):
        async with running(size=size) as (app, pilot, _services):
            pane = await pane_of(app, pilot, "containers")
            assert pane.selected_item == ("db-01", "indexer")
            await until(pilot, lambda pane=pane: "up to" in detail(pane))  # type: ignore[misc]
            curves = [line for line in detail(pane).splitlines() if "up to" in line]
            assert len(curves) == lines and curves[0].startswith("last 29m") and "up to 160%" in curves[0]
            assert "▇" in curves[0] and "up to 260M" in curves[-1]
            pane.table.select(Key("db-01", "migrate"))  # it has ended, and told nothing
            await until(pilot, lambda pane=pane: "exit code 1" in detail(pane))  # type: ignore[misc]
            assert "up to" not in detail(pane)
            pane = await pane_of(app, pilot, "services")
            pane.table.select(Key("db-01", "ssh.service"))
            await until(pilot, lambda pane=pane: "ssh.service" in detail(pane))  # type: ignore[misc]
            assert "up to 3%" in detail(pane) and "up to 9.0M" in detail(pane)


async def test_the_hour_before_a_moment_of_the_past_is_read_for_the_selected_one_alone() -> None:
    async with running(size=(80, 24)) as (app, pilot, services):
        pane = await pane_of(app, pilot, "containers")
        asked: list[tuple[str, tuple[str, str]]] = []
        read = services.item_plot

        async def gone(*span: Any) -> ItemPlot:
            raise DatabaseConnectionError("away")

        async def noted(host: str, item: tuple[str, str], *span: Any) -> ItemPlot:
            asked.append((host, item))
            return await read(host, item, *span)

        services.item_plot = noted  # type: ignore[method-assign]
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: not pane.view.live and "up to" in detail(pane))
        assert "last 59m" in detail(pane) and "up to 50%" in detail(pane)
        pane.tick(pane.now)
        await pilot.pause()
        assert set(asked) == {("db-01", ("container", "indexer"))}
        pane.table.select(Key("db-01", "shop"))
        await until(pilot, lambda: asked[-1] == ("db-01", ("container", "shop")) and "up to" in detail(pane))
        read = gone  # what cannot be read is no curve, and no end of the screen
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "up to" not in detail(pane))


async def test_absent_forbidden_and_none_are_told_apart() -> None:
    async with running(size=(140, 40)) as (app, pilot, services):
        await pane_of(app, pilot, "containers")
        text = screen_text(app)
        assert "4 containers on 1 of 12 hosts" in text and "8 without docker or podman" in text
        assert "2 refuse (web-02, web-03): this login may not ask docker" in text and "1 not known yet" in text
        hosts = tuple(
            replace(view, findings={**view.findings, "containers": HostFinding("db-01", view.since, none)})  # type: ignore[arg-type]
            if view.host.name == "db-01" else view
            for view in services.view.hosts for none in (Finding("containers", SectionStatus.OK, ()),)
        )  # fmt: skip
        services.push(replace(services.view, hosts=hosts))
        await until(pilot, lambda: "No container is known." in screen_text(app))
        text = screen_text(app)
        assert "● 1 of 12 hosts has none" in text and "○ 8 of 12 hosts have no docker or podman" in text
        assert "▲ 2 of 12 hosts refuse: web-02, web-03" in text and "add the login to the group docker" in text
        assert "○ 1 of 12 hosts is not known yet" in text and "(db-02)" in text


async def test_an_empty_fleet_and_good_news_teach() -> None:
    async with running(FakeServices(0, moving=False)) as (app, pilot, _services):
        await pane_of(app, pilot, "services")
        assert "No host is watched yet" in screen_text(app)
    async with running(FakeServices(1, moving=False)) as (app, pilot, _services):
        await pane_of(app, pilot, "services")
        text = screen_text(app)
        assert "1 of 1 host has none" in text and "services+=nginx.service" in text


async def test_cursor_and_marks_stay_through_sort_and_refresh() -> None:
    async with running(size=(120, 40)) as (app, pilot, services):
        pane = await pane_of(app, pilot, "containers")
        pane.table.select(Key("db-01", "queue"))
        await pilot.press("space")
        pane.table.select(Key("db-01", "queue"))
        await pilot.pause()
        assert "* 1 marked" in screen_text(app)
        for _ in range(len(pane.table.columns)):
            await pilot.press("s")
            assert pane.table.current == Key("db-01", "queue") and pane.table.marked == {("db-01", "queue")}
        await pilot.press("v")
        assert pane.table.backwards and "▴" in screen_text(app)
        services._step += 5
        services.push()
        await pilot.pause()
        assert pane.selected_item == ("db-01", "queue") and pane.marked_hosts == ("db-01",)
        await pilot.press("A")
        assert len(pane.table.marked) == 4 and len(pane.chosen_items) == 4
        await pilot.press("A")
        assert not pane.table.marked and pane.chosen_items == (("db-01", "queue"),)
        await pilot.press("space", "escape")
        assert not pane.table.marked and app.main.pane is pane
        await pilot.press("escape")
        await until(pilot, lambda: app.main.pane.id == "fleet")


async def test_a_header_sorts_and_turns_around_by_mouse() -> None:
    async with running(size=(120, 40)) as (app, pilot, _services):
        pane = await pane_of(app, pilot, "containers")
        places = pane.table.places(pane.table.size.width)
        at = 1 + sum(cells + 1 for _, cells in places[:2])
        await pilot.click("#containers-table", offset=(at + 1, 0))
        await pilot.pause()
        assert pane.table.sorted_by == "container" and [key.item for key in pane.table.rows][:2] == [
            "indexer",
            "migrate",
        ]  # type: ignore[attr-defined]
        await pilot.click("#containers-table", offset=(at + 1, 0))
        await pilot.pause()
        assert next(key.item for key in pane.table.rows) == "shop"  # type: ignore[attr-defined]


async def test_the_filter_speaks_of_rows_and_hosts_and_stays_with_its_pane() -> None:
    async with running() as (app, pilot, _services):
        pane = await pane_of(app, pilot, "containers")
        await pilot.press("slash")
        await type_text(pilot, "image:shop host:db cpu<90 !is:warning")
        await until(pilot, lambda: [key.item for key in pane.table.rows] == ["shop"])  # type: ignore[attr-defined]
        await pilot.press("enter")
        services = await pane_of(app, pilot, "services")
        assert len(services.table.rows) == services.all_rows()
        assert await pane_of(app, pilot, "containers") is pane
        assert len(pane.table.rows) == 1 and "1 of 4" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(pane.table.rows) == 4)
        await pilot.press("slash")
        await type_text(pilot, "ima")
        await pilot.press("tab")
        await type_text(pilot, "rab")
        await until(pilot, lambda: "tab image:rabbitmq:3.13" in screen_text(app))
        await pilot.press("tab")
        await until(pilot, lambda: [key.item for key in pane.table.rows] == ["queue"])  # type: ignore[attr-defined]
        await type_text(pilot, " frob>1")
        await until(pilot, lambda: "^ there is no frob" in screen_text(app))
        line = next(line for line in screen_text(app).splitlines() if "^ there" in line)
        assert line.index("^") - 3 <= len("image:rabbitmq:3.13 ")
        await until(pilot, lambda: "no container passes the filter" in screen_text(app))


async def test_storage_goes_from_list_to_list() -> None:
    async with running(size=(160, 50)) as (app, pilot, _services):
        pane = await pane_of(app, pilot, "storage")
        said: list[tuple[str, str]] = []
        for _ in range(5):
            said.append((pane.rows.listing.name, detail(pane)))
            await pilot.press("tab")
            await pilot.pause()
        texts = dict(said)
        assert list(texts) == ["filesystems", "disks", "drives", "arrays", "zfs"]
        assert "450 GiB used" in texts["filesystems"] and "of the time" in texts["disks"]
        assert "SMART says that the drive fails" in texts["drives"] and "missing members: 1 of 2" in texts["arrays"]
        assert "too many errors" in texts["zfs"] and "tank/media" in texts["zfs"]
        for _ in range(5):
            pane.tick(datetime.now(UTC))
        assert "Drives ✗1" in screen_text(app) and "Zfs ✗1" in screen_text(app)


async def test_certificates_stand_beside_the_proxies() -> None:
    async with running(size=(130, 30)) as (app, pilot, _services):
        pane = await pane_of(app, pilot, "proxies")
        assert "line 9: unexpected end of file" in detail(pane)
        await pilot.press("shift+tab")
        await pilot.pause()
        assert pane.rows.listing.name == "certificates"
        assert "▲ soon" in screen_text(app) and "ends in 6 days" in detail(pane)


async def test_enter_opens_the_host_and_export_has_all_columns() -> None:
    async with running() as (app, pilot, _services):
        pane = await pane_of(app, pilot, "containers")
        data = pane.table_data()
        assert data is not None and len(data.rows) == 4 and "image" in data.columns and "limit" in data.columns
        assert data.rows[0][data.columns.index("cpu")] is None
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.main.pane, HostPane))
        assert app.main.pane.host == "db-01"


async def test_hostile_names_are_tamed() -> None:
    nasty = "\x1b[31m[bold]x[/]\u202e\n" + "y" * 300
    one = ContainerFigures("1f" * 6, nasty, nasty, "docker", "running", nasty)
    async with running(size=(120, 40)) as (app, pilot, services):
        await pane_of(app, pilot, "containers")
        found = HostFinding("web-01", datetime.now(UTC), Finding("containers", SectionStatus.OK, (one,), nasty))
        hosts = (replace(services.view.hosts[0], findings={"containers": found}),)
        services.push(replace(services.view, hosts=hosts))
        await until(pilot, lambda: "[bold]x[/]" in screen_text(app))
        assert not set("\x1b\u202e") & set(screen_text(app))


def test_columns_fall_away_by_their_worth() -> None:
    for width in range(20, 200):
        places = places_of(FILESYSTEMS.columns, width)
        assert sum(cells + 1 for _, cells in places) <= width + 1
    names = [FILESYSTEMS.columns[place].name for place, _ in places_of(FILESYSTEMS.columns, 60)]
    assert {"state", "host", "mount", "age"} <= set(names) and "device" not in names


def test_many_rows_are_kept_between_views_and_only_changed_hosts_are_read() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    hosts = tuple(make_host(index, f"node-{index:04}", 3, now) for index in range(200))
    asked: list[str] = []

    def rows(view: Any) -> Any:
        asked.append(view.host.name)
        return FILESYSTEMS.rows(view)

    kept = Rows(replace(FILESYSTEMS, rows=rows))
    first = kept.take(hosts, now)
    assert len(first) == 600 and len(asked) == 200
    assert kept.take(hosts, now) is first and len(asked) == 200
    later = now + timedelta(seconds=10)
    moved = (make_host(0, "node-0000", 900, later), *hosts[1:])
    assert len(kept.take(moved, later)) == 600 and asked[200:] == ["node-0000"]
    kept.filter("mount:/boot host:node-000")
    assert {key.host for key in kept.take(moved, later)} == {f"node-000{n}" for n in range(10)}
    assert len(kept.take(moved[:5], later)) == 5 and kept.total == 15
