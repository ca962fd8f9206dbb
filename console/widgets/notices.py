"""The row of standing notices above the key hints; away when there is nothing to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from console.formatting import clean
from console.widgets.bars import OneLine
from console.widgets.keynames import key_of
from console.widgets.line import Line, fit

if TYPE_CHECKING:
    from core.models import FleetView


class NoticeLine(OneLine):
    """Host keys that wait, logins that ask, then what the program itself has to say."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._unknown = self._changed = self._asking = 0
        self._notices: tuple[str, ...] = ()
        self.display = False

    def take(self, view: FleetView) -> None:
        """Take a newer view."""
        changed = sum(review.changed for review in view.reviews)
        now = (len(view.reviews) - changed, changed, len(view.secrets), view.notices)
        if now != (self._unknown, self._changed, self._asking, self._notices):
            self._unknown, self._changed, self._asking, self._notices = now
            self.display = any(now)
            self.refresh()

    def draw(self, width: int) -> Line:
        look, line = self.palette, Line().gap()
        if self._changed:
            text = f"✗ {self._changed} changed host key{'s' if self._changed > 1 else ''}"
            line.add(text, look.bad).gap(2)
        if self._unknown:
            text = f"▲ {self._unknown} new host key{'s' if self._unknown > 1 else ''}"
            line.add(text, look.warn).gap(2)
        if self._changed or self._unknown:
            line.add(key_of(self.app, "main.review", "h"), look.key).add(" review", look.dim).gap(2)
        if self._asking:
            line.add(f"▲ {self._asking} login{'s ask' if self._asking > 1 else ' asks'}", look.warn).gap(2)
            line.add(key_of(self.app, "main.secrets", "L"), look.key).add(" answer", look.dim).gap(2)
        if self._notices and width - line.width > 12:
            text = clean(self._notices[-1])
            more = f" (+{len(self._notices) - 1})" if len(self._notices) > 1 else ""
            line.add(fit("· " + text + more, width - line.width - 1), look.dim)
        return line

    async def on_click(self, event: events.Click) -> None:
        if self._changed or self._unknown:
            await self.run_action("screen.review")
        elif self._asking:
            await self.run_action("screen.secrets")
