"""Which alerts are news since the last view: for the bell, and for messages on the desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.formatting import clean
from console.messages import AttentionWanted
from core.models import PollerRole

if TYPE_CHECKING:
    from core.models import Alert, FleetView


class News:
    """Remembers what waited for a person; what stood before the first look is no news."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] | None = None

    def of(self, view: FleetView) -> AttentionWanted | None:
        """Return the message for the alerts that came, or got worse, since the last view; None where none did."""
        if not view.live or view.role is PollerRole.STARTING:
            return None
        loud = {(alert.key, alert.severity): alert for alert in view.alerts if alert.loud and alert.severity != "info"}
        known, self._known = self._known, set(loud)
        if known is None:
            return None
        new = [alert for told, alert in loud.items() if told not in known]
        if not new:
            return None
        worst = new[0]  # they come worst first
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        return AttentionWanted(_line(worst) + more, "error" if worst.severity == "error" else "warning")


def _line(alert: Alert) -> str:
    return clean(f"{alert.host}: {alert.text}" if alert.host else alert.text, 160)
