"""One host in full: state and way out, plots with history, filesystems, disks, interfaces, sections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.messages import (
    CopyFileWanted,
    HostActionsWanted,
    IntervalWanted,
    PaneLeft,
    PlotWanted,
    PollWanted,
)
from console.panes import host_findings as found
from console.panes import host_sheet as sheet_of
from console.panes.base import Pane
from console.panes.host_plots import FIRST, POINTS, SPANS, zoomed
from console.panes.host_sheet import Sheet
from console.widgets.line import Line
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from core.models import FleetView, HostPlot, HostView

_FIRST = ("processes",)
_THEN = ("services", "containers", "drives", "zfs", "updates", "sessions", "ports")


class HostPane(Pane):
    """Shows the host chosen in the fleet, or the first one."""

    TITLE = "Host"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "fleet", id="host.leave"),
        Binding("n", "step(1)", "next host", id="host.next"),
        Binding("a", "actions", "actions", id="host.actions"),
        Binding("l", "logs", "log", tooltip="follow the log", id="host.logs"),
        Binding("r", "poll", "poll now", id="host.poll"),
        Binding("S", "shell", "ssh shell", show=False, id="host.shell"),
        Binding("X", "run", "run a command", show=False, id="host.run"),
        Binding("T", "transfer", "copy a file", show=False, id="host.transfer"),
        Binding("m", "maintenance", "maintenance on or off", show=False, id="host.maintenance"),
        Binding("plus,equals_sign", "interval(0.5)", "faster", key_display="+", show=False, id="host.faster"),
        Binding("minus", "interval(2.0)", "slower", key_display="-", show=False, id="host.slower"),
        Binding("b", "step(-1)", "previous host", show=False, id="host.previous"),
        Binding("z", "zoom(-1)", "plots over a shorter time", show=False, id="host.zoom_in"),
        Binding("Z", "zoom(1)", "plots over a longer time", show=False, id="host.zoom_out"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.host = ""
        self.order: tuple[str, ...] = ()
        self.zoom: int | None = None  # of SPANS; None: the live plots
        self._asked: tuple[str, datetime, datetime] | None = None
        self._plot: tuple[str, datetime, datetime, HostPlot | None, str] | None = None

    def compose(self) -> ComposeResult:
        yield LinesView(id="host-sheet", can_focus=True)

    @property
    def shown(self) -> HostView | None:
        """The view of the host shown."""
        return next((each for each in self.view.hosts if each.host.name == self.host), None)

    @property
    def selected_item(self) -> tuple[str, str] | None:
        return (self.host, "") if self.host else None

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
        self._want_plot()
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
            *(self._past(sheet, rows, columns) or sheet_of.plots(view, sheet, rows, columns)),
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
            *self._rest(view, sheet),
        ]

    def _rest(self, view: HostView, sheet: Sheet) -> list[Line]:
        """Return what is not there, and what polling costs; of the past only what is known of it."""
        past = self.view.past
        if not self.view.live:
            why = "being read" if past is not None and not past.whole else "nothing is stored of it, or it was off"
            lines = found.missing(view, sheet, why)
            return [sheet_of.heading("WHAT WAS NOT THERE", sheet), *lines] if lines else []
        return [
            sheet_of.heading("LAST FRAME, AND WHAT IS NOT THERE", sheet),
            *sheet_of.sections(view, sheet),
            *found.missing(view, sheet, "not asked yet, or off"),
            Line(),
            sheet_of.heading("POLLING ITSELF", sheet),
            *found.polling(view, self.view.polling, sheet),
        ]

    # The plots of the past.
    @property
    def _span(self) -> tuple[str, timedelta] | None:
        """What the plots cover; a moment of the past has no live ones."""
        if self.zoom is None:
            return None if self.view.live else SPANS[FIRST]
        return SPANS[self.zoom]

    def _want_plot(self) -> None:
        """Ask for the window up to the moment shown, unless it is there or on its way."""
        if (chosen := self._span) is None or not self.host:
            return
        until = self.view.at
        if self.view.live:  # what a point covers is soon enough, and no sooner than a poll
            every = max(5.0, chosen[1].total_seconds() / POINTS)
            until = datetime.fromtimestamp((self.now.timestamp() // every + 1) * every, UTC)
        wanted = (self.host, until - chosen[1], until)
        if wanted != self._asked:
            self._asked = wanted
            self.post_message(PlotWanted(*wanted, POINTS, self.take_plot))

    def take_plot(self, wanted: PlotWanted, plot: HostPlot | None, trouble: str) -> None:
        """Draw what was asked for, unless something else was asked for since."""
        if self._asked == (wanted.host, wanted.start, wanted.until):
            self._plot = (wanted.host, wanted.start, wanted.until, plot, trouble)
            self._draw()

    def _past(self, sheet: Sheet, rows: int, columns: int) -> list[Line]:
        if (chosen := self._span) is None or self._asked is None:
            return []
        plot, trouble, window = None, "", self._asked[1:]
        if self._plot is not None and self._plot[0] == self.host and self._plot[2] - self._plot[1] == chosen[1]:
            _, start, until, plot, trouble = self._plot  # the last one stands until the next is read
            window = (start, until)
        return zoomed(chosen[0], window, plot, trouble, sheet, (rows, columns))

    def action_zoom(self, longer: int) -> None:
        """Show a shorter or longer time; shorter than the shortest is the live plots again, where there are some."""
        live = self.view.live
        if self.zoom is None:
            self.zoom = FIRST if live and longer > 0 else FIRST + longer
        elif self.zoom + longer < 0 and live:
            self.zoom = None
        else:
            self.zoom = min(max(0, self.zoom + longer), len(SPANS) - 1)
        self._draw()

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

    def action_actions(self) -> None:
        if self.host:
            self.post_message(HostActionsWanted((self.host,)))

    def action_transfer(self) -> None:
        if self.host:
            self.post_message(CopyFileWanted(self.host))

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
