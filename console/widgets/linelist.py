"""A list drawn line by line: strips are kept, and only visible lines that changed are drawn again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.widgets.line import Line
from console.widgets.palette import palette_of

if TYPE_CHECKING:
    from console.widgets.palette import Palette

_MAX_KEPT = 1000


class LineList(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with identities, a cursor that stays on its row's identity, and a header that does not scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False, id="list.down"),
        Binding("k,up", "move(-1)", "up", show=False, id="list.up"),
        Binding("g,home", "edge(0)", "first", show=False, id="list.first"),
        Binding("G,end", "edge(1)", "last", show=False, id="list.last"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="list.pagedown"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="list.pageup"),
        Binding("enter", "open", "open", show=False, id="list.open"),
    ]
    HEADER: ClassVar[bool] = True
    OPENS: ClassVar[bool] = True  # enter leads somewhere; else it is no key of this list
    cursor: reactive[int] = reactive(0, repaint=False)

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        sender: LineList

        @property
        def control(self) -> LineList:
            return self.sender

    @dataclass
    class Opened(Message):
        """Enter or a second click on the row under the cursor."""

        sender: LineList

        @property
        def control(self) -> LineList:
            return self.sender

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[Hashable] = ()
        self.nothing: Sequence[Line] = ()  # shown while there is no row, from the top
        self._strips: dict[Hashable, tuple[Hashable, Hashable, Strip]] = {}  # fingerprint, what else counts
        self._ready: dict[int, Strip] = {}  # visible lines, to be composed as they are
        self._painted: dict[int, tuple[Hashable, Hashable]] = {}
        self._palette: Palette | None = None
        self._base: Style | None = None

    @property
    def room(self) -> int:
        """The cells of a row: a scrollbar lies over the last one."""
        return self.size.width - (self.scrollbar_size_vertical if self.show_vertical_scrollbar else 0)

    # What a list says of its rows.
    def fingerprint(self, row: Hashable) -> Hashable:
        """Return what the drawing of the row depends on, besides cursor and width."""
        raise NotImplementedError

    def draw_row(self, row: Hashable, width: int) -> Line:
        """Return the row's line."""
        raise NotImplementedError

    def patch_row(self, strip: Strip, before: Hashable, now: Hashable, width: int) -> Strip | None:
        """Return the row's strip made from the one of the fingerprint before; None where it must be drawn anew."""
        return None

    def draw_header(self, width: int) -> Line:
        """Return the header's line."""
        return Line()

    def head_clicked(self, x: int) -> None:
        """Take a click on the header; ``head_word`` says which column it was."""

    def head_word(self, x: int) -> str:
        """Return the header's word at that cell, or the one it stands under to the right; empty where there is none."""
        text = self.draw_header(self.room).plain
        start = text.rfind(" ", 0, x + 1) + 1
        word = text[start:].split(" ", 1)[0] or (text[x:].split() or [""])[0]
        return word.rstrip("▾▴")

    def set_nothing(self, lines: Sequence[Line]) -> None:
        """Show these lines while there is no row."""
        self.nothing = lines
        if not self.rows:
            self.refresh()

    @property
    def palette(self) -> Palette:
        """The palette of the present theme."""
        if self._palette is None:
            self._palette = palette_of(self.app)
        return self._palette

    @property
    def current(self) -> Hashable | None:
        """The identity of the row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def base(self) -> Style:
        """The style under all rows; asking the style sheet for it costs as much as a row."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        self._base, self._ready = None, {}
        super().notify_style_update()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.forget())

    def forget(self) -> None:
        """Drop every kept strip and draw anew: theme, clock or columns changed."""
        self._palette = self._base = None
        self._strips.clear()
        self.refresh()

    def set_rows(self, rows: Sequence[Hashable]) -> None:
        """Take the rows in order; the cursor stays on its row, or near where it was."""
        if rows == self.rows:
            self.refresh_dirty()
            return
        current, before = self.current, len(self.rows)
        self.rows = rows
        if current is not None and (not 0 <= self.cursor < len(rows) or rows[self.cursor] != current):
            try:
                place = list(rows).index(current)
            except ValueError:
                place = min(self.cursor, max(0, len(rows) - 1))
            self.set_reactive(LineList.cursor, place)
            self.show_cursor()
        if len(rows) != before:
            self._fit_size()
        self.refresh()
        if self.current != current:
            self.post_message(self.Moved(self))

    def refresh_dirty(self) -> None:
        """Draw again the visible rows whose fingerprint is not the one painted."""
        first, header = self.scroll_offset.y, int(self.HEADER)
        for y in range(header, self.size.height):
            index = first + y - header
            if index >= len(self.rows):
                break
            row = self.rows[index]
            if self._painted.get(y) != (row, self.fingerprint(row)):
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width, header = self.room, int(self.HEADER)
        base = self.base
        if self.HEADER and y == 0 and (self.rows or not self.nothing):
            return self.draw_header(width).strip(width, base)
        index = self.scroll_offset.y + y - header
        if not 0 <= index < len(self.rows):
            self._painted.pop(y, None)
            if not self.rows and y < len(self.nothing):
                return self.nothing[y].strip(width, base)
            return Strip.blank(width, base)
        row = self.rows[index]
        print_of = self.fingerprint(row)
        self._painted[y] = (row, print_of)
        at_cursor = index == self.cursor
        key = (width, at_cursor, self.has_focus, base)
        kept, strip = self._strips.get(row), None
        if kept is not None and kept[1] == key:
            if kept[0] == print_of:
                return kept[2]
            strip = self.patch_row(kept[2], kept[0], print_of, width)
        if strip is None:
            over = None
            if at_cursor:
                over = self.palette.cursor if self.has_focus else self.palette.cursor_idle
            strip = self.draw_row(row, width).strip(width, base, over)
        if len(self._strips) > _MAX_KEPT:
            self._strips.clear()
        self._strips[row] = (print_of, key, strip)
        return strip

    def refresh(self, *regions: Region, **more: bool) -> Self:
        if regions:
            for region in regions:
                for y in region.line_range:
                    self._ready.pop(y, None)
        else:
            self._ready.clear()
        return super().refresh(*regions, **more)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the visible lines as they are kept: nothing lies round them, so Textual's styling is passed by."""
        if self.size.height != self.region.height:
            return super().render_lines(crop)
        width, ready = self.region.width, self._ready
        if wanted := [y for y in crop.line_range if y not in ready]:
            filters, background = self.get_line_filters(), self.background_colors[1]
            for y in wanted:
                strip = self.render_line(y).adjust_cell_length(width, self.base)
                for line_filter in filters:
                    strip = strip.apply_filter(line_filter, background)
                ready[y] = strip
        strips = [ready[y] for y in crop.line_range]
        first, last = crop.column_span
        return strips if (first, last) == (0, width) else [strip.crop(first, last) for strip in strips]

    def _fit_size(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows) + int(self.HEADER))

    def on_resize(self, event: events.Resize) -> None:
        self._ready.clear()
        self._fit_size()
        self.show_cursor()
        self.call_after_refresh(self.show_cursor)  # a scrollbar may have come or gone

    def on_focus(self) -> None:
        self._line_of(self.cursor)

    def on_blur(self) -> None:
        self._line_of(self.cursor)

    def _line_of(self, index: int) -> None:
        y = index - self.scroll_offset.y + int(self.HEADER)
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self._line_of(old)
        self._line_of(new)
        self.show_cursor()
        self.post_message(self.Moved(self))

    def validate_cursor(self, value: int) -> int:
        return max(0, min(value, len(self.rows) - 1))

    def show_cursor(self) -> None:
        """Scroll so that the cursor's row is visible."""
        room = self.size.height - int(self.HEADER)
        if room <= 0:
            return
        first = self.scroll_offset.y
        if self.cursor < first:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= first + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False, immediate=True)

    def select(self, row: Hashable) -> bool:
        """Put the cursor on the row of that identity; say whether it is there."""
        for index, each in enumerate(self.rows):
            if each == row:
                self.cursor = index
                return True
        return False

    def action_move(self, step: int) -> None:
        self.cursor += step

    def action_edge(self, last: int) -> None:
        self.cursor = len(self.rows) - 1 if last else 0

    def action_page(self, step: int) -> None:
        self.cursor += step * max(1, self.size.height - 2)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.OPENS if action == "open" else super().check_action(action, parameters)

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(self))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - int(self.HEADER)
        if event.y < int(self.HEADER):
            self.head_clicked(event.x)
        if event.y < int(self.HEADER) or not 0 <= index < len(self.rows):
            return
        again = index == self.cursor and event.chain >= 2
        self.cursor = index
        if again:
            self.action_open()
