"""The screen of a log that is followed: newest last, pause, filter, what cannot be followed, and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from textual.widgets import Input

from console.screens.logs import LogList, LogScreen
from core.models import LogRecord
from tests.console.driving import running, screen_text, type_text, until
from tests.console.fake_services import FakeServices

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def records(count: int) -> tuple[LogRecord, ...]:
    return tuple(
        LogRecord(n, AT + timedelta(seconds=n), n % 8, "nginx", f"line number {n}") for n in range(1, count + 1)
    )


async def test_the_newest_line_is_seen() -> None:
    services = FakeServices(moving=False)
    services.log_records = records(200)
    async with running(services) as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen))
        await until(pilot, lambda: len(app.screen.query_one(LogList).rows) == 200)
        await until(pilot, lambda: "line number 200" in screen_text(app))
        text = screen_text(app)
        assert "● following" in text and "200 lines" in text
        assert "▲ warning" in text and "✗ error" in text and "· info" in text


async def test_lines_that_come_later_are_followed() -> None:
    async with running() as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen))
        screen = app.screen
        assert isinstance(screen, LogScreen)
        for count in (141, 160, 161):
            await pilot.pause(0.5)
            screen.feed.add(records(count)[len(screen.feed.records) :])
            await until(pilot, lambda count=count: f"line number {count}" in screen_text(app))  # type: ignore[misc]


async def test_pause_filter_and_the_end() -> None:
    services = FakeServices(moving=False)
    services.log_records = records(50)
    async with running(services) as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and "line number 50" in screen_text(app))
        screen = app.screen
        assert isinstance(screen, LogScreen)
        await pilot.press("p")
        screen.feed.add([LogRecord(51, AT, 3, "nginx", "came while paused")])
        await until(pilot, lambda: "51 lines" in screen_text(app))
        assert "◇ paused" in screen_text(app) and "came while paused" not in screen_text(app)
        await pilot.press("p")
        await until(pilot, lambda: "came while paused" in screen_text(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await type_text(pilot, "error !number")
        await until(pilot, lambda: list(screen.query_one(LogList).rows) == [screen.feed.records[-1]])
        await pilot.press("enter", "escape")  # the filter goes first, then the screen
        await until(pilot, lambda: len(screen.query_one(LogList).rows) == 51)
        assert app.screen is screen and not services.unfollowed
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main and bool(services.unfollowed))
        assert services.followed == services.unfollowed == [screen.source]


async def test_hostile_lines_are_shown_as_text() -> None:
    services = FakeServices(moving=False)
    services.log_records = (LogRecord(1, None, None, "a\x1b]0;x\x07", "\x1b[2J[bold red]not markup[/] \x07end"),)
    services.log_note = "forbidden in part: \x1b[31mfix it"
    async with running(services) as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: "[bold red]not markup[/] end" in screen_text(app))
        text = screen_text(app)
        assert "forbidden in part: fix it" in text and all(line.isprintable() for line in text.splitlines())


async def test_a_log_of_nothing_says_why() -> None:
    services = FakeServices(moving=False)
    services.log_note = "absent: neither a journal nor /var/log/syslog is there"
    async with running(services) as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: screen_text(app).count("absent: neither a journal") >= 1)
