"""The fleet: one line a host, worst first, with a filter and a preview of the host under the cursor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from console.formatting import age
from console.messages import (
    HeatWanted,
    HostWanted,
    IntervalWanted,
    Remark,
)
from console.panes.fleet_export import FLEET_COLUMNS
from console.panes.fleet_table import AGE_STEP_S, FleetTable, loud_hosts
from console.panes.hostfilter import HOSTS
from console.panes.hostorder import ORDERS, HostOrder
from console.panes.listpane import ListPane
from console.panes.query import complete
from console.panes.welcome import welcome
from console.widgets.columns import table_data
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from core.models import PollerRole

if TYPE_CHECKING:
    from console.panes.host_preview import Preview
    from console.panes.query import Mistake
    from console.widgets.columns import TableData
    from core.models import FleetView, HostView

PREVIEW_FROM = 120


class FleetPane(ListPane):
    """Table and preview; what it shows before there are hosts teaches how to add some."""

    TITLE = "Fleet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("H", "heat", "map of the fleet", show=False, id="fleet.heat"),
        Binding("plus,equals_sign", "interval(0.5)", "faster", key_display="+", show=False, id="fleet.faster"),
        Binding("minus", "interval(2.0)", "slower", key_display="-", show=False, id="fleet.slower"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._order = HostOrder()
        self._startup: tuple[str, ...] = ()
        self._preview: LinesView | None = None
        self._drawn: Preview | None = None
        self._previewed: tuple[HostView | None, Hashable] = (None, None)  # the host there, what else is shown by

    def compose(self) -> ComposeResult:
        with Horizontal(id="fleet-main"):
            yield FleetTable(id="fleet-table")

    @property
    def table(self) -> FleetTable:  # type: ignore[override]
        return self.query_one(FleetTable)

    @property
    def selected(self) -> HostView | None:
        """The host under the cursor."""
        current = self.table.current
        return None if current is None else self.table.hosts.get(str(current))

    def update_startup(self, lines: tuple[str, ...]) -> None:
        """Take the progress of the start, shown while there is nothing else."""
        if lines != self._startup:
            self._startup = lines
            self._say_nothing()

    def update_view(self, view: FleetView) -> None:
        before = self.view.hosts
        super().update_view(view)
        table = self.table
        table.take(before, view.hosts)
        table.interval_s, table.now = self.interval_s, self.now
        table.loud = loud_hosts(view)
        self._set_rows()
        self.keep_marks(table.hosts.keys())
        self._draw_preview()

    def _set_rows(self) -> None:
        names = self._order.names(self.view.hosts, self.now)
        self.table.set_rows(names)
        if not names:
            self._say_nothing()
        if self.filter_text:
            self.note(self._order.query.mistakes)

    def tick(self, now: datetime) -> None:
        super().tick(now)
        if self._order.query.moves:
            self._set_rows()
        self.table.now = now
        self.table.refresh_dirty()
        self._draw_preview()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self._draw_preview()

    def focus_main(self) -> None:
        self.table.focus()

    async def on_resize(self, event: events.Resize) -> None:
        wide = event.size.width >= PREVIEW_FROM
        if wide and self._preview is None:
            self._preview = LinesView(id="fleet-preview")
            await self.query_one("#fleet-main").mount(self._preview)
        elif self._preview is not None:
            self._preview.display = wide
        self.call_after_refresh(self._draw_preview)
        self._say_nothing()

    def _say_nothing(self) -> None:
        """Tell why there is no row: the start goes on, no host passes the filter, no host at all."""
        table = self.table
        if self.view.hosts:
            text = Line().gap().add("no host passes the filter: esc clears it", table.palette.dim)
            table.set_nothing((Line(), text))
        else:
            starting = self.view.role is PollerRole.STARTING
            table.set_nothing(welcome(self._startup, self.view.notices, starting, self.size, table.palette))

    def _draw_preview(self) -> None:
        preview = self._preview
        if preview is None or not preview.display or preview.size.width < 20 or not self.view.hosts:
            return
        view, step = self.selected, int(self.now.timestamp()) // AGE_STEP_S
        aged = "" if view is None else age(self.table.age_of(view))
        shown = (step, aged, preview.size, self.interval_s, self.utc, preview.palette)
        if view is self._previewed[0] and shown == self._previewed[1]:
            return
        self._previewed = (view, shown)
        from console.panes.host_preview import Preview
        from console.panes.host_sheet import Sheet

        sheet = Sheet(preview.size.width, self.now, self.interval_s, self.utc, preview.palette)
        self._drawn = self._drawn or Preview()
        preview.set_lines(self._drawn.lines(view, sheet, preview.size.height))

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self.call_after_refresh(self._draw_preview)  # the cursor goes first, for keys come faster than previews

    @on(LineList.Opened)
    def _opened(self) -> None:
        if (view := self.selected) is not None:
            self.post_message(HostWanted(view.host.name))

    @property
    def order(self) -> tuple[str, ...]:
        """The hosts as they stand, for walking from one to the next."""
        return tuple(str(row) for row in self.table.rows)

    def host_of(self, row: Hashable) -> str:
        return str(row)

    @property
    def selected_item(self) -> tuple[str, str] | None:
        view = self.selected
        return None if view is None else (view.host.name, "")

    def action_sort(self) -> None:
        self._order.cycle()
        self._resort()
        self.post_message(Remark(f"sorted by {self._order.order}"))

    def action_turn(self) -> None:
        self._order.backwards = not self._order.backwards
        self._resort()

    def on_fleet_table_head_clicked(self, event: FleetTable.HeadClicked) -> None:
        event.stop()
        while self._order.order != event.order:
            self._order.cycle()
        self._resort()

    def _resort(self) -> None:
        self.table.order, self.table.backwards = self._order.order, self._order.backwards
        self._set_rows()
        self.table.refresh()

    def action_heat(self) -> None:
        view = self.selected
        self.post_message(HeatWanted(view.host.name if view else None))

    def action_interval(self, factor: float) -> None:
        hosts: list[str | None] = list(self.marked_hosts) or [None]
        for host in hosts:
            self.post_message(IntervalWanted(host, factor))

    # The filter.
    def take_filter(self, text: str) -> Sequence[Mistake]:
        self._order.filter(text)
        self._set_rows()
        self._draw_preview()
        return self._order.query.mistakes

    def completions(self, text: str) -> Sequence[str]:
        return complete(text, HOSTS, self.view.hosts)

    def all_rows(self) -> int:
        return len(self.view.hosts)

    def crumbs(self) -> tuple[str, ...]:
        return ("Fleet", f"/{self.filter_text}") if self.filter_text else ("Fleet",)

    def to_remember(self) -> dict[str, str]:
        return {"sort": self._order.order, "filter": self.filter_text}

    async def recall(self, layout: Mapping[str, str]) -> None:
        if (order := layout.get("sort")) in ORDERS:
            self._order.sort_by(order)
            self._resort()
        if query := layout.get("filter", ""):
            await self.set_filter(query)
        self.update_view(self.view)

    def copy_text(self) -> tuple[str, str]:
        view = self.selected
        return ("", "") if view is None else (view.host.name, "the host's name")

    def table_data(self) -> TableData | None:
        shown = [self.table.hosts[str(row)] for row in self.table.rows if str(row) in self.table.hosts]
        return table_data("fleet", FLEET_COLUMNS, shown)
