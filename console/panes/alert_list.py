"""The alerts as a list: one line each, worst first, columns as the width allows."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from console.formatting import age, clean
from console.widgets.line import Line
from console.widgets.linelist import LineList
from core.models import AlertState

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import Alert

LEVELS = {"error": ("✗", "error"), "warning": ("▲", "warning"), "info": ("·", "info")}
STATES = {
    AlertState.RAISED: ("!", "raised"),
    AlertState.ACKNOWLEDGED: ("✓", "ack"),
    AlertState.SILENCED: ("○", "silent"),
    AlertState.SUPPRESSED: ("◇", "hidden"),
    AlertState.RESOLVED: ("●", "over"),
}
_LEVEL, _SINCE, _STATE = 10, 5, 9
_LIMIT_FROM = 124
Row = tuple[str, datetime]


def row_of(alert: Alert) -> Row:
    """Return what tells one occurrence of an alert from every other."""
    return alert.key, alert.raised


def level_style(alert: Alert, look: Palette) -> Style:
    """Return the style of an alert's severity; what wants nothing of anybody is dim."""
    if alert.state is not AlertState.RAISED:
        return look.dim
    return {"error": look.bad, "warning": look.warn}.get(alert.severity, look.info)


def said(alert: Alert, now: datetime) -> str:
    """Return the state with what belongs to it: who and what note, until when, behind what."""
    note = clean(alert.note)
    if alert.state is AlertState.ACKNOWLEDGED:
        return f"{clean(alert.acked_by)}: {note}"
    if alert.state is AlertState.SILENCED and alert.silenced_until is not None:
        left = age((alert.silenced_until - now).total_seconds())
        return f"{left} left" + (f": {note}" if note else "")
    if alert.state is AlertState.SUPPRESSED:
        return alert.hidden
    return f"raised {alert.flapping}x within the hour" if alert.flapping else ""


class AlertList(LineList):
    """Alerts by key and time of raising; the alert of each row is looked up as it is drawn."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "host", id="alerts.open")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.alerts: dict[Row, Alert] = {}
        self.marked: set[Row] = set()
        self.now = datetime.now(UTC)

    def of(self, row: Hashable) -> Alert | None:
        """Return the alert of a row."""
        return self.alerts.get(row)  # type: ignore[call-overload, no-any-return]

    @property
    def alert(self) -> Alert | None:
        """The alert under the cursor."""
        return None if self.current is None else self.of(self.current)

    def fingerprint(self, row: Hashable) -> Hashable:
        alert = self.of(row)
        return None if alert is None else (alert, self._since(alert), said(alert, self.now), row in self.marked)

    def _since(self, alert: Alert) -> str:
        return age((self.now - (alert.resolved or alert.raised)).total_seconds())

    def _widths(self, width: int) -> tuple[int, int]:
        """Return the cells of the host's name and of the limit."""
        free = max(0, width - 2 - _LEVEL - _SINCE - _STATE - 2)
        return min(24, max(9, free // 4)), min(36, free // 4) if width >= _LIMIT_FROM else 0

    def draw_header(self, width: int) -> Line:
        host, limit = self._widths(width)
        head = self.palette.head
        line = Line().gap().cell("SEVERITY", _LEVEL, head).cell("SINCE", _SINCE, head, True).gap()
        line.cell("STATE", _STATE, head).cell("HOST", host, head).gap()
        what = max(10, width - line.width - (limit + 1 if limit else 0))
        line.cell("WHAT", what, head)
        return line.gap().cell("LIMIT", limit, head) if limit else line

    def draw_row(self, row: Hashable, width: int) -> Line:
        alert = self.of(row)
        if alert is None:
            return Line()
        look = self.palette
        host, limit = self._widths(width)
        style = level_style(alert, look)
        loud = alert.state is AlertState.RAISED
        glyph, word = LEVELS[alert.severity]
        line = Line().add("*" if row in self.marked else " ", look.key)
        line.cell(f"{glyph} {word}", _LEVEL, style).cell(self._since(alert), _SINCE, look.dim, True).gap()
        glyph, word = STATES[alert.state]
        line.cell(f"{glyph} {word}", _STATE, look.strong if loud else look.dim)
        line.cell(clean(alert.host) or "jumpwatch", host, look.strong if loud else look.dim).gap()
        room = width - line.width - (limit + 1 if limit else 0)
        what = clean(alert.text)
        more = said(alert, self.now)
        if alert.forecast and alert.forecast not in alert.text:
            what += f", {alert.forecast}"
        line.cell(what + (f" ({more})" if more else ""), room, look.text if loud else look.dim)
        return line.gap().cell(clean(alert.limit), limit, look.dim) if limit else line
