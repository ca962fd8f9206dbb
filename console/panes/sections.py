"""The row that names the sections of a pane that shows one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from textual import events
from textual.message import Message

from console.widgets.bars import OneLine
from console.widgets.line import Line


class SectionLine(OneLine):
    """Names of the sections, the shown one underlined; a click goes there."""

    @dataclass
    class Chosen(Message):
        """A section was clicked."""

        name: str

    def __init__(self, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self.active = names[0]
        self.notes: Mapping[str, int] = {}  # how many rows are bad, where that is known
        self._places: list[tuple[int, int, str]] = []

    def draw(self, width: int) -> Line:
        look, line = self.palette, Line().gap()
        self._places = []
        for name in self._names:
            start = line.width
            line.add(name.capitalize(), look.strong + Style(underline=True) if name == self.active else look.dim)
            if bad := self.notes.get(name):
                line.add(f" ✗{bad}", look.bad)
            self._places.append((start, line.width, name))
            line.gap(3 if width >= 76 else 1)
        return line.add("tab", look.key).add(" next", look.dim)

    def on_click(self, event: events.Click) -> None:
        for start, end, name in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
