"""What the modal screens share: their style sheet, loaded when the first of them is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from core.models import FleetView

Answer = TypeVar("Answer")


class Cover(ModalScreen[Answer]):
    """A screen that covers the main one; newer views reach it as well."""

    CSS_PATH = Path(__file__).parent.parent / "styles" / "dialogs.tcss"
    _dismissed = False

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once: a second key in haste must not close what lies below, or answer twice."""
        if self._dismissed or self.app.screen is not self:
            return AwaitComplete()
        self._dismissed = True
        return super().dismiss(result)

    def update_view(self, view: FleetView) -> None:
        """Take a newer view; most covers show none."""
