"""Which moment to go to, typed in words; what is understood is shown as it is typed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.formatting import moment, span
from console.screens.base import Cover
from console.timewords import EXAMPLES, parse_moment


class JumpDialog(Cover[datetime | None]):
    """Takes one line; enter goes there, escape stays."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "stay")]

    def __init__(self, utc: bool) -> None:
        super().__init__()
        self._utc = utc

    def compose(self) -> ComposeResult:
        clock = "UTC" if self._utc else "local time"
        with Vertical(classes="dialog"):
            yield Static(f"Go to which time? ({clock})", classes="dialog-title", markup=False)
            yield Static(EXAMPLES, classes="dialog-text", markup=False)
            yield Input(id="jump-text", compact=True)
            yield Static("enter goes there, esc stays", id="jump-note", classes="dialog-note", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def _meant(self, text: str) -> tuple[datetime | None, str]:
        now = datetime.now(UTC)
        try:
            found = parse_moment(text, now, utc=self._utc)
        except ValueError as error:
            return None, str(error)
        return found, f"{moment(found, self._utc)}, {span((now - found).total_seconds())} ago"

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#jump-note", Static).update(self._meant(event.value)[1])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found, note = self._meant(event.value)
        if found is None:
            self.query_one("#jump-note", Static).update(note)
        else:
            self.dismiss(found)

    def action_stay(self) -> None:
        self.dismiss(None)
