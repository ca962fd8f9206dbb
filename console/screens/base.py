"""What the modal screens share: their style sheet, loaded when the first of them is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from textual.screen import ModalScreen

from core.models import FleetView

Answer = TypeVar("Answer")


class Cover(ModalScreen[Answer]):
    """A screen that covers the main one; newer views reach it as well."""

    CSS_PATH = Path(__file__).parent.parent / "styles" / "dialogs.tcss"

    def update_view(self, view: FleetView) -> None:
        """Take a newer view; most covers show none."""
