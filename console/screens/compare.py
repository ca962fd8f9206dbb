"""The marked hosts side by side, following the live view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.panes.comparing import CELL, LABEL, lines_of
from console.screens.base import Cover
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from core.models import FleetView, HostView


class CompareScreen(Cover[str]):
    """Figures in rows, hosts in columns; left and right go on to hosts that do not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,c", "close", "close"),
        Binding("left,h", "shift(-1)", "hosts before"),
        Binding("right,l", "shift(1)", "further hosts"),
        Binding("d", "only", "differences alone, or all"),
        Binding("enter", "open", "the first host shown"),
    ]

    def __init__(self, hosts: tuple[str, ...], services: ConsoleServices) -> None:
        super().__init__()
        self._hosts, self._services = hosts, services
        self._first, self._only = 0, False

    def compose(self) -> ComposeResult:
        with Vertical(classes="whole"):
            yield Static("", id="compare-title", classes="dialog-title", markup=False)
            yield LinesView(id="compare", can_focus=True)
            yield Static("", id="compare-note", classes="dialog-note", markup=False)

    def on_mount(self) -> None:
        self.query_one(LinesView).focus()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def update_view(self, view: FleetView) -> None:
        self._draw()

    @property
    def shown(self) -> list[HostView]:
        """The hosts that fit, from the first one shown."""
        room = max(1, (self.size.width - 2 - LABEL) // CELL)
        view = self._services.view
        known = {each.host.name: each for each in view.hosts}
        there = [known[name] for name in self._hosts if name in known]
        self._first = max(0, min(self._first, len(there) - room))
        return there[self._first : self._first + room]

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        sheet, views, view = self.query_one(LinesView), self.shown, self._services.view
        now = datetime.now(UTC) if view.live else view.at
        lines, apart = lines_of(views, now, sheet.size.width, sheet.palette, self._only)
        sheet.set_lines(lines)
        place = "" if len(views) == len(self._hosts) else f", {self._first + 1} to {self._first + len(views)} shown"
        self.query_one("#compare-title", Static).update(f"{len(self._hosts)} hosts side by side{place}")
        note = f"{apart} rows differ: ▲ highest  ▼ lowest  ≠ another text   d differences alone   ←→ hosts   esc closes"
        self.query_one("#compare-note", Static).update(note)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where all hosts fit there are no further ones."""
        return len(self.shown) < len(self._hosts) if action == "shift" else super().check_action(action, parameters)

    def action_shift(self, step: int) -> None:
        self._first += step
        self._draw()

    def action_only(self) -> None:
        self._only = not self._only
        self._draw()

    def action_open(self) -> None:
        if views := self.shown:
            self.dismiss(views[0].host.name)

    def action_close(self) -> None:
        self.dismiss(None)
