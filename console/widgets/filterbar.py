"""The one-line filter under a pane; made when it is first wanted. A second line tells what may follow, or is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from console.formatting import clean
from console.widgets.line import fit

Complete = Callable[[str], Sequence[str]]
"""Takes the text and returns what its last word may become, best first."""


class FilterBar(Vertical):
    """Shown while a filter is typed or holds; tells every change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear filter", id="filter.clear"),
        Binding("tab", "complete", "complete", show=False, id="filter.complete"),
    ]

    @dataclass
    class Changed(Message):
        """The text is another one."""

        text: str

    @dataclass
    class Left(Message):
        """Enter or escape: the keyboard goes back to the list."""

        cleared: bool

    def __init__(self, hint: str, complete: Complete = lambda text: ()) -> None:
        super().__init__(id="filter")
        self._hint, self._complete = hint, complete
        self._wrong: tuple[int, str] | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("/", id="filter-sign", markup=False)
            yield Input(
                placeholder=self._hint,
                compact=True,
                id="filter-text",
                select_on_focus=False,
                suggester=_Known(self._complete),
            )
            yield Static("", id="filter-note", markup=False)
        yield Static("", id="filter-help", markup=False)

    def on_mount(self) -> None:
        self.query_one("#filter-help").display = False

    @property
    def text(self) -> str:
        """What is typed; empty before the bar is there."""
        boxes = self.query(Input)
        return boxes.first().value.strip() if boxes else ""

    def note(self, text: str, wrong: tuple[int, str] | None = None) -> None:
        """Show a remark at the right (how many are kept), and below the text what is wrong, at its place."""
        self.query_one("#filter-note", Static).update(text)
        self._wrong = wrong
        self._help()

    def open(self) -> None:
        """Show the bar and type into it."""
        self.display = True
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))
        self._help()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._help()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._help()

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

    def action_complete(self) -> None:
        """Take the first of what the last word may become."""
        box = self.query_one(Input)
        if found := self._complete(box.value):
            box.value = _with_last(box.value, found[0])
            box.cursor_position = len(box.value)

    def _help(self) -> None:
        box, line = self.query_one(Input), self.query_one("#filter-help", Static)
        words = self._complete(box.value) if box.has_focus else ()
        room = max(10, self.size.width - 5)
        if self._wrong is not None:
            place, text = self._wrong
            lead = min(place, max(0, room - len(text) - 2))
            shown = " " * lead + "^ " + text
        else:
            shown = "tab " + "  ".join(clean(word, 60) for word in words[:40]) if words else ""
        line.update(fit("   " + shown, room + 3).rstrip())
        line.display = bool(shown)


class _Known(Suggester):
    """Shows the first of what the last word may become behind the cursor; the right arrow takes it."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        found = self._complete(value)
        whole = _with_last(value, found[0]) if found else ""
        return whole if whole.lower().startswith(value.lower()) and whole != value else None


def _with_last(text: str, word: str) -> str:
    """Return the text with its last word replaced; a word in quotes may hold blanks."""
    low = text.lower()
    at = max(low.rfind(" ") + 1, 0)
    if low.count('"') % 2:
        at = low.rfind(" ", 0, low.rfind('"')) + 1
    return text[:at] + word
