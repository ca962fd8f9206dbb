"""The events, newest last: severity as glyph, word and colour; follows the newest unless the cursor leaves it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.formatting import clean, moment
from console.messages import HostWanted, Remark
from console.panes.base import Pane
from console.panes.query import Figure, Query, Vocabulary, complete, parse
from console.widgets.columns import Column, table_data
from console.widgets.filterbar import FilterBar
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.severity import EVENT_GLYPHS, EVENT_LEVELS
from core.models import EventLine

if TYPE_CHECKING:
    from console.widgets.columns import TableData
    from core.models import FleetView

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


class EventList(LineList):
    """One line an event."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "host", id="events.open")]
    utc = True

    def fingerprint(self, row: Hashable) -> Hashable:
        return self.utc

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        return (
            Line().gap().cell("TIME", 15, head).cell("SEVERITY", 10, head).cell("SOURCE", 17, head).add("EVENT", head)
        )

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, EventLine)
        look = self.palette
        severity = EVENT_LEVELS.get(row.severity, 0)
        style = look.level(severity) if severity else look.dim
        line = Line().gap().cell(moment(row.ts, self.utc, "%m-%d %H:%M:%S"), 15, look.dim)
        line.cell(f"{EVENT_GLYPHS.get(row.severity, '·')} {clean(row.severity)}", 10, style)
        line.cell(clean(row.source), 16, look.strong).gap()
        return line.add(clean(row.text), look.text if severity else look.dim)


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

    @property
    def events(self) -> EventList:
        return self.query_one(EventList)

    def focus_main(self) -> None:
        self.events.focus()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self.events.utc = utc
        self.events.refresh_dirty()

    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        query = self._query
        rows = [event for event in view.events if query.keeps(event, self.now)] if query.terms else list(view.events)
        if rows != list(self.events.rows):
            self.events.set_rows(rows)
            self._to_newest()
        if query.text:
            self.query_one(FilterBar).note(f"{len(rows)} of {len(view.events)}", query.fault)

    def on_resize(self) -> None:
        self.call_after_refresh(self._to_newest)  # only a laid-out list can scroll

    def _to_newest(self) -> None:
        if self.following:
            self.events.action_edge(1)

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self.following = self.events.cursor >= len(self.events.rows) - 1

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
