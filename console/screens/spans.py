"""The dialog that asks for a length of time; each answer becomes a request, whose plan is shown before anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Static

from console.screens.base import Cover
from core.models import PlanRequest

Spans = Sequence[tuple[str, timedelta | None]]


def span_bindings(spans: Spans) -> list[BindingType]:
    """Return the keys of a dialog with these answers: a number each, and no."""
    return [
        Binding("escape,n,q", "answer(-1)", "no"),
        *(Binding(str(place + 1), f"answer({place})", text) for place, (text, _) in enumerate(spans)),
        Binding("up,k", "app.focus_previous", "previous", show=False),
        Binding("down,j", "app.focus_next", "next", show=False),
    ]


class SpanDialog(Cover[PlanRequest | None]):
    """Asks for one of the spans; escape asks for nothing."""

    SPANS: ClassVar[Spans] = ()
    WIDTH: ClassVar[int] = 0  # at least; buttons centre their labels: equal ones stand in a column

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def request(self, span: timedelta | None) -> PlanRequest:
        """Return what the answer asks for."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        width = max(self.WIDTH, *(len(text) for text, _ in self.SPANS))
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, classes="dialog-text", markup=False)
            for place, (text, _) in enumerate(self.SPANS):
                yield Button(f"{place + 1}  {text:<{width}}", id=f"span-{place}", compact=True)
            yield Button(f"n  {'not at all':<{width}}", id="span--1", compact=True)

    def on_mount(self) -> None:
        self.query_one("#span--1", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(int((event.button.id or "span--1").removeprefix("span-")))

    def action_answer(self, place: int) -> None:
        self.dismiss(None if place < 0 else self.request(self.SPANS[place][1]))
