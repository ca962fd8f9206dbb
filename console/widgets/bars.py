"""The one-row widgets around the panes: status line, tabs, notices, key hints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from console.widgets.line import Line, fit
from console.widgets.palette import palette_of

if TYPE_CHECKING:
    from textual.geometry import Region

    from console.widgets.palette import Palette

Piece = tuple[str, Style | None]


class OneLine(Widget, can_focus=False):
    """One row drawn by ``draw``; drawn again only where the line differs."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strip: Strip | None = None  # as shown
        self._next: Strip | None = None  # drawn by ``update_line``, to be shown

    @property
    def palette(self) -> Palette:
        """The palette of the present theme."""
        return palette_of(self.app)

    def draw(self, width: int) -> Line:
        """Return the line for that width."""
        raise NotImplementedError

    def update_line(self) -> None:
        """Draw the line again if it differs from the one shown."""
        strip = self._drawn()
        if strip != self._strip:
            self.refresh()
            self._next = strip

    def refresh(self, *regions: Region, **more: bool) -> Self:
        self._next = None
        return super().refresh(*regions, **more)

    def render_line(self, y: int) -> Strip:
        strip, self._next = self._next, None
        if strip is None or strip.cell_length != self.size.width:
            strip = self._drawn()
        self._strip = strip
        return strip

    def _drawn(self) -> Strip:
        return self.draw(self.size.width).strip(self.size.width, self.rich_style)


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
    """The panes by number, their names cut where the width asks for it; at the right a note, or the way here."""

    def __init__(self, tabs: Sequence[tuple[str, str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs = tabs
        self.active = tabs[0][1]
        self.note: Callable[[], Piece] = lambda: ("", None)
        self.crumbs: Callable[[], Sequence[str]] = lambda: ()
        self._places: list[tuple[int, int, str]] = []

    def draw(self, width: int) -> Line:
        look, line = self.palette, Line()
        text, style = self.note()
        trail = () if text or len(crumbs := self.crumbs()) < 2 else crumbs
        wanted = len(text) if text else sum(len(each) + 3 for each in trail)
        self._places = []
        letters = self._letters(width - min(wanted, width * 3 // 10) - 2)
        for key, name, title in self._tabs:
            start = line.width
            here = name == self.active
            line.add(f" {key} ", look.key if here else look.faint)
            shown = title if here or not letters else title[: letters - 1]
            if shown:
                line.add(shown + " ", (look.strong + Style(underline=True)) if here else look.dim)
            self._places.append((start, line.width, name))
            if not letters:
                line.gap()
        room = width - line.width - 1
        if text and room >= 8:
            shown = text if len(text) <= room else text[: room - 1] + "…"
            line.to(width - len(shown) - 1).add(shown, style)
        elif trail and room >= 8:
            self._trail(line, trail, width, room)
        return line

    def _letters(self, room: int) -> int:
        """Return how many letters (and a blank) each tab but the active one has; 0: all of them."""
        whole = sum(len(key) + len(title) + 4 for key, _name, title in self._tabs)
        if whole <= room:
            return 0
        own = sum(len(title) for _key, name, title in self._tabs if name == self.active)
        for letters in (8, 7, 6, 5, 4):
            others = (min(len(title) + 1, letters) for _key, name, title in self._tabs if name != self.active)
            if own + 1 + sum(others) + 3 * len(self._tabs) <= room:
                return letters
        return 1

    def _trail(self, line: Line, trail: Sequence[str], width: int, room: int) -> None:
        """The way from the fleet to what is shown; its beginning falls away first."""
        look, parts = self.palette, list(trail)
        while len(parts) > 1 and sum(cell_len(part) + 3 for part in parts) - 3 > room:
            parts = parts[1:]
        parts = [fit(parts[0], room)] if len(parts) == 1 and cell_len(parts[0]) > room else parts
        line.to(width - sum(cell_len(part) + 3 for part in parts) + 2)
        for number, part in enumerate(parts):
            if number:
                line.add(" › ", look.faint)
            line.add(part, look.text if number == len(parts) - 1 else look.dim)

    async def on_click(self, event: events.Click) -> None:
        for start, end, name in self._places:
            if start <= event.x < end:
                await self.run_action(f"screen.pane('{name}')")
                return
        if event.x >= (self._places[-1][1] if self._places else 0):
            await self.run_action("screen.back")
