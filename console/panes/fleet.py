"""The fleet: one line a host, worst first, with a filter and a preview of the host under the cursor."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from console.messages import HostWanted, IntervalWanted, MaintenanceWanted, PollWanted, Remark
from console.panes.base import Pane
from console.panes.fleet_table import AGE_STEP_S, FleetTable
from console.panes.hostorder import HostOrder
from console.panes.welcome import welcome
from console.widgets.filterbar import FilterBar
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from core.models import FleetView, HostView, PollerRole

PREVIEW_FROM = 120


class FleetPane(Pane):
    """Table and preview; what it shows before there are hosts teaches how to add some."""

    TITLE = "Fleet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="fleet.filter"),
        Binding("s", "sort", "sort", id="fleet.sort"),
        Binding("space", "mark", "mark", id="fleet.mark"),
        Binding("r", "poll", "poll now", id="fleet.poll"),
        Binding("m", "maintenance", "maintenance on or off", show=False, id="fleet.maintenance"),
        Binding("plus,equals_sign", "interval(0.5)", "faster", key_display="+", show=False, id="fleet.faster"),
        Binding("minus", "interval(2.0)", "slower", key_display="-", show=False, id="fleet.slower"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._order = HostOrder()
        self._startup: tuple[str, ...] = ()
        self._preview: LinesView | None = None
        self._shown: tuple[HostView | None, int] = (None, 0)

    def compose(self) -> ComposeResult:
        with Horizontal(id="fleet-main"):
            yield FleetTable(id="fleet-table")

    @property
    def table(self) -> FleetTable:
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
        names = self._order.names(view.hosts)
        table.set_rows(names)
        if not names:
            self._say_nothing()
        if self._order.query:
            self._note(len(names))
        self._draw_preview()

    def tick(self, now: datetime) -> None:
        super().tick(now)
        self.table.now = now
        self.table.refresh_dirty()
        if (shown := (self.selected, int(now.timestamp()) // AGE_STEP_S)) != self._shown:
            self._shown = shown
            self._draw_preview()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self._draw_preview()

    def focus_main(self) -> None:
        self.table.focus()

    def close_inner(self) -> bool:
        if not self._order.query:
            return False
        self.query_one(FilterBar).action_clear()
        return True

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
        from console.panes.host_preview import preview_lines
        from console.panes.host_sheet import Sheet

        sheet = Sheet(preview.size.width, self.now, self.interval_s, self.utc, preview.palette)
        preview.set_lines(preview_lines(self.selected, sheet, preview.size.height))

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self._draw_preview()

    @on(LineList.Opened)
    def _opened(self) -> None:
        if (view := self.selected) is not None:
            self.post_message(HostWanted(view.host.name))

    @property
    def order(self) -> tuple[str, ...]:
        """The hosts as they stand, for walking from one to the next."""
        return tuple(str(row) for row in self.table.rows)

    def action_sort(self) -> None:
        self.table.order = self._order.cycle()
        self.table.set_rows(self._order.names(self.view.hosts))
        self.table.refresh()
        self.post_message(Remark(f"sorted by {self._order.order}"))

    def action_mark(self) -> None:
        if (view := self.selected) is not None:
            self.table.marked ^= {view.host.name}
            self.table.refresh_dirty()
            self.table.action_move(1)

    def action_poll(self) -> None:
        """Poll the marked hosts, or the one under the cursor, now."""
        if self.table.marked:
            for host in sorted(self.table.marked):
                self.post_message(PollWanted(host))
        elif (view := self.selected) is not None:
            self.post_message(PollWanted(view.host.name))

    def action_maintenance(self) -> None:
        """Ask for maintenance of the marked hosts, or of the one under the cursor."""
        hosts = tuple(sorted(self.table.marked)) or ((self.selected.host.name,) if self.selected else ())
        if hosts:
            self.post_message(MaintenanceWanted(hosts))

    def action_interval(self, factor: float) -> None:
        hosts: list[str | None] = list(sorted(self.table.marked)) or [None]
        for host in hosts:
            self.post_message(IntervalWanted(host, factor))

    # The filter.
    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        bar = bars.first() if bars else FilterBar("words  !not  state:offline  tag:web  cpu>80")
        if not bars:
            await self.mount(bar)
        bar.open()

    def _note(self, kept: int) -> None:
        remark = self._order.remark or f"{kept} of {len(self.view.hosts)}"
        self.query_one(FilterBar).note(remark)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._order.filter(event.text)
        names = self._order.names(self.view.hosts)
        self.table.set_rows(names)
        self._note(len(names))
        self._draw_preview()

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.table.focus()

    def copy_text(self) -> tuple[str, str]:
        view = self.selected
        return ("", "") if view is None else (view.host.name, "the host's name")
