"""The command line: a colon, what is typed, and what it may become; made when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os.path import commonprefix
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

KEPT = 200
Complete = Callable[[str], list[str]]


class CommandBar(Horizontal):
    """Takes one line with completion by tab and history by the arrows; tells when it is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "cancel", "cancel", id="command.cancel"),
        Binding("tab", "complete(1)", "complete", id="command.complete"),
        Binding("shift+tab", "complete(-1)", "complete back", show=False, id="command.complete_back"),
        Binding("up", "walk(-1)", "earlier", id="command.earlier"),
        Binding("down", "walk(1)", "later", show=False, id="command.later"),
    ]

    @dataclass
    class Done(Message):
        """Enter, or escape (then the text is empty)."""

        text: str

    def __init__(self, complete: Complete, history: list[str]) -> None:
        super().__init__(id="command")
        self.complete, self.history = complete, history
        self._place = len(history)  # in the history; its end is the line being typed
        self._typed = ""
        self._offered: list[str] = []
        self._chosen = -1
        self._ours = ""  # the text that we put there ourselves

    def compose(self) -> ComposeResult:
        yield Static(":", id="command-sign", markup=False)
        yield Input(compact=True, id="command-text", select_on_focus=False)
        yield Static("", id="command-note", markup=False)

    @property
    def box(self) -> Input:
        """The field."""
        return self.query_one(Input)

    def open(self, text: str = "") -> None:
        """Show the bar and type into it."""
        self.display = True
        self._place, self._typed = len(self.history), text
        self._put(text)
        self._offer()
        self.box.focus()

    def close(self) -> None:
        """Hide the bar."""
        self.display = False
        self.box.value = ""

    def say(self, text: str) -> None:
        """Show a remark at the right."""
        self.query_one("#command-note", Static).update(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._ours:
            self._ours, self._chosen = "\0", -1
            self._offer()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = " ".join(event.value.lstrip(":").split())
        if text and (not self.history or self.history[-1] != text):
            self.history.append(text)
            del self.history[:-KEPT]
        self.post_message(self.Done(text))

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_offer)

    def _put(self, text: str) -> None:
        self._ours = text
        self.box.value = text
        self.box.cursor_position = len(text)

    def _offer(self) -> None:
        self._offered = self.complete(self.box.value) if self.box.value else []
        self._show_offer()

    def _show_offer(self) -> None:
        room = max(10, self.size.width // 2)
        names = [line.rpartition(" ")[2] or line for line in self._offered]
        if self._chosen >= 0:
            names = names[self._chosen :] + names[: self._chosen]
        shown = ""
        for name in names:
            if len(shown) + len(name) + 3 > room:
                shown += " …"
                break
            shown += ("  " if shown else "") + name
        self.say(shown if self.box.value else "tab completes  ↑ earlier  esc cancels")

    def action_complete(self, step: int) -> None:
        """Go on as far as all agree; then walk through what may be meant."""
        if not self._offered:
            self._offered = self.complete(self.box.value)
        if not self._offered:
            return
        same = commonprefix(self._offered)  # noqa: RUF071 - of lines, not of paths
        if self._chosen < 0 and len(same) > len(self.box.value) and len(self._offered) > 1:
            self._put(same)
            self._offer()
            return
        if len(self._offered) == 1:
            self._put(self._offered[0] + " ")
            self._offer()
            return
        self._chosen = (self._chosen + step) % len(self._offered)
        self._put(self._offered[self._chosen])
        self._show_offer()

    def action_walk(self, step: int) -> None:
        """Go through the history."""
        if self._place == len(self.history):
            self._typed = self.box.value
        self._place = max(0, min(len(self.history), self._place + step))
        self._put(self.history[self._place] if self._place < len(self.history) else self._typed)
        self._chosen = -1
        self._offer()

    def action_cancel(self) -> None:
        self.post_message(self.Done(""))
