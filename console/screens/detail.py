"""One thing with all of its text: a job with its last error, a session with its statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.formatting import clean, clean_lines
from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from console.widgets.palette import Palette

Facts = tuple[tuple[str, str], ...]
_NAME = 13


class DetailScreen(Cover[None]):
    """Names and values; foreign text keeps its lines and nothing else of its form."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close"),
        Binding("y", "copy", "copy"),
    ]

    def __init__(self, title: str, facts: Facts) -> None:
        super().__init__()
        self._title, self._facts = title, facts

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            yield LinesView(id="detail", can_focus=True)
            yield Static("esc closes, j k scroll, y copies", classes="dialog-note", markup=False)

    def on_mount(self) -> None:
        self.query_one(LinesView).focus()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        sheet = self.query_one(LinesView)
        sheet.set_lines(fact_lines(self._facts, max(20, sheet.size.width - 1), sheet.palette))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(f"{name}: {value}" for name, value in self._facts))
        self.notify("copied", timeout=2, markup=False)


def fact_lines(facts: Facts, width: int, look: Palette) -> list[Line]:
    """Return the facts, each value wrapped beside its name."""
    lines = []
    for name, value in facts:
        parts = [part for text in clean_lines(value) for part in wrap(text, width - _NAME - 1)] or [""]
        lines += [Line().cell("" if n else name, _NAME, look.dim).add(p, look.text) for n, p in enumerate(parts)]
    return lines
