"""The one-row widgets around the panes: status line, tabs, notices, key hints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from console.widgets.line import Line
from console.widgets.palette import Palette, palette_of

Piece = tuple[str, Style | None]


class OneLine(Widget, can_focus=False):
    """One row drawn by ``draw``; drawn again only where the line differs."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strip: Strip | None = None

    @property
    def palette(self) -> Palette:
        """The palette of the present theme."""
        return palette_of(self.app)

    def draw(self, width: int) -> Line:
        """Return the line for that width."""
        raise NotImplementedError

    def update_line(self) -> None:
        """Draw the line again if it differs from the one shown."""
        if self._strip is None or self.draw(self.size.width).strip(self.size.width, self.rich_style) != self._strip:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        self._strip = self.draw(width).strip(width, self.rich_style)
        return self._strip


class KeyHints(OneLine):
    """Keys and what they do, as many as fit whole; a click does the same."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints: Sequence[tuple[str, str, str]] = ()
        self._last: Sequence[tuple[str, str, str]] = ()
        self._places: list[tuple[int, int, str]] = []

    def set_hints(self, hints: Sequence[tuple[str, str, str]], last: Sequence[tuple[str, str, str]]) -> None:
        """Take (key, label, action) in order of worth; ``last`` always stand at the right end."""
        if (hints, last) != (self._hints, self._last):
            self._hints, self._last = hints, last
            self.refresh()

    def draw(self, width: int) -> Line:
        line = Line()
        self._places = []
        tail = sum(len(key) + len(label) + 3 for key, label, _ in self._last)
        for key, label, action in self._hints:
            if line.width + len(key) + len(label) + 3 > width - tail:
                continue
            self._put(line, key, label, action)
        line.to(max(line.width, width - tail))
        for key, label, action in self._last:
            if line.width + len(key) + len(label) + 2 <= width:
                self._put(line, key, label, action)
        return line

    def _put(self, line: Line, key: str, label: str, action: str) -> None:
        start = line.width
        line.gap().add(key, self.palette.key).gap().add(label, self.palette.dim).gap()
        self._places.append((start, line.width, action))

    async def on_click(self, event: events.Click) -> None:
        for start, end, action in self._places:
            if start <= event.x < end:
                await self.run_action(action)


class TabLine(OneLine):
    """The panes by number; notes stand at the right."""

    def __init__(self, tabs: Sequence[tuple[str, str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs = tabs
        self.active = tabs[0][1]
        self.note: Callable[[], Piece] = lambda: ("", None)
        self._places: list[tuple[int, int, str]] = []

    def draw(self, width: int) -> Line:
        look, line = self.palette, Line()
        self._places = []
        pad, cut = self._form(width)
        for key, name, title in self._tabs:
            start = line.width
            here = name == self.active
            line.gap(pad).add(key, look.key if here else look.faint).gap(pad)
            shown = title if here else title[:cut]
            line.add(shown, (look.strong + Style(underline=True)) if here else look.dim).gap(pad)
            self._places.append((start, line.width, name))
            line.gap()
        text, style = self.note()
        room = width - line.width - 1
        if text and room >= 8:
            shown = text if len(text) <= room else text[: room - 1] + "…"
            line.to(width - len(shown) - 1).add(shown, style)
        return line

    def _form(self, width: int) -> tuple[int, int]:
        """Return the blanks around key and title, and the letters that a title has where it is not the pane shown."""
        letters = sum(len(title) for _, _, title in self._tabs)
        for pad in (1, 0):
            if letters + len(self._tabs) * (2 + 3 * pad) - 1 <= width:
                return pad, letters
        return 0, 3

    async def on_click(self, event: events.Click) -> None:
        for start, end, name in self._places:
            if start <= event.x < end:
                await self.run_action(f"screen.pane('{name}')")
