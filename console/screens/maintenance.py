"""How long hosts are to be in maintenance; the answer becomes a plan, which is shown before anything is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Static

from console.formatting import clean
from console.screens.base import Cover
from core.models import FleetView, PlanRequest

SPANS: tuple[tuple[str, timedelta | None], ...] = (
    ("30 minutes", timedelta(minutes=30)),
    ("2 hours", timedelta(hours=2)),
    ("8 hours", timedelta(hours=8)),
    ("1 day", timedelta(days=1)),
    ("until it is taken off", None),
)
_WIDTH = max(len(text) for text, _ in SPANS)  # buttons centre their labels: equal ones stand in a column


class MaintenanceDialog(Cover[PlanRequest | None]):
    """Asks for how long; escape asks for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer(-1)", "no"),
        *(Binding(str(place + 1), f"answer({place})", text) for place, (text, _) in enumerate(SPANS)),
        Binding("up,k", "app.focus_previous", "previous", show=False),
        Binding("down,j", "app.focus_next", "next", show=False),
    ]

    def __init__(self, hosts: tuple[str, ...]) -> None:
        super().__init__()
        self._hosts = hosts

    def compose(self) -> ComposeResult:
        who = self._hosts[0] if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        with Vertical(classes="dialog"):
            yield Static(f"Maintenance of {clean(who)}", classes="dialog-title", markup=False)
            yield Static("Not polled, never alarming. For how long?", classes="dialog-text", markup=False)
            for place, (text, _) in enumerate(SPANS):
                yield Button(f"{place + 1}  {text:<{_WIDTH}}", id=f"span-{place}", compact=True)
            yield Button(f"n  {'not at all':<{_WIDTH}}", id="span--1", compact=True)

    def on_mount(self) -> None:
        self.query_one("#span--1", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(int((event.button.id or "span--1").removeprefix("span-")))

    def action_answer(self, place: int) -> None:
        if place < 0:
            self.dismiss(None)
            return
        length = SPANS[place][1]
        arguments = {"hosts": " ".join(self._hosts)}
        if length is not None:
            arguments["until"] = (datetime.now(UTC) + length).replace(microsecond=0).isoformat()
        self.dismiss(PlanRequest("maintenance.on", arguments))


def ending(hosts: tuple[str, ...], view: FleetView) -> PlanRequest | None:
    """Return the request that ends maintenance, where all these hosts are in it."""
    by_name = {each.host.name: each.host.maintenance for each in view.hosts}
    if all(by_name.get(name, False) for name in hosts):
        return PlanRequest("maintenance.off", {"hosts": " ".join(hosts)})
    return None
