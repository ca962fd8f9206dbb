"""A pane over the whole fleet: one or several lists of what the hosts told, and the selected row in full."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from console.formatting import age, clean
from console.messages import HostActionsWanted, HostWanted, Remark
from console.panes.coverage import nothing, summary
from console.panes.item_acts import acted_on, logs_of
from console.panes.item_past import StoredPast, past_lines
from console.panes.listing import Key, Row, Rows
from console.panes.listpane import ListPane
from console.panes.query import complete
from console.panes.sections import SectionLine
from console.widgets.columns import table_data
from console.widgets.columntable import ColumnTable
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from console.widgets.palette import Palette
from console.widgets.severity import HOST_STATES, age_level

if TYPE_CHECKING:
    from console.panes.listing import Listing
    from console.panes.query import Mistake
    from console.widgets.columns import TableData
    from core.models import FleetView, HostView, ItemHistory

Detail = Callable[[Row[Any], int, Palette], list[Line]]
WIDE_FROM, DETAIL_FROM = 120, 15  # columns beside the list; rows for the detail below it


class ItemTable(ColumnTable):
    """Rows of a listing; their ages are drawn anew as they grow."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "host", id="items.open")]
    every_s = 10.0

    def stamp(self, row: Hashable, item: Any) -> Hashable:
        if item is None:
            return None
        seconds = (self.now - item.ts).total_seconds()
        return age(seconds), age_level(seconds, self.every_s), self.states.get(item.host)


class ItemsPane(ListPane):
    """The base of Containers, Services, Storage and Proxies; ``tab`` goes from one list to the next."""

    LISTINGS: ClassVar[tuple[tuple[Listing[Any], Detail], ...]] = ()
    NOTHING: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "section(1)", "next list", show=False, id="items.section"),
        Binding("shift+tab", "section(-1)", "list before", show=False, id="items.section_before"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._place, self._turn = 0, 0
        self._stored = StoredPast(self.post_message, self._draw_detail)
        self._lists = [Rows(listing) for listing, _ in self.LISTINGS]
        self._marks: list[set[Hashable]] = [set() for _ in self.LISTINGS]
        self._cursors: dict[int, Hashable | None] = {}

    def compose(self) -> ComposeResult:
        if len(self.LISTINGS) > 1:
            yield SectionLine([listing.name for listing, _ in self.LISTINGS], id=f"{self.id}-sections")
        yield LinesView(id=f"{self.id}-note", classes="items-note")
        with Container(classes="items"):
            yield ItemTable(id=f"{self.id}-table", classes="items-table")
            yield LinesView(id=f"{self.id}-detail", classes="items-detail")

    def on_mount(self) -> None:
        self._show(0)

    # What is shown.
    @property
    def table(self) -> ItemTable:  # type: ignore[override]
        return self.query_one(ItemTable)

    @property
    def rows(self) -> Rows:
        """The list shown."""
        return self._lists[self._place]

    @property
    def selected_row(self) -> Row[Any] | None:
        """The row under the cursor: host, item, and the figures it was made of (``value``)."""
        current = self.table.current
        return self.rows.items.get(current) if isinstance(current, Key) else None

    @property
    def selected_item(self) -> tuple[str, str] | None:
        row = self.selected_row
        return None if row is None else (row.host, row.item)

    def host_of(self, row: Hashable) -> str:
        assert isinstance(row, Key)
        return row.host

    def item_of(self, row: Hashable) -> tuple[str, str]:
        assert isinstance(row, Key)
        return row.host, row.item

    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        if self.is_mounted and self.table.is_mounted:
            self._take()

    def _take(self) -> None:
        table, rows = self.table, self.rows
        keys = rows.take(self.view.hosts, self.now)
        table.items, table.now = rows.items, self.now
        table.states = {view.host.name: view.state for view in self.view.hosts}
        if not keys:
            table.set_nothing(nothing(rows, self.NOTHING, table.palette, table.size.width or 80))
        table.set_rows(keys)
        self.keep_marks(rows.items)
        if self.filter_text:
            self.note(rows.query.mistakes)
        self._draw_note()
        self._draw_detail()

    def tick(self, now: datetime) -> None:
        super().tick(now)
        if self.rows.query.moves:
            self._take()
        self.table.now = now
        self.table.refresh_dirty()
        self._draw_detail()
        self._look_aside()

    def _look_aside(self) -> None:
        """Count another of the lists, one a second, so that its name can say that something is wrong in it."""
        if len(self._lists) < 2:
            return
        self._turn = (self._turn + 1) % len(self._lists)
        other = self._lists[self._turn]
        if other is not self.rows:
            other.take(self.view.hosts, self.now)
        line = self.query_one(SectionLine)
        line.notes = {each.listing.name: each.worst[2] for each in self._lists}
        line.update_line()

    def _draw_note(self) -> None:
        note = self.query_one(f"#{self.id}-note", LinesView)
        width = self.size.width
        lines = summary(self.rows, len(self.table.rows), note.palette, width) if self.rows.total else []
        note.display = bool(lines)
        note.styles.height = len(lines)
        note.set_lines(lines)

    def _draw_detail(self) -> None:
        pane = self.query_one(f"#{self.id}-detail", LinesView)
        row = self.selected_row
        room = pane.size.width
        if not pane.display or room < 20:
            return
        if row is None:
            pane.set_lines([])
            return
        look = pane.palette
        host = self.rows.view_of(row.host)
        listing, detail = self.LISTINGS[self._place]
        past = past_lines(self._past(row, host, listing.past), room, look) if host and listing.past else []
        lines = [self._title(row, host, look, room), *past, *detail(row, room, look)]
        pane.set_lines(lines)

    def _past(self, row: Row[Any], host: HostView, kind: str) -> ItemHistory | None:
        """Return the last looks at a row's item; of the past they are read once the screen stands still."""
        item = (kind, row.item)
        if self.view.past is not None and self.view.past.whole:
            return self._stored.before(row.host, item, self.view.at)
        return host.items.get(item)

    def _title(self, row: Row[Any], host: HostView | None, look: Palette, width: int) -> Line:
        line = Line().add(clean(row.item, 200), look.strong).add(f" on {clean(row.host)}", look.text)
        if host is not None:
            glyph, word = HOST_STATES[host.state]
            line.gap(2).add(f"{glyph} {word}", look.state(host.state))
        return line.gap(2).add(f"{age((self.now - row.ts).total_seconds())} old", look.dim)

    def on_resize(self, event: events.Resize) -> None:
        wide = event.size.width >= WIDE_FROM
        self.query_one(".items").set_class(wide, "wide")
        self.query_one(f"#{self.id}-detail").display = wide or event.size.height >= DETAIL_FROM
        self.call_after_refresh(self._take)

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self.table.forget()

    def focus_main(self) -> None:
        self.table.focus()

    # Several lists.
    def _show(self, place: int) -> None:
        table = self.table
        self._cursors[self._place] = table.current
        self._place = place
        rows, listing = self.rows, self.LISTINGS[place][0]
        table.every_s = listing.every_s
        table.marked = self._marks[place]
        table.set_rows(())
        table.set_columns(listing.columns)
        table.sorted_by, table.backwards = rows.column.name, rows.backwards
        if rows.query.text != self.filter_text:
            rows.filter(self.filter_text)
        self._take()
        if (before := self._cursors.get(place)) is not None:
            table.select(before)
        self._marks_changed()
        if len(self.LISTINGS) > 1:
            line = self.query_one(SectionLine)
            line.active = listing.name
            line.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return len(self.LISTINGS) > 1 if action == "section" else super().check_action(action, parameters)

    def action_section(self, step: int) -> None:
        self._show((self._place + step) % len(self.LISTINGS))
        self.note(self.rows.query.mistakes)

    def on_section_line_chosen(self, event: SectionLine.Chosen) -> None:
        event.stop()
        self._show([listing.name for listing, _ in self.LISTINGS].index(event.name))

    # Actions on the item under the cursor, or on the marked ones where they are of one name.
    def action_actions(self) -> None:
        same = {acted_on(self.rows.items.get(Key(*item))) for item in self.chosen_items}
        self.post_message(HostActionsWanted(self.chosen_hosts, same.pop() if len(same) == 1 else None))

    def action_logs(self) -> None:
        if (row := self.selected_row) is not None:
            self.post_message(logs_of(row))

    # Order and filter.
    def _sort(self, name: str, backwards: bool) -> None:
        column = next(each for each in self.rows.listing.columns if each.name == name)
        self.rows.sort(column, backwards)
        self.table.sorted_by, self.table.backwards = name, backwards
        self._take()
        self.table.refresh()

    def action_sort(self) -> None:
        table = self.table
        shown = [table.columns[place].name for place, _ in table.places(table.room)]
        here = shown.index(table.sorted_by) if table.sorted_by in shown else -1
        name = shown[(here + 1) % len(shown)]
        self._sort(name, False)
        self.post_message(Remark(f"sorted by {name}"))

    def action_turn(self) -> None:
        self._sort(self.table.sorted_by, not self.table.backwards)

    def on_column_table_header_clicked(self, event: ColumnTable.HeaderClicked) -> None:
        event.stop()
        again = event.column == self.table.sorted_by
        self._sort(event.column, again and not self.table.backwards)

    def take_filter(self, text: str) -> Sequence[Mistake]:
        self.rows.filter(text)
        self._take()
        return self.rows.query.mistakes

    def completions(self, text: str) -> Sequence[str]:
        return complete(text, self.rows.listing.words, self.rows.seen())

    def all_rows(self) -> int:
        return self.rows.total

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self._draw_detail()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        if (row := self.selected_row) is not None:
            self.post_message(HostWanted(row.host))

    def copy_text(self) -> tuple[str, str]:
        item = self.selected_item
        return ("", "") if item is None else (clean(item[1]), f"the name of the {self.rows.listing.one}")

    def table_data(self) -> TableData | None:
        rows = self.rows
        shown = [rows.items[key] for key in self.table.rows if isinstance(key, Key) and key in rows.items]
        return table_data(rows.listing.name, rows.listing.columns, shown)
