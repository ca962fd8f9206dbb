"""The note of an acknowledgement, the time of a silence; the answer becomes a plan, shown before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from console.formatting import clean
from console.screens.base import Cover
from console.screens.spans import SpanDialog, span_bindings
from core.models import PlanRequest

if TYPE_CHECKING:
    from core.models import Alert, FleetView

SPANS: tuple[tuple[str, timedelta], ...] = (
    ("30 minutes", timedelta(minutes=30)),
    ("2 hours", timedelta(hours=2)),
    ("8 hours", timedelta(hours=8)),
    ("1 day", timedelta(days=1)),
    ("1 week", timedelta(days=7)),
)


def alert_request(action: str, keys: Sequence[str], **more: str) -> PlanRequest:
    """Return the request for these alerts; keys hold no line break."""
    return PlanRequest(action, {"alerts": "\n".join(keys), **more})


def named(keys: Sequence[str], view: FleetView) -> str:
    """Return which alerts are meant, in words."""
    alerts: list[Alert] = [alert for alert in view.alerts if alert.key in keys and alert.resolved is None]
    if len(alerts) == 1:
        return clean(f"{alerts[0].host or 'Jumpwatch'}: {alerts[0].text}")
    return f"{len(keys)} alerts"


class AckDialog(Cover[PlanRequest | None]):
    """Asks for the note; an empty one acknowledges nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "no")]

    def __init__(self, keys: Sequence[str], what: str) -> None:
        super().__init__()
        self._keys, self._what = keys, what

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Acknowledge", classes="dialog-title", markup=False)
            yield Static(f"{self._what}\nWhat do you know of it? Others read it beside the alert.",
                         classes="dialog-text", markup=False)  # fmt: skip
            yield Input(id="alert-note", compact=True, max_length=200, placeholder="a note, then enter")
            with Horizontal(classes="dialog-buttons"):
                yield Button("esc  not now", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        note = event.value.strip()
        if note:
            self.dismiss(alert_request("alert.ack", self._keys, note=note))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_cancel()

    def action_cancel(self) -> None:
        self.dismiss(None)


class SilenceDialog(SpanDialog):
    """Asks for how long alerts are to be silent."""

    SPANS = SPANS
    BINDINGS: ClassVar[list[BindingType]] = span_bindings(SPANS)

    def __init__(self, keys: Sequence[str], what: str) -> None:
        text = f"{what}\nNobody is told of it, however often it comes and goes. For how long?"
        super().__init__("Silence", text)
        self._keys = keys

    def request(self, span: timedelta | None) -> PlanRequest:
        until = (datetime.now(UTC) + (span or timedelta())).replace(microsecond=0)
        return alert_request("alert.silence", self._keys, until=until.isoformat())
