"""How long hosts are to be in maintenance; the answer becomes a plan, which is shown before anything is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from console.formatting import clean
from console.screens.spans import SpanDialog, span_bindings
from core.models import PlanRequest

if TYPE_CHECKING:
    from core.models import FleetView

SPANS: tuple[tuple[str, timedelta | None], ...] = (
    ("30 minutes", timedelta(minutes=30)),
    ("2 hours", timedelta(hours=2)),
    ("8 hours", timedelta(hours=8)),
    ("1 day", timedelta(days=1)),
    ("until it is taken off", None),
)


class MaintenanceDialog(SpanDialog):
    """Asks for how long hosts are to be in maintenance."""

    SPANS = SPANS
    BINDINGS: ClassVar[list[BindingType]] = span_bindings(SPANS)

    def __init__(self, hosts: tuple[str, ...]) -> None:
        who = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
        super().__init__(f"Maintenance of {clean(who)}", "Not polled, never alarming. For how long?")
        self._hosts = hosts

    def request(self, span: timedelta | None) -> PlanRequest:
        arguments = {"hosts": " ".join(self._hosts)}
        if span is not None:
            arguments["until"] = (datetime.now(UTC) + span).replace(microsecond=0).isoformat()
        return PlanRequest("maintenance.on", arguments)


def ending(hosts: tuple[str, ...], view: FleetView) -> PlanRequest | None:
    """Return the request that ends maintenance, where all these hosts are in it."""
    by_name = {each.host.name: each.host.maintenance for each in view.hosts}
    if all(by_name.get(name, False) for name in hosts):
        return PlanRequest("maintenance.off", {"hosts": " ".join(hosts)})
    return None
