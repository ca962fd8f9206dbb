"""The time line in one row: window, place, marks of alerts, states and actions, and where nothing was stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events
from textual.message import Message

from console.formatting import age, clean, moment
from console.widgets.bars import OneLine
from console.widgets.line import Line, fit
from core.models import MarkKind

if TYPE_CHECKING:
    from core.models import FleetView, Mark, ReplayStatus, Timeline

_RANK = {"info": 0, "warning": 1, "error": 2}
# Each kind and severity has a glyph of its own: no colour is needed to tell them apart.
_GLYPHS = {
    (MarkKind.STATE, 0): "●",
    (MarkKind.STATE, 1): "▲",
    (MarkKind.STATE, 2): "✗",
    (MarkKind.ACTION, 0): "◆",
    (MarkKind.ACTION, 1): "◆",
    (MarkKind.ACTION, 2): "◆",
    (MarkKind.ALERT, 0): "!",
    (MarkKind.ALERT, 1): "!",
    (MarkKind.ALERT, 2): "‼",
}
_COVERED, _UNREAD, _GAP, _PLACE = "─", "┄", " ", "█"


def step_name(step: timedelta) -> str:
    """Return a step as the scrubber names it: ``10m``."""
    seconds = int(step.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _weight(mark: Mark) -> tuple[int, bool, bool]:
    """Return what makes one mark stand before another in the same cell."""
    return _RANK.get(mark.severity, 0), mark.kind is MarkKind.ALERT, mark.kind is MarkKind.ACTION


class Scrubber(OneLine):
    """Shown while the console is in the past; a click on the line goes there."""

    @dataclass
    class Chosen(Message):
        """A moment was clicked."""

        at: datetime

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.status: ReplayStatus | None = None
        self.utc = True
        self.note = ""
        self._bar = (0, 0)
        self.display = False

    def take(self, status: ReplayStatus, view: FleetView, pane_is_live: bool) -> None:
        """Take where the console stands, and what is to be said of the view."""
        self.status = status
        note = view.past.note if view.past and not view.live else ""
        self.note = status.trouble or ("reading" if status.reading else "") or note
        if pane_is_live and not status.trouble:
            self.note = "this pane shows now: its past is not kept"
        self.display = status.at is not None
        if self.display:
            self.update_line()

    def draw(self, width: int) -> Line:
        line, look, status = Line().gap(), self.palette, self.status
        if status is None or status.at is None or status.timeline is None:
            return line
        whole, at = status.timeline, status.at
        form = "%H:%M" if whole.stop - whole.start <= timedelta(days=1) else "%m-%d %H:%M"
        left, right = moment(whole.start, self.utc, form), moment(whole.stop, self.utc, form)
        tail = f"{age((datetime.now(UTC) - at).total_seconds())} ago  step {step_name(status.step)}"
        note = clean(self.note)
        if width >= 100 and not note:
            tail += "  ( ) step  , . mark  ; alert  t time  \\ live"
        room = width - len(left) - len(right) - len(tail) - 7
        if note:
            room -= min(len(note), max(22, room - 24)) + 2
        cells = max(10, room)
        line.add(left, look.dim).gap()
        self._bar = (line.width, cells)
        for text, style in self._cells(whole, at, cells):
            line.add(text, style)
        line.gap().add(right, look.dim).gap(2)
        if note:
            space = width - line.width - len(tail) - 3
            line.add(fit(note, min(len(note), max(0, space))), look.warn).gap(2)
        return line.add(tail, look.dim)

    def _cells(self, whole: Timeline, at: datetime, cells: int) -> list[tuple[str, Style]]:
        look = self.palette
        length = (whole.stop - whole.start) / cells
        plain = (_UNREAD if whole.gaps is None else _COVERED, look.faint)
        row = [plain] * cells
        for cell in range(cells):
            middle = whole.start + length * (cell + 0.5)
            if any(low <= middle < high for low, high in whole.gaps or ()):
                row[cell] = (_GAP, look.faint)
        heaviest: dict[int, Mark] = {}
        for mark in whole.marks:
            cell = min(cells - 1, max(0, int((mark.ts - whole.start) / length)))
            if cell not in heaviest or _weight(mark) >= _weight(heaviest[cell]):
                heaviest[cell] = mark
        for cell, mark in heaviest.items():
            level = _RANK.get(mark.severity, 0)
            action = mark.kind is MarkKind.ACTION and not level
            row[cell] = (_GLYPHS[mark.kind, level], look.info if action else look.level(level) if level else look.ok)
        place = min(cells - 1, max(0, int((at - whole.start) / length)))
        row[place] = (_PLACE, look.key)
        return row

    def on_click(self, event: events.Click) -> None:
        start, cells = self._bar
        whole = self.status.timeline if self.status else None
        if whole is not None and cells and start <= event.x < start + cells:
            self.post_message(self.Chosen(whole.start + (whole.stop - whole.start) * (event.x - start) / cells))
