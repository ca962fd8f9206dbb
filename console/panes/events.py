"""The events, newest last, the one under the cursor in full; follows the newest unless the cursor leaves it."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize

from console.formatting import clean, moment, span
from console.messages import HostWanted, Remark
from console.panes.base import Pane
from console.panes.query import Figure, Query, Vocabulary, complete, parse
from console.widgets.columns import Column, table_data
from console.widgets.filterbar import FilterBar
from console.widgets.line import Line, wrap
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from console.widgets.severity import EVENT_GLYPHS, EVENT_LEVELS
from core.models import EventLine

if TYPE_CHECKING:
    from rich.style import Style

    from console.widgets.columns import TableData
    from console.widgets.palette import Palette
    from core.models import FleetView

_WIDE, _TALL = 100, 18
EVENTS: Vocabulary[EventLine] = Vocabulary(
    {"age": Figure(lambda event, now: (now - event.ts).total_seconds(), "seconds", moves=True)},
    {
        "severity": lambda event: (event.severity,),
        "source": lambda event: (event.source,),
        "type": lambda event: (event.type,),
    },
    lambda event: (event.severity, event.type, event.source, event.text),
)
_COLUMNS: tuple[Column[EventLine], ...] = (
    Column("time", "TIME", 15, lambda event: event.ts),
    Column("severity", "SEVERITY", 10, lambda event: event.severity),
    Column("source", "SOURCE", 16, lambda event: event.source),
    Column("type", "TYPE", 12, lambda event: event.type),
    Column("event", "EVENT", 20, lambda event: event.text),
)


def _severity(event: EventLine, look: Palette) -> tuple[str, Style]:
    level = EVENT_LEVELS.get(event.severity, 0)
    return f"{EVENT_GLYPHS.get(event.severity, '·')} {clean(event.severity)}", look.level(level) if level else look.dim


def event_lines(event: EventLine, now: datetime, width: int, utc: bool, look: Palette) -> list[Line]:
    """Return the event in full for a sheet of that width: where it is from, when, and all of its text."""
    ago = span((now - event.ts).total_seconds())
    when = f"{moment(event.ts, utc)}{' UTC' if utc else ''}, {ago} ago"
    severity, style = _severity(event, look)
    head = Line().add(f"{severity}  ", style)
    head.add(f"{clean(event.source)}  ", look.strong).add(f"{when}  {clean(event.type)}", look.dim)
    return [head, *(Line().add(part, look.text) for part in wrap(clean(event.text), max(20, width)))]


def _nothing(filtered: bool, look: Palette) -> list[Line]:
    if filtered:
        return [Line(), Line().gap().add("no event passes the filter: esc clears it", look.dim)]
    teach = "States of hosts, what collectors find, alerts, actions and Jumpwatch's own notes stand here, newest last."
    lines = [Line(), Line().gap().add("○ nothing has happened yet", look.dim), Line()]
    return [*lines, *(Line().gap().add(part, look.dim) for part in wrap(teach, 76))]


class EventList(LineList):
    """One line an event."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "host", id="events.open")]
    utc = True

    def fingerprint(self, row: Hashable) -> Hashable:
        return self.utc

    def draw_header(self, width: int) -> Line:
        head, source = self.palette.head, 16 if width >= _WIDE else 10
        line = Line().gap().cell("TIME", 15, head).cell("SEVERITY", 10, head).cell("SOURCE", source, head)
        return line.gap().add("EVENT", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, EventLine)
        look = self.palette
        severity, style = _severity(row, look)
        line = Line().gap().cell(moment(row.ts, self.utc, "%m-%d %H:%M:%S"), 15, look.dim).cell(severity, 10, style)
        line.cell(clean(row.source), 16 if width >= _WIDE else 10, look.strong).gap()
        return line.cell(clean(row.text), width - line.width, look.dim if style is look.dim else look.text)


class EventsPane(Pane):
    """A list with a filter and a follow mode."""

    TITLE = "Events"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="events.filter"),
        Binding("f", "follow", "follow", id="events.follow"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        self._query: Query[EventLine] = Query("")

    def compose(self) -> ComposeResult:
        yield EventList(id="event-list")
        yield LinesView(id="event-sheet")

    @property
    def events(self) -> EventList:
        return self.query_one(EventList)

    def focus_main(self) -> None:
        self.events.focus()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self.events.utc = utc
        self.events.refresh_dirty()
        self._draw_sheet()

    def tick(self, now: datetime) -> None:
        super().tick(now)
        self._draw_sheet()

    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        query = self._query
        rows = [event for event in view.events if query.keeps(event, self.now)] if query.terms else list(view.events)
        if rows != list(self.events.rows):
            self.events.set_rows(rows)
            self._to_newest()
        if not rows:
            self.events.set_nothing(_nothing(bool(query.text and view.events), self.events.palette))
        if query.text:
            self.query_one(FilterBar).note(f"{len(rows)} of {len(view.events)}", query.fault)
        self._draw_sheet()

    def on_resize(self, event: Resize) -> None:
        self.query_one("#event-sheet").display = event.size.height >= _TALL
        self.call_after_refresh(self._laid_out)  # only a laid-out list can scroll

    def _laid_out(self) -> None:
        self._to_newest()
        self._draw_sheet()

    def _draw_sheet(self) -> None:
        sheet, row = self.query_one("#event-sheet", LinesView), self.events.current
        if not isinstance(row, EventLine):
            sheet.set_lines([])
        elif sheet.display and sheet.size.width >= 20:
            sheet.set_lines(event_lines(row, self.now, sheet.size.width - 1, self.utc, sheet.palette))

    def _to_newest(self) -> None:
        if self.following:
            self.events.action_edge(1)

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self.following = self.events.cursor >= len(self.events.rows) - 1
        self._draw_sheet()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        row = self.events.current
        if not isinstance(row, EventLine):
            return
        names = {each.host.name for each in self.view.hosts}
        for name in (row.source, row.text.partition(":")[0].strip()):
            if name in names:
                self.post_message(HostWanted(name))
                return
        self.post_message(Remark("this event is of no host that is watched"))

    def action_follow(self) -> None:
        self.following = not self.following
        self._to_newest()
        self.post_message(Remark("following the newest" if self.following else "standing still"))

    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        bar = (
            bars.first()
            if bars
            else FilterBar(
                "words  !not  severity:error  source:web-01  age<10m",
                lambda text: complete(text, EVENTS, self.view.events),
            )
        )
        if not bars:
            await self.mount(bar)
        bar.open()

    def close_inner(self) -> bool:
        if not self._query.text:
            return False
        self.query_one(FilterBar).action_clear()
        return True

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._query = parse(event.text.strip(), EVENTS)
        self.update_view(self.view)

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.events.focus()

    def copy_text(self) -> tuple[str, str]:
        row = self.events.current
        if not isinstance(row, EventLine):
            return "", ""
        return f"{row.ts.isoformat()} {row.severity} {clean(row.source)}: {clean(row.text)}", "the event"

    def table_data(self) -> TableData | None:
        return table_data("events", _COLUMNS, [row for row in self.events.rows if isinstance(row, EventLine)])
