"""The one-line filter under a pane; made when it is first wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FilterBar(Horizontal):
    """Shown while a filter is typed or holds; tells every change."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "clear", "clear filter", id="filter.clear")]

    @dataclass
    class Changed(Message):
        """The text is another one."""

        text: str

    @dataclass
    class Left(Message):
        """Enter or escape: the keyboard goes back to the list."""

        cleared: bool

    def __init__(self, hint: str) -> None:
        super().__init__(id="filter")
        self._hint = hint

    def compose(self) -> ComposeResult:
        yield Static("/", id="filter-sign", markup=False)
        yield Input(placeholder=self._hint, compact=True, id="filter-text", select_on_focus=False)
        yield Static("", id="filter-note", markup=False)

    def note(self, text: str) -> None:
        """Show a remark at the right: how many are kept, what is not understood."""
        self.query_one("#filter-note", Static).update(text)

    def open(self) -> None:
        """Show the bar and type into it."""
        self.display = True
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.display = False
        self.post_message(self.Left(cleared=False))

    def action_clear(self) -> None:
        """Take the filter away and close the bar."""
        self.query_one(Input).value = ""
        self.display = False
        self.post_message(self.Left(cleared=True))
