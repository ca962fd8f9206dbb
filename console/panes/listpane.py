"""What all lists over the fleet share: one filter language, marks, sort keys, and what actions work on."""

from __future__ import annotations

from collections.abc import Container, Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from console.messages import (
    CompareWanted,
    HostActionsWanted,
    PollWanted,
    Remark,
)
from console.panes.base import Pane
from console.widgets.bars import OneLine
from console.widgets.filterbar import FilterBar
from console.widgets.line import Line
from console.widgets.linelist import LineList

if TYPE_CHECKING:
    from console.panes.query import Mistake


class MarkedList(LineList):
    """A list whose rows can be marked."""

    marked: set[Hashable]


class MarksLine(OneLine):
    """How many rows are marked, and what that is good for; away where there are none."""

    def __init__(self) -> None:
        super().__init__(id="marks")
        self.text = ""
        self.display = False

    def say(self, text: str) -> None:
        """Show the text, or go away without one."""
        if text != self.text:
            self.text, self.display = text, bool(text)
            self.refresh()

    def draw(self, width: int) -> Line:
        look, line = self.palette, Line().gap()
        line.add(f"* {self.text} marked", look.key).gap(2)
        for key, what in (("c", "compare"), ("A", "all or none"), ("esc", "clear")):
            if line.width + len(key) + len(what) + 3 < width:
                line.add(key, look.key).add(f" {what}  ", look.dim)
        return line


class ListPane(Pane):
    """A pane around one list; marks and filter live as long as the pane."""

    HINT: ClassVar[str] = 'words  !not  -f fuzzy  state:offline  tag:web  cpu>80  age>60s  "two words"'
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="rows.filter"),
        Binding("a", "actions", "actions", id="rows.actions"),
        Binding("s", "sort", "sort", id="rows.sort"),
        Binding("v", "turn", "reverse order", show=False, id="rows.turn"),
        Binding("space", "mark", "mark", id="rows.mark"),
        Binding("A", "mark_all", "mark all shown, or none", show=False, id="rows.mark_all"),
        Binding("c", "compare", "compare the marked hosts", show=False, id="rows.compare"),
        Binding("r", "poll", "poll now", id="rows.poll"),
        Binding("l", "logs", "log", show=False, tooltip="follow the log", id="rows.logs"),
        Binding("X", "run", "run a command", show=False, id="rows.run"),
        Binding("S", "shell", "ssh shell", show=False, id="rows.shell"),
        Binding("m", "maintenance", "maintenance on or off", show=False, id="rows.maintenance"),
    ]

    # What the pane says of its list.
    @property
    def table(self) -> MarkedList:
        """The list."""
        raise NotImplementedError

    def host_of(self, row: Hashable) -> str:
        """Return the host that a row belongs to."""
        raise NotImplementedError

    def take_filter(self, text: str) -> Sequence[Mistake]:
        """Filter by the text from now on, show the rows kept, and return what is not understood."""
        raise NotImplementedError

    def completions(self, text: str) -> Sequence[str]:
        """Return what the last word of a filter may become."""
        raise NotImplementedError

    def all_rows(self) -> int:
        """Return how many rows there are without a filter."""
        raise NotImplementedError

    def action_sort(self) -> None:
        """Sort by the next column."""
        raise NotImplementedError

    def action_turn(self) -> None:
        """Turn the order around."""
        raise NotImplementedError

    # Marks.
    @property
    def marked_hosts(self) -> tuple[str, ...]:
        return tuple(sorted({self.host_of(row) for row in self.table.marked}))

    @property
    def chosen_items(self) -> tuple[tuple[str, str], ...]:
        marked = [row for row in self.table.rows if row in self.table.marked]
        hidden = sorted(self.table.marked - set(marked), key=str)
        return tuple(self.item_of(row) for row in (*marked, *hidden)) or super().chosen_items

    def item_of(self, row: Hashable) -> tuple[str, str]:
        """Return host and item of a row."""
        return self.host_of(row), ""

    def action_mark(self) -> None:
        if (row := self.table.current) is not None:
            self.table.marked ^= {row}
            self._marks_changed()
            self.table.action_move(1)

    def action_mark_all(self) -> None:
        """Mark every row shown; where all are marked, none."""
        shown = set(self.table.rows)
        if shown <= self.table.marked:
            self.table.marked.clear()
        else:
            self.table.marked |= shown
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.table.refresh_dirty()
        amount = len(self.table.marked)
        hosts = len(self.marked_hosts)
        lines = self.query(MarksLine)
        text = "" if not amount else str(amount) if amount == hosts else f"{amount} on {hosts} hosts"
        if lines:
            lines.first().say(text)
        elif amount:
            line = MarksLine()
            self.mount(line)
            line.say(text)

    def keep_marks(self, known: Container[Hashable]) -> None:
        """Let go of marks whose rows are there no more."""
        if gone := {row for row in self.table.marked if row not in known}:
            self.table.marked -= gone
            self._marks_changed()

    def action_compare(self) -> None:
        hosts = self.marked_hosts
        if len(hosts) < 2:
            self.post_message(Remark("mark two hosts or more with space, then c sets them side by side"))
        else:
            self.post_message(CompareWanted(hosts))

    def action_poll(self) -> None:
        """Poll the marked hosts, or the one under the cursor, now."""
        for host in self.chosen_hosts:
            self.post_message(PollWanted(host))

    # Actions on hosts, and on what runs there: the marked ones, else the one under the cursor.
    def action_actions(self) -> None:
        self.post_message(HostActionsWanted(self.chosen_hosts))

    # The filter.
    @property
    def filter_text(self) -> str:
        """The filter in force."""
        bars = self.query(FilterBar)
        return bars.first().text if bars else ""

    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        bar = bars.first() if bars else FilterBar(self.HINT, self.completions)
        if not bars:
            await self.mount(bar)
        bar.open()

    async def set_filter(self, text: str) -> None:
        """Filter by the text, as if it had been typed."""
        await self.action_filter()
        self.query_one(FilterBar).query_one(Input).value = text

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self.note(self.take_filter(event.text))

    def note(self, mistakes: Sequence[Mistake]) -> None:
        """Tell how many rows are kept, and the first thing that is not understood, at its place."""
        bars = self.query(FilterBar)
        if not bars:
            return
        wrong = next((each for each in mistakes if not each.open), None) or next(iter(mistakes), None)
        if wrong is not None and wrong.open and self.completions(bars.first().text):
            wrong = None  # what may follow says more
        kept = f"{len(self.table.rows)} of {self.all_rows()}" if bars.first().text else ""
        bars.first().note(kept, (wrong.start, wrong.text) if wrong else None)

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.table.focus()

    def close_inner(self) -> bool:
        if self.filter_text:
            self.query_one(FilterBar).action_clear()
            return True
        if self.table.marked:
            self.table.marked.clear()
            self._marks_changed()
            return True
        return False
