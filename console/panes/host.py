"""One host in full: state and way out, plots with history, filesystems, disks, interfaces, sections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.messages import IntervalWanted, MaintenanceWanted, PaneLeft, PollWanted
from console.panes import host_findings as found
from console.panes import host_sheet as sheet_of
from console.panes.base import Pane
from console.panes.host_sheet import Sheet
from console.widgets.line import Line
from console.widgets.linesview import LinesView
from core.models import FleetView, HostView

_FIRST = ("processes",)
_THEN = ("services", "containers", "drives", "zfs", "updates", "sessions", "ports")


class HostPane(Pane):
    """Shows the host chosen in the fleet, or the first one."""

    TITLE = "Host"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "fleet", id="host.leave"),
        Binding("n", "step(1)", "next host", id="host.next"),
        Binding("r", "poll", "poll now", id="host.poll"),
        Binding("m", "maintenance", "maintenance on or off", show=False, id="host.maintenance"),
        Binding("plus,equals_sign", "interval(0.5)", "faster", key_display="+", show=False, id="host.faster"),
        Binding("minus", "interval(2.0)", "slower", key_display="-", show=False, id="host.slower"),
        Binding("b", "step(-1)", "previous host", show=False, id="host.previous"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.host = ""
        self.order: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield LinesView(id="host-sheet", can_focus=True)

    @property
    def shown(self) -> HostView | None:
        """The view of the host shown."""
        return next((each for each in self.view.hosts if each.host.name == self.host), None)

    def show(self, host: str, order: tuple[str, ...] = ()) -> None:
        """Show that host; ``order`` is the order in which next and previous walk."""
        if host != self.host and self.is_mounted:
            self.query_one(LinesView).scroll_to(y=0, animate=False)
        self.host, self.order = host, order or self.order
        self._draw()

    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        if not self.host and view.hosts:
            self.host = view.hosts[0].host.name
        self._draw()

    def tick(self, now: datetime) -> None:
        super().tick(now)
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self._draw()

    def focus_main(self) -> None:
        self.query_one(LinesView).focus()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        target = self.query_one(LinesView)
        width, height = target.size
        if width < 20:
            return
        target.set_lines(self._lines(Sheet(width - 1, self.now, self.interval_s, self.utc, target.palette), height))

    def _lines(self, sheet: Sheet, height: int) -> list[Line]:
        view = self.shown
        if view is None:
            text = f"{self.host} is not in the inventory any more" if self.host else "no host: 1 shows the fleet"
            return [Line(), Line().add(text, sheet.look.dim)]
        columns = 3 if sheet.width >= 130 else 2 if sheet.width >= 60 else 1
        rows = max(2, min(7, (height - 14) // (6 // columns) - 2 - (columns > 1)))
        blank = Line()
        return [
            *sheet_of.header(view, sheet),
            *found.troubles(view, sheet),
            blank,
            *sheet_of.plots(view, sheet, rows, columns),
            blank,
            *found.finding_lines(view, sheet, _FIRST),
            sheet_of.heading("FILESYSTEMS", sheet),
            *sheet_of.filesystems(view, sheet),
            blank,
            sheet_of.heading("DISKS", sheet),
            *sheet_of.disks(view, sheet),
            blank,
            sheet_of.heading("INTERFACES", sheet),
            *sheet_of.interfaces(view, sheet),
            blank,
            *found.finding_lines(view, sheet, (*_THEN, *found.other_kinds(view))),
            sheet_of.heading("LAST FRAME, AND WHAT IS NOT THERE", sheet),
            *sheet_of.sections(view, sheet),
            *found.missing(view, sheet),
            blank,
            sheet_of.heading("POLLING ITSELF", sheet),
            *found.polling(view, self.view.polling, sheet),
        ]

    def action_leave(self) -> None:
        self.post_message(PaneLeft())

    def action_step(self, step: int) -> None:
        order = self.order or tuple(each.host.name for each in self.view.hosts)
        if order:
            place = order.index(self.host) if self.host in order else -step
            self.show(order[(place + step) % len(order)])

    def action_poll(self) -> None:
        if self.host:
            self.post_message(PollWanted(self.host))

    def action_maintenance(self) -> None:
        if self.host:
            self.post_message(MaintenanceWanted((self.host,)))

    def action_interval(self, factor: float) -> None:
        if self.host:
            self.post_message(IntervalWanted(self.host, factor))

    def crumbs(self) -> tuple[str, ...]:
        return ("Fleet", self.host) if self.host else ("Fleet", "Host")

    def to_remember(self) -> dict[str, str]:
        return {"host": self.host}

    async def recall(self, layout: Mapping[str, str]) -> None:
        self.show(layout.get("host", ""))

    def copy_text(self) -> tuple[str, str]:
        return self.query_one(LinesView).text, f"the sheet of {self.host}"
