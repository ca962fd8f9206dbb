"""Short questions: leaving read-only, quitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from console.formatting import clean, span
from console.screens.base import Cover
from core.exceptions import InfrastructureException
from core.models import PollerRole

if TYPE_CHECKING:
    from console.actions.operate import Operator
    from console.services import ConsoleServices

_WITHOUT_SCREEN = "`jumpwatch collect` goes on without a screen: start it in another terminal, or as a service."


class Question(Cover[bool]):
    """A title, a few lines, yes and no; no is the default."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer(False)", "no"),
        Binding("y", "answer(True)", "yes"),
        Binding("left,right,tab", "app.focus_next", "other button", show=False),
    ]

    def __init__(self, title: str, lines: list[str], yes: str, no: str) -> None:
        super().__init__()
        self._title, self._text, self._labels = title, lines, (yes, no)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static("\n".join(clean(line) for line in self._text), classes="dialog-text", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"n  {self._labels[1]}", id="no", compact=True)
                yield Button(f"y  {self._labels[0]}", id="yes", compact=True, variant="warning")

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(event.button.id == "yes")

    def action_answer(self, sure: bool) -> None:
        self.dismiss(sure)


class UnlockDialog(Question):
    """Leaves read-only for a while where the answer is yes."""

    def __init__(self, services: ConsoleServices, seconds: float) -> None:
        super().__init__(
            "Leave read-only?",
            [
                f"For {span(seconds)} actions may be applied; then read-only comes back.",
                "Each action still shows its plan and wants its name typed.",
            ],
            "leave read-only",
            "stay read-only",
        )
        self._services, self._seconds = services, seconds

    def action_answer(self, sure: bool) -> None:
        if sure:
            try:
                self._services.unlock(self._seconds)
            except InfrastructureException as error:
                self.notify(clean(error.message), title="Still read-only", severity="error", markup=False)
                sure = False
        self.dismiss(sure)


class QuitDialog(Question):
    """Says what stops when the console is left."""

    def __init__(self, services: ConsoleServices, operator: Operator) -> None:
        super().__init__("Quit Jumpwatch?", what_stops(services, operator), "quit", "stay")


def what_stops(services: ConsoleServices, operator: Operator) -> list[str]:
    """Return in words what ends when the console ends."""
    view = services.view
    lines = []
    if view.role is PollerRole.POLLER:
        lines.append(f"Polling of {len(view.hosts)} hosts stops here; another console, if open, takes over.")
        lines.append("With no console open nothing is measured or stored, and nothing alarms: the history has a gap.")
        lines.append(_WITHOUT_SCREEN)
    elif view.role is PollerRole.VIEWER:
        lines.append("This console only looks on: polling goes on elsewhere.")
    else:
        lines.append("The start is under way and is broken off.")
    capability = view.database.capability
    if capability is not None and capability.kind != "given":
        lines.append("Its own database stops too, unless another console uses it.")
    if view.writer.queued:
        lines.append(f"{view.writer.queued} samples are written or spooled first.")
    for operation in operator.running:
        lines.append(f"Cut off: {operation.label}. The audit keeps its intent.")
    return lines
