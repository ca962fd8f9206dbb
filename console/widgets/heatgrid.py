"""A map of many hosts: a cell each, its level as a glyph; the cursor walks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.widgets.line import Line
from console.widgets.palette import palette_of

if TYPE_CHECKING:
    from console.widgets.palette import Palette

Mark = tuple[str, int]
"""Glyph and level of a cell: 0 fine, 1 warning, 2 bad, -1 away or not known."""


class HeatGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """Cells by name, row after row; wide cells while all fit, narrow ones else."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "step(1, 0)", "right", show=False),
        Binding("left,h", "step(-1, 0)", "left", show=False),
        Binding("down,j", "step(0, 1)", "down", show=False),
        Binding("up,k", "step(0, -1)", "up", show=False),
        Binding("home,g", "edge(0)", "first", show=False),
        Binding("end,G", "edge(1)", "last", show=False),
        Binding("enter", "open", "host"),
    ]

    class Moved(Message):
        """Another cell is under the cursor."""

    @dataclass
    class Opened(Message):
        """Enter, or a second click."""

        name: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names: Sequence[str] = ()
        self.mark_of: Callable[[str], Mark] = lambda name: ("·", -1)
        self.cursor = 0

    @property
    def palette(self) -> Palette:
        """The palette of the present theme."""
        return palette_of(self.app)

    @property
    def current(self) -> str | None:
        """The name under the cursor."""
        return self.names[self.cursor] if 0 <= self.cursor < len(self.names) else None

    @property
    def cell(self) -> int:
        """Cells of one host: 3, 2 or 1, the widest with which all fit."""
        width, height = max(1, self.size.width), max(1, self.size.height)
        return next((cells for cells in (3, 2) if len(self.names) <= (width // cells) * height), 1)

    @property
    def across(self) -> int:
        """Hosts in a row."""
        return max(1, self.size.width // self.cell)

    def set_names(self, names: Sequence[str]) -> None:
        """Take the names in order; the cursor stays on its name."""
        current = self.current
        self.names = names
        if current in names:
            self.cursor = list(names).index(str(current))
        self.cursor = max(0, min(self.cursor, len(names) - 1))
        self._fit()
        self.refresh()

    def select(self, name: str) -> None:
        """Put the cursor on that name, if it is there."""
        if name in self.names:
            self.cursor = list(self.names).index(name)

    def _fit(self) -> None:
        self.virtual_size = Size(self.size.width, -(-len(self.names) // self.across))

    def on_resize(self, event: events.Resize) -> None:
        self._fit()
        self.call_after_refresh(self._show_cursor)

    def render_line(self, y: int) -> Strip:
        row, across, cell, look, line = self.scroll_offset.y + y, self.across, self.cell, self.palette, Line()
        for place in range(row * across, min((row + 1) * across, len(self.names))):
            glyph, level = self.mark_of(self.names[place])
            style = look.dim if level < 0 else (look.ok, look.warn, look.bad)[level]
            if place == self.cursor:  # seen without colour too
                style = style + Style(reverse=True, bold=True)
            line.add(glyph * min(cell, 2), style).gap(cell - min(cell, 2))
        return line.strip(self.size.width, self.rich_style)

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor // self.across, 1, 1), animate=False, immediate=True)

    def _go(self, place: int) -> None:
        self.cursor = max(0, min(place, len(self.names) - 1))
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def action_step(self, right: int, down: int) -> None:
        place = self.cursor + right + down * self.across
        if 0 <= place < len(self.names):
            self._go(place)

    def action_edge(self, last: int) -> None:
        self._go(len(self.names) - 1 if last else 0)

    def action_open(self) -> None:
        if (name := self.current) is not None:
            self.post_message(self.Opened(name))

    def on_click(self, event: events.Click) -> None:
        place = (self.scroll_offset.y + event.y) * self.across + min(event.x // self.cell, self.across - 1)
        if place < len(self.names):
            again = place == self.cursor and event.chain >= 2
            self._go(place)
            if again:
                self.action_open()
