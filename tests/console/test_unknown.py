"""What is not known is not zero, what is old tells its age, and what is cut says so and can be read in full."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from console.panes.events import EventList
from console.widgets.linesview import LinesView
from core.models import DatabaseState, DatabaseView, EventLine, FleetView
from tests.console.driving import running, screen_text, type_text, until
from tests.console.fake_services import FakeServices

LONG = "web-01: " + " ".join(f"word{number}" for number in range(20))


class Shown(FakeServices):
    """The fake services, with a database or events of their own."""

    database: DatabaseView | None = None
    events: tuple[EventLine, ...] | None = None

    def make_view(self) -> FleetView:
        view = super().make_view()
        database = view.database if self.database is None else self.database
        return replace(view, database=database, events=view.events if self.events is None else self.events)


async def test_a_database_that_was_never_read_has_no_figures() -> None:
    services = Shown(moving=False)
    for state, words in ((DatabaseState.STARTING, "is being reached"), (DatabaseState.AWAY, "was not reached")):
        services.database = DatabaseView(state=state)
        async with running(services) as (app, pilot, _services):
            await pilot.press("5")
            await until(pilot, lambda words=words, app=app: words in screen_text(app))
            assert "0 chunks" not in screen_text(app)
            await pilot.press("tab", "tab")
            assert "no job" not in screen_text(app)


async def test_a_database_without_tables_says_how_they_are_made() -> None:
    services = Shown(moving=False)
    services.database = DatabaseView(state=DatabaseState.CONNECTED, at=services.make_view().at)
    async with running(services) as (app, pilot, _services):
        await pilot.press("5")
        await until(pilot, lambda: "jumpwatch db init" in screen_text(app))
        assert "0 chunks" in screen_text(app)


async def test_figures_of_a_database_that_went_away_tell_their_age() -> None:
    services = Shown(moving=False)
    view = services.make_view()
    detail = "db.example port 5432 refuses the connection: " + "is it running? " * 8
    read = view.at - timedelta(minutes=5)
    services.database = replace(view.database, state=DatabaseState.AWAY, detail=detail, at=read)
    for size in ((80, 24), (160, 50)):
        async with running(services, size=size) as (app, pilot, _services):
            await pilot.press("5")
            await until(pilot, lambda app=app: "read 5m ago" in screen_text(app))
            assert "db.example port 5432 refuses" in screen_text(app)


async def test_an_event_that_is_cut_says_so_and_stands_below_in_full() -> None:
    services = Shown(moving=False)
    at = services.make_view().at
    lines = [EventLine(at - timedelta(seconds=90 - n), "notice", "warning", "poller", LONG) for n in range(60)]
    services.events = (*lines, EventLine(at, "action.finished", "info", "operations", "done, audit 0123456789ab"))
    async with running(services, size=(80, 24)) as (app, pilot, _services):
        await pilot.press("4")
        await until(pilot, lambda: "audit 0123456789ab" in screen_text(app))
        await pilot.press("k")
        await pilot.pause()
        listed = [line for line in screen_text(app).splitlines() if "word0" in line and "poller" in line]
        assert len(listed) > 5 and all(line.rstrip(" ▁▂▃▄▅▆▇█").endswith("…") for line in listed)
        sheet = app.main.pane.query_one("#event-sheet", LinesView).text
        assert " ".join(sheet.split()).endswith(LONG) and "UTC, 31s ago" in sheet and "▲ warning" in sheet
        await pilot.press("slash")
        await type_text(pilot, "nothing-like-it")
        await until(pilot, lambda: "no event passes the filter" in screen_text(app))
        assert not app.main.pane.query_one("#event-sheet", LinesView).text.strip()


async def test_the_scrollbar_hides_no_cell_of_a_row() -> None:
    services = Shown(moving=False)
    async with running(services, size=(80, 24)) as (app, pilot, _services):
        await pilot.press("4")
        await until(pilot, lambda: app.main.pane.id == "events")
        await pilot.pause()
        events = app.main.pane.query_one(EventList)
        assert events.show_vertical_scrollbar and events.room == events.size.width - 1
        services.events = services.make_view().events[-3:]
        services.push()
        await until(pilot, lambda: events.room == events.size.width)
