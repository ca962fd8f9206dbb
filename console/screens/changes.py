"""What changed since somebody last looked: hosts whose state is another one, and what else is new."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.formatting import age, clean, moment
from console.screens.base import Cover
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.severity import HOST_STATES
from console.work import work
from core.exceptions import InfrastructureException
from core.models.console import HostChange

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from core.models.console import Changes


class ChangeList(LineList):
    """One line a host that changed."""

    HEADER = True
    utc = True

    def fingerprint(self, row: Hashable) -> Hashable:
        return self.utc

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        line = Line().gap().cell("HOST", 22, head).cell("WAS", 12, head).cell("IS", 12, head).cell("TIMES", 6, head)
        return line.cell("LAST", 15, head).add("WHY", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, HostChange)
        look, line = self.palette, Line().gap()
        line.cell(clean(row.host), 21, look.strong).gap()
        for state in (row.before, row.now):
            glyph, word = HOST_STATES[state]
            line.cell(f"{glyph} {word}", 12, look.state(state))
        line.cell(str(row.times), 6, look.dim).cell(moment(row.last, self.utc, "%m-%d %H:%M:%S"), 15, look.dim)
        return line.cell(clean(row.detail), width - line.width, look.text)


class ChangesScreen(Cover[str | None]):
    """The list; enter goes to the host."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i", "dismiss", "close")]

    def __init__(self, services: ConsoleServices, since: datetime, utc: bool) -> None:
        super().__init__()
        self._services, self._since, self._utc = services, since, utc

    def compose(self) -> ComposeResult:
        zone = "UTC" if self._utc else "local time"
        with Vertical(classes="dialog wide", id="keys"):
            yield Static(
                f"What changed since {moment(self._since, self._utc, '%Y-%m-%d %H:%M')} {zone}",
                classes="dialog-title",
                markup=False,
            )
            yield Static("reading", id="change-notes", markup=False)
            yield ChangeList(id="key-list")
            yield Static("enter shows the host  esc closes", id="key-note", markup=False)

    def on_mount(self) -> None:
        rows = self.query_one(ChangeList)
        rows.utc = self._utc
        rows.focus()
        self.run_worker(work(self._read), exclusive=True)

    async def _read(self) -> None:
        notes, rows = self.query_one("#change-notes", Static), self.query_one(ChangeList)
        try:
            changes = await self._services.changes_since(self._since)
        except InfrastructureException as error:
            notes.update(clean(error.message))
            return
        notes.update("\n".join(clean(line) for line in words(changes)))
        rows.set_rows(changes.hosts)
        if not changes.hosts:
            rows.set_nothing([Line().gap().add("No host is in another state than it was.", rows.palette.dim)])

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        row = self.query_one(ChangeList).current
        if isinstance(row, HostChange):
            self.dismiss(row.host)


def words(changes: Changes) -> list[str]:
    """Return what stands above the list."""
    lines = list(changes.notes) or ["Nothing else is new."]
    if changes.cut:
        lines.append("There were more changes than are read here: the oldest are left out.")
    return [*lines, f"As {changes.source} has it."]


def headline(changes: Changes) -> str:
    """Return the news in one line."""
    parts = []
    if changes.hosts:
        worse = sum(each.now.value in ("offline", "degraded") for each in changes.hosts)
        parts.append(
            f"{len(changes.hosts)} host{'s' if len(changes.hosts) > 1 else ''} changed, {worse} now in trouble"
        )
    parts += changes.notes
    span = age((changes.until - changes.since).total_seconds())
    return clean(f"In the last {span}: {'; '.join(parts)}. :changes tells which.")
