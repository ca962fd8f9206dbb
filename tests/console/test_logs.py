"""The screen of a log that is followed: newest last, pause, filter, what cannot be followed, and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from console.screens.logs import LogList, LogScreen
from core.models import LogRecord
from tests.console.driving import running, screen_text, until
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
            print(screen_text(app)[-300:])
