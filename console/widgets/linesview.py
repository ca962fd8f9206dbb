"""A scrollable sheet of ready lines; a new content draws again only the lines that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.widgets.palette import palette_of

if TYPE_CHECKING:
    from rich.style import Style

    from console.widgets.line import Line
    from console.widgets.palette import Palette


class LinesView(ScrollView, can_focus=False, inherit_bindings=False):
    """Shows lines; scrolls where they do not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_lines(1)", "down", show=False, id="sheet.down"),
        Binding("k,up", "scroll_lines(-1)", "up", show=False, id="sheet.up"),
        Binding("g,home", "scroll_edge(0)", "first", show=False, id="sheet.first"),
        Binding("G,end", "scroll_edge(1)", "last", show=False, id="sheet.last"),
        Binding("pagedown,ctrl+d", "scroll_pages(1)", "page down", show=False, id="sheet.pagedown"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", "page up", show=False, id="sheet.pageup"),
    ]

    @dataclass
    class Resized(Message):
        """The sheet has another width; whoever wraps lines for it does so again."""

        sender: LinesView

        @property
        def control(self) -> LinesView:
            return self.sender

    def __init__(self, *, id: str | None = None, classes: str | None = None, can_focus: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self.can_focus = can_focus
        self._lines: list[Strip] = []
        self._source: Sequence[Line] = ()
        self._drawn_for: tuple[int, Style] | None = None
        self._width = 0

    @property
    def palette(self) -> Palette:
        """The palette of the present theme."""
        return palette_of(self.app)

    @property
    def text(self) -> str:
        """All lines as plain text."""
        return "\n".join(strip.text.rstrip() for strip in self._lines)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Take the lines, drawn for the present width."""
        width, strips = self.size.width, self._strips_of(lines)
        before, self._lines = self._lines, strips
        if len(strips) != len(before):
            self.virtual_size = Size(width, len(strips))
            self.refresh(layout=self.styles.is_auto_height)
            return
        first = self.scroll_offset.y
        for y in range(self.size.height):
            index = first + y
            if index < len(strips) and strips[index] != before[index]:
                self.refresh(Region(0, y, width, 1))

    def _strips_of(self, lines: Sequence[Line]) -> list[Strip]:
        """Draw the lines; one that is as it was keeps its strip."""
        width, base = self.size.width, self.rich_style
        kept = list(zip(self._source, self._lines, strict=True)) if self._drawn_for == (width, base) else []
        self._source, self._drawn_for = lines, (width, base)
        return [
            kept[y][1] if y < len(kept) and kept[y][0].segments == line.segments else line.strip(max(width, 1), base)
            for y, line in enumerate(lines)
        ]

    def render_line(self, y: int) -> Strip:
        index = self.scroll_offset.y + y
        if 0 <= index < len(self._lines):
            return self._lines[index]
        return Strip.blank(self.size.width, self.rich_style)

    def on_resize(self, event: events.Resize) -> None:
        # Lines handed over before the layout was known were cut to nothing.
        width = self.size.width
        self._lines = self._strips_of(self._source)
        self.virtual_size = Size(width, len(self._lines))
        if width != self._width:
            self._width = width
            self.post_message(self.Resized(self))

    def action_scroll_lines(self, step: int) -> None:
        self.scroll_relative(y=step, animate=False, immediate=True)

    def action_scroll_edge(self, last: int) -> None:
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False, immediate=True)

    def action_scroll_pages(self, step: int) -> None:
        self.scroll_relative(y=step * max(1, self.size.height - 1), animate=False, immediate=True)
