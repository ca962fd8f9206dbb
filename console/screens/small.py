"""What is shown on a terminal too small for the screen, until it is enlarged."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size

from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linesview import LinesView

MIN_WIDTH, MIN_HEIGHT = 60, 15


def too_small(size: Size) -> bool:
    """Say whether the screen cannot be drawn at that size."""
    return size.width < MIN_WIDTH or size.height < MIN_HEIGHT


class TooSmall(Cover[None]):
    """Names the size that is, the size that is needed, and how to go."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.leave_now", "quit")]

    def compose(self) -> ComposeResult:
        yield LinesView(id="too-small")

    def on_mount(self) -> None:
        self.call_after_refresh(self._draw, self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw, event.size)

    def _draw(self, size: Size) -> None:
        sheet = self.query_one(LinesView)
        text = (
            f"Terminal is {size.width}x{size.height}; Jumpwatch needs at least {MIN_WIDTH}x{MIN_HEIGHT}: "
            "enlarge it, or press q to quit."
        )
        sheet.set_lines([Line().add(part, sheet.palette.warn) for part in wrap(text, max(10, size.width - 1))])
