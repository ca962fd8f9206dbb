"""The three steps of a first start: hosts, their keys, leaving read-only; each says whether it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linesview import LinesView
from core.models import HostState

if TYPE_CHECKING:
    from console.screens.comforts import Comforts
    from console.services import ConsoleServices
    from console.widgets.palette import Palette
    from core.models import FleetView


class Guide(Cover[None]):
    """Follows what is done while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close"),
        Binding("h", "review", "review host keys"),
        Binding("w", "unlock", "leave read-only"),
    ]

    def __init__(self, services: ConsoleServices, main: Comforts) -> None:
        super().__init__()
        self._services, self._main = services, main

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="guide"):
            yield Static("Three steps", classes="dialog-title", markup=False)
            yield LinesView(id="guide-steps")
            yield Static("h host keys  w write mode  esc closes; :guide shows it again", id="guide-note", markup=False)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._draw)
        self.call_after_refresh(self._draw)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def update_view(self, view: FleetView) -> None:
        """Take a newer view."""
        self._draw()

    def _draw(self) -> None:
        sheet = self.query_one(LinesView)
        sheet.set_lines(guide_lines(self._services, sheet.size.width - 1, sheet.palette))

    def action_review(self) -> None:
        self._main.action_review()

    def action_unlock(self) -> None:
        self._main.action_unlock()


def guide_lines(services: ConsoleServices, width: int, look: Palette) -> list[Line]:
    """Return the steps, each with a sign and a word for whether it is done."""
    view = services.view
    reached = sum(each.state in (HostState.ONLINE, HostState.DEGRADED) for each in view.hosts)
    waiting = len(view.reviews)
    steps = (
        (
            "Add hosts",
            bool(view.hosts),
            f"{len(view.hosts)} in the inventory" if view.hosts else "none yet",
            "In another terminal: `jumpwatch hosts import` takes those of your ssh_config, `jumpwatch hosts add NAME` "
            "one more. They appear here within seconds; nothing is installed on them.",
        ),
        (
            "Check host keys",
            bool(view.hosts) and not waiting and reached > 0,
            f"{waiting} wait for review" if waiting else f"{reached} of {len(view.hosts)} hosts answer",
            "A key that is not in known_hosts waits until a person compared it: h shows them with fingerprints. "
            "`jumpwatch hosts check` does the same at the command line.",
        ),
        (
            "Leave read-only when you mean to act",
            not services.read_only,
            "read-only now" if services.read_only else "write mode now",
            "The console starts read-only. w allows actions for ten minutes; each still shows its plan and wants a "
            "name typed. You need not do this now.",
        ),
    )
    lines: list[Line] = []
    for number, (title, done, state, text) in enumerate(steps, 1):
        sign, style = ("✓ done", look.ok) if done else ("○ open", look.warn)
        lines.append(Line())
        lines.append(Line().add(f"{number}  ", look.key).add(title, look.strong).gap(2).add(sign, style))
        lines.append(Line().gap(3).add(state, look.dim))
        lines += [Line().gap(3).add(part, look.text) for part in wrap(text, width - 3)]
    return lines
