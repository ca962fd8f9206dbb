"""The Alerts pane: worst first, in words, at every size and without colour; what is said of alerts becomes a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from textual.widgets import Button, Input

from console.panes.alerts import AlertsPane
from console.panes.host import HostPane
from console.screens.alert_dialogs import AckDialog, SilenceDialog
from console.screens.attention import News
from console.screens.drawer import Drawer
from core.models import PollerRole
from tests.console.driving import running, screen_text, table, type_text, until
from tests.console.fake_services import FakeServices


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (120, 40), (160, 50)])
async def test_all_of_an_alert_is_told_in_words_at_every_size(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot, _services):
        await pilot.press("3")
        await pilot.pause()
        text = screen_text(app)
        rows = text.splitlines()
        first = next(row for row in rows if "db-01" in row)
        assert "✗ error" in first and "! raised" in first and "12m" in first and "/var full in 1 d 4" in first
        assert all(len(row) <= size[0] for row in rows)
        order = [app.main.query_one(AlertsPane).listing.of(row).state.value for row in
                 app.main.query_one(AlertsPane).listing.rows]  # fmt: skip
        assert order == ["raised"] * 4 + ["acknowledged", "silenced", "suppressed", "resolved"]
        if size[1] >= 24:
            for word in (
                "where     db-01 /var",
                "limit     under 3 d",
                "to do     see what writes",
                "state     ! raised",
            ):
                assert word in text
            assert "✓ ack" in text and "○ silent" in text and "◇ hidden" in text and "● over" in text
            assert "jumpwatch" in text
        if size[0] >= 120:
            assert "[red]known[/red]" in text  # a note is never markup


async def test_the_status_line_counts_what_waits_for_a_person() -> None:
    async with running(size=(160, 50)) as (app, pilot, services):
        assert "alerts ✗1 error ▲2 warn" in screen_text(app).splitlines()[0]
        services.alerts = ()
        services.push()
        await pilot.pause()
        assert "alerts" not in screen_text(app).splitlines()[0]


async def test_the_fleet_marks_hosts_that_have_alerts() -> None:
    async with running() as (app, _pilot, _services):
        rows = {row.split()[2]: row for row in screen_text(app).splitlines() if " online " in row}
        assert "web-02" not in rows or "web-02" in rows
        line = next(row for row in screen_text(app).splitlines() if "db-01" in row)
        assert line[line.index("db-01") :].split("s ")[0].count("!") == 1
        other = next(row for row in screen_text(app).splitlines() if "web-03" in row)
        assert "!" not in other
        assert table(app).loud["db-01"] == 2 and "cache-01" not in table(app).loud


async def test_enter_goes_to_the_host_and_the_cursor_stays_on_its_alert() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("3", "j")
        pane = app.main.query_one(AlertsPane)
        await pilot.pause()
        alert = pane.listing.alert
        assert alert is not None and alert.host == "web-01"
        worse = replace(services.alerts[0], key="new", host="web-03", text="another", raised=datetime.now(UTC))
        services.alerts = (worse, *services.alerts)
        services.push()
        await pilot.pause()
        assert pane.listing.alert == alert and pane.listing.cursor == 2
        await pilot.press("enter")
        await pilot.pause()
        assert app.main.pane is app.main.query_one(HostPane) and app.main.query_one(HostPane).host == "web-01"


async def test_an_acknowledgement_asks_for_its_note_and_shows_its_plan() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("3", "a")
        await until(pilot, lambda: isinstance(app.screen, AckDialog))
        assert "db-01: /var full in 1 d 4 h" in screen_text(app)
        await pilot.press("enter")  # no note, no acknowledgement
        assert isinstance(app.screen, AckDialog)
        await type_text(pilot, "a disk is ordered")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        request = services.planned[0]
        assert request.action == "alert.ack" and request.arguments["note"] == "a disk is ordered"
        assert request.arguments["alerts"] == services.alerts[0].key
        assert not services.applied


async def test_escape_says_nothing_and_what_is_typed_stays_in_the_dialog() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("3", "a")
        await until(pilot, lambda: isinstance(app.screen, AckDialog))
        await pilot.press("q", "w", "3")
        assert app.screen.query_one(Input).value == "qw3"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert not services.planned


async def test_marked_alerts_are_silenced_together_for_a_time() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("3", "space", "space", "z")
        await until(pilot, lambda: isinstance(app.screen, SilenceDialog))
        assert "2 alerts" in screen_text(app)
        assert app.screen.query_one("#span--1", Button).has_focus  # the default is: not at all
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        request = services.planned[0]
        keys = request.arguments["alerts"].split("\n")
        assert request.action == "alert.silence" and keys == [alert.key for alert in services.alerts[:2]]
        until_s = datetime.fromisoformat(request.arguments["until"]) - datetime.now(UTC)
        assert timedelta(hours=1.9) < until_s <= timedelta(hours=2)


async def test_a_silence_is_taken_back_by_its_own_key_and_what_is_over_takes_nothing() -> None:
    async with running() as (app, pilot, services):
        await pilot.press("3", *"jjjjj", "Z")
        await until(pilot, lambda: isinstance(app.screen, Drawer))
        assert services.planned[-1].action == "alert.unsilence"
        await pilot.press("escape", "G", "a")
        await pilot.pause()
        assert app.screen is app.main and "over already" in screen_text(app)


async def test_the_filter_keeps_and_says_how_many() -> None:
    async with running() as (app, pilot, _services):
        await pilot.press("3", "slash")
        await pilot.pause()
        await type_text(pilot, "raised !web warning")
        await pilot.pause()
        assert "no alert passes the filter" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.main.query_one(AlertsPane).listing.rows) == 8
        await pilot.press("slash")
        await type_text(pilot, "disk")
        await pilot.pause()
        assert "2 of 8" in screen_text(app)


async def test_without_alerts_the_pane_teaches() -> None:
    async with running(FakeServices(moving=False, trouble=False)) as (app, pilot, _services):
        await pilot.press("3")
        await pilot.pause()
        text = screen_text(app)
        assert "● no alerts" in text and "alerts.toml" in text and "[[rules]]" in text


async def test_without_colour_every_state_and_severity_can_still_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(size=(120, 40)) as (app, pilot, _services):
        await pilot.press("3")
        await pilot.pause()
        text = screen_text(app)
        for word in ("✗ error", "▲ warning", "· info", "! raised", "✓ ack", "○ silent", "◇ hidden", "● over"):
            assert word in text


async def test_local_time_and_copy() -> None:
    async with running(size=(120, 40)) as (app, pilot, _services):
        await pilot.press("3")
        await pilot.pause()
        assert " UTC, for 12m" in screen_text(app)
        await pilot.press("u")
        await pilot.pause()
        assert " UTC, for 12m" not in screen_text(app)
        text, what = app.main.query_one(AlertsPane).copy_text()
        assert what == "the alert" and text.startswith("error raised db-01 /var full in 1 d 4 h")


def test_news_are_told_once_and_what_stood_before_is_none() -> None:
    news, services = News(), FakeServices(moving=False)
    view = services.make_view()
    one = services.alerts[0]
    assert news.of(replace(view, role=PollerRole.STARTING)) is None
    assert news.of(view) is None and news.of(view) is None
    quiet = replace(one, key="q", severity="info")
    view = replace(view, alerts=(replace(one, key="a", host="", text="\x1b[31mnew"), replace(one, key="b"), quiet, one))
    told = news.of(view)
    assert told is not None and (told.text, told.severity) == ("new and 1 more", "error")
    assert news.of(view) is None and news.of(replace(view, live=False, alerts=())) is None
    worse = replace(services.alerts[1], severity="error")
    again = news.of(replace(view, alerts=(*view.alerts, worse)))
    assert again is not None and again.text == "web-01: nginx.service failed (signal)"
