"""The alerts: worst first, the one under the cursor in full beside or below; acknowledged and silenced by key."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from console.formatting import clean
from console.messages import AlertWanted, HostWanted, Remark
from console.panes.alert_list import AlertList, row_of
from console.panes.alert_sheet import alert_lines, nothing_lines
from console.panes.base import Pane
from console.panes.query import Figure, Query, Vocabulary, complete, parse
from console.widgets.filterbar import FilterBar
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from core.models import PollerRole

if TYPE_CHECKING:
    from core.models import Alert, FleetView

_WIDE, _TALL = 140, 18
ALERTS: Vocabulary[Alert] = Vocabulary(
    {"age": Figure(lambda alert, now: (now - alert.raised).total_seconds(), "seconds", moves=True)},
    {
        "severity": lambda alert: (alert.severity,),
        "state": lambda alert: (alert.state,),
        "rule": lambda alert: (alert.rule,),
        "host": lambda alert: (alert.host,),
        "item": lambda alert: (alert.item,),
    },
    lambda alert: (
        alert.severity, alert.state, alert.rule, alert.host, alert.text, alert.title, alert.note,
    ),
)  # fmt: skip


class AlertsPane(Pane):
    """A list, a sheet, a filter; what it shows while there is nothing teaches."""

    TITLE = "Alerts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="alerts.filter"),
        Binding("a", "say('ack')", "acknowledge", id="alerts.ack"),
        Binding("z", "say('silence')", "silence", tooltip="silence for a time", id="alerts.silence"),
        Binding("Z", "say('unsilence')", "take the silence back", show=False, id="alerts.unsilence"),
        Binding("space", "mark", "mark", show=False, id="alerts.mark"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._query: Query[Alert] = Query("")

    def compose(self) -> ComposeResult:
        with Container(id="alerts-main"):
            yield AlertList(id="alert-list")
            yield LinesView(id="alert-sheet")

    @property
    def listing(self) -> AlertList:
        """The list of alerts."""
        return self.query_one(AlertList)

    def focus_main(self) -> None:
        self.listing.focus()

    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        target, query = self.listing, self._query
        target.now = self.now
        target.alerts = {row_of(alert): alert for alert in view.alerts}
        rows = [row_of(alert) for alert in view.alerts if query.keeps(alert, self.now)]
        target.marked &= set(rows)
        target.set_rows(rows)
        if not rows:
            watching = view.role is not PollerRole.STARTING and bool(view.hosts)
            target.set_nothing(nothing_lines(target.palette, bool(query.text) and bool(view.alerts), watching))
        if query.text:
            self.query_one(FilterBar).note(f"{len(rows)} of {len(view.alerts)}", query.fault)
        self._draw_sheet()

    def tick(self, now: datetime) -> None:
        super().tick(now)
        self.listing.now = now
        self.listing.refresh_dirty()
        self._draw_sheet()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self._draw_sheet()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _WIDE, "wide")
        self.query_one("#alert-sheet").display = event.size.width >= _WIDE or event.size.height >= _TALL
        self.call_after_refresh(self._draw_sheet)

    def _draw_sheet(self) -> None:
        sheet, alert = self.query_one("#alert-sheet", LinesView), self.listing.alert
        if sheet.display and sheet.size.width >= 20:
            sheet.set_lines(
                [] if alert is None else alert_lines(alert, self.now, sheet.size.width - 1, self.utc, sheet.palette)
            )

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self._draw_sheet()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        alert = self.listing.alert
        if alert is None:
            return
        if any(each.host.name == alert.host for each in self.view.hosts):
            self.post_message(HostWanted(alert.host))
        else:
            self.post_message(Remark("this is Jumpwatch's own: 5 shows its database" if not alert.host else "no host"))

    def _chosen(self) -> tuple[Alert, ...]:
        """The marked alerts that stand, or the one under the cursor."""
        target = self.listing
        marked = [target.of(row) for row in target.rows if row in target.marked]
        found = marked or [target.alert]
        return tuple(alert for alert in found if alert is not None and alert.resolved is None)

    def action_say(self, what: str) -> None:
        """Acknowledge, silence or unsilence the marked alerts, or the one under the cursor."""
        chosen = self._chosen()
        if chosen:
            self.post_message(AlertWanted(what, tuple(alert.key for alert in chosen)))
        elif self.listing.alert is not None:
            self.post_message(Remark("that one is over already"))

    def action_mark(self) -> None:
        target = self.listing
        if target.current is not None:
            target.marked ^= {target.current}  # type: ignore[arg-type]
            target.refresh_dirty()
            target.action_move(1)

    # The filter.
    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        if not bars:
            hint = "words  !not  severity:error  state:raised  age>1h"
            await self.mount(FilterBar(hint, lambda text: complete(text, ALERTS, self.view.alerts)))
        self.query_one(FilterBar).open()

    def close_inner(self) -> bool:
        if not self._query.text:
            return False
        self.query_one(FilterBar).action_clear()
        return True

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._query = parse(event.text.strip(), ALERTS)
        self.update_view(self.view)

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.listing.focus()

    def copy_text(self) -> tuple[str, str]:
        alert = self.listing.alert
        if alert is None:
            return "", ""
        text = f"{alert.severity} {alert.state} {alert.host} {alert.text} since {alert.raised.isoformat()}"
        return clean(text + (f" ({alert.note})" if alert.note else "")), "the alert"
