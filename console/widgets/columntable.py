"""A list of typed columns: rows by key, marks and sort order in view, drawn by the line API."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

from console.widgets.columns import Look, places_of
from console.widgets.line import Line
from console.widgets.linelist import LineList

if TYPE_CHECKING:
    from console.widgets.columns import Column, Places
    from core.models import HostState


class ColumnTable(LineList):
    """Rows are keys; what stands behind a key is looked up as it is drawn."""

    class HeaderClicked(Message):
        """A column's head was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.columns: Sequence[Column[Any]] = ()
        self.items: Mapping[Any, Any] = {}
        self.marked: set[Hashable] = set()
        self.now = datetime.now(UTC)
        self.states: Mapping[str, HostState] = {}
        self.sorted_by, self.backwards = "", False

    def set_columns(self, columns: Sequence[Column[Any]]) -> None:
        """Show these columns from now on."""
        if columns is not self.columns:
            self.columns = columns
            self.forget()

    def stamp(self, row: Hashable, item: Any) -> Hashable:
        """Return what else the drawing of a row depends on; another item is drawn anew anyway."""
        return None

    def fingerprint(self, row: Hashable) -> Hashable:
        item = self.items.get(row)
        return item, row in self.marked, self.stamp(row, item)

    def places(self, width: int) -> Places:
        """Return the columns that fit, one cell for the mark set aside."""
        return places_of(self.columns, width - 1)

    def draw_header(self, width: int) -> Line:
        look, line = self.palette, Line().gap()
        for place, cells in self.places(width):
            column = self.columns[place]
            here = column.name == self.sorted_by
            arrow = ("▴" if self.backwards else "▾") if here else ""
            line.cell(column.title + arrow, cells, look.key if here else look.head, column.right).gap()
        return line

    def draw_row(self, row: Hashable, width: int) -> Line:
        item = self.items.get(row)
        line = Line().add("*" if row in self.marked else " ", self.palette.key)
        if item is None:
            return line
        look = Look(self.palette, self.now, self.states)
        for place, cells in self.places(width):
            column = self.columns[place]
            text, style = column.cell(item, look)
            line.cell(text, cells, style, column.right).gap()
        return line

    def on_click(self, event: events.Click) -> None:
        if event.y or not self.rows:
            super().on_click(event)
            return
        start = 1
        for place, cells in self.places(self.room):
            if start <= event.x <= start + cells:
                self.post_message(self.HeaderClicked(self.columns[place].name))
            start += cells + 1
