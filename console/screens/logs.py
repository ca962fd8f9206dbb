"""A log followed live: bounded, filtered, paused; it ends on the host when this screen is closed."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.formatting import DASH, clean, count, moment
from console.messages import CopyWanted
from console.screens.base import Cover
from console.widgets.filterbar import FilterBar
from console.widgets.line import Line, wrap
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from console.work import work
from core.models import LogFeed, LogRecord

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from core.models import LogSource

LOOK_S = 0.2
_WHOLE = 3  # lines for the record under the cursor
_WORDS = (
    *(("✗", word, 2) for word in ("emergency", "alert", "critical", "error")),
    ("▲", "warning", 1),
    *(("·", word, 0) for word in ("notice", "info", "debug")),
)  # by syslog priority


def severity(record: LogRecord) -> tuple[str, str, int]:
    """Return glyph, word and level of a record; a dash where its line tells no severity."""
    return (" ", DASH, 0) if record.priority is None else _WORDS[record.priority]


class LogList(LineList):
    """One line a record."""

    OPENS = False  # the whole of it stands below
    utc = True

    def fingerprint(self, row: Hashable) -> Hashable:
        return self.utc

    def draw_header(self, width: int) -> Line:
        head, (level, source) = self.palette.head, _widths(width)
        line = Line().gap().cell("UTC" if self.utc else "LOCAL TIME", 15, head).cell("SEVERITY", level, head)
        return line.cell("FROM", source, head).gap().add("MESSAGE", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, LogRecord)
        look = self.palette
        glyph, word, level = severity(row)
        style = look.level(level) if level else look.dim
        cells, source = _widths(width)
        line = Line().gap().cell(moment(row.ts, self.utc, "%m-%d %H:%M:%S"), 15, look.dim)
        line.cell(f"{glyph} {word}", cells, style).cell(clean(row.source) or DASH, source, look.strong).gap()
        return line.cell(clean(row.text), width - line.width, look.level(level) if level else look.text)


def _widths(width: int) -> tuple[int, int]:
    """Return the cells of severity and source: on a narrow screen the message has the room."""
    return (12, 16) if width >= 100 else (10, 10)


class LogScreen(Cover[None]):
    """Follows until it is closed; what cannot be followed says why, and the way out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close"),
        Binding("p", "pause", "pause"),
        Binding("f", "newest", "newest"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("r", "again", "follow anew"),
        Binding("u", "clock", "UTC or local time", show=False),
        Binding("y", "copy", "copy the line", show=False),
    ]

    def __init__(self, services: ConsoleServices, source: LogSource) -> None:
        super().__init__()
        self._services, self.source = services, source
        self.feed = LogFeed()
        self.following, self.paused = True, False
        self._query: list[str] = []
        self._seen = -1

    def compose(self) -> ComposeResult:
        with Vertical(id="log"):
            yield Static(id="log-title", classes="dialog-title", markup=False)
            yield LogList(id="log-list")
            yield LinesView(id="log-whole")
            yield Static(id="log-note", markup=False)

    def on_mount(self) -> None:
        self.query_one(LogList).focus()
        self.set_interval(LOOK_S, self._look)
        self._follow()

    def _follow(self) -> None:
        """Start anew; the follower before, if any, is cancelled and ends on its host."""
        self.feed, self._seen = LogFeed(), -1
        self.run_worker(
            work(self._services.follow_logs, self.source, self.feed), group="log", exclusive=True, exit_on_error=True
        )
        self._look()

    def _look(self) -> None:
        feed = self.feed
        if feed.version != self._seen:
            self._seen = feed.version
            if not self.paused:
                self._take()
            self._tell()
        elif self.following:  # a list can scroll only once it is laid out: at the latest when nothing new has come
            self.query_one(LogList).show_cursor()

    def _take(self) -> None:
        records = self.query_one(LogList)
        rows = [record for record in self.feed.records if self._kept(record)]
        records.set_nothing((Line(), *(Line().gap().add(text, records.palette.dim) for text in self._nothing())))
        records.set_rows(rows)
        if self.following:
            records.action_edge(1)
        if self._query:
            self.query_one(FilterBar).note(f"{len(rows)} of {len(self.feed.records)}")
        self._draw_whole()

    def _nothing(self) -> list[str]:
        if self.feed.records:
            return ["no line passes the filter: esc clears it"]
        if self.feed.state == "connecting":
            return ["connecting"]
        words = self.feed.note or "no line yet: it is followed, new ones come by themselves"
        return wrap(clean(words), max(20, self.size.width - 6))

    def _kept(self, record: LogRecord) -> bool:
        text = f"{severity(record)[1]} {record.source} {record.text}".lower()
        return all(
            (word[1:] not in text) if word.startswith("!") and word[1:] else word in text for word in self._query
        )

    def _tell(self) -> None:
        feed, source = self.feed, self.source
        state = {"connecting": "○ connecting", "following": "● following", "ended": "✗ ended"}[feed.state]
        if self.paused:
            state = "◇ paused"
        words = [f"{clean(source.host)}: {clean(source.what)}", state, f"{count(len(feed.records))} lines"]
        if feed.dropped:
            words.append(f"{count(feed.dropped)} older ones dropped")
        self.query_one("#log-title", Static).update("  ".join(words))
        keys = "esc close  p pause  f newest  / filter  r anew  y copy"
        self.query_one("#log-note", Static).update(clean(feed.note) if feed.note else keys)

    def _draw_whole(self) -> None:
        sheet = self.query_one("#log-whole", LinesView)
        row = self.query_one(LogList).current
        lines = []
        if isinstance(row, LogRecord):
            lines = [Line().gap().add(part, sheet.palette.text) for part in wrap(clean(row.text), sheet.size.width - 2)]
        sheet.set_lines(lines[:_WHOLE])

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._take)
        self.call_after_refresh(self._tell)

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        records = self.query_one(LogList)
        self.following = records.cursor >= len(records.rows) - 1
        self._draw_whole()

    def action_pause(self) -> None:
        """Let the picture stand; what comes meanwhile is kept, as far as there is room."""
        self.paused = not self.paused
        if not self.paused:
            self._take()
        self._tell()

    def action_newest(self) -> None:
        self.following, self.paused = True, False
        self._take()
        self._tell()

    def action_again(self) -> None:
        self.following, self.paused = True, False
        self._follow()

    def action_clock(self) -> None:
        records = self.query_one(LogList)
        records.utc = not records.utc
        records.forget()

    def action_copy(self) -> None:
        row = self.query_one(LogList).current
        if isinstance(row, LogRecord):
            text = f"{moment(row.ts)} {severity(row)[1]} {clean(row.source)}: {clean(row.text)}"
            self.app.screen_stack[0].post_message(CopyWanted(text, "the line"))

    async def action_filter(self) -> None:
        bars = self.query(FilterBar)
        bar = bars.first() if bars else FilterBar("words  !not  error")
        if not bars:
            await self.query_one("#log").mount(bar, before="#log-note")
        bar.open()

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        event.stop()
        self._query = event.text.lower().split()
        self._take()

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.query_one(LogList).focus()

    def action_close(self) -> None:
        if self._query:
            self.query_one(FilterBar).action_clear()
        else:
            self.dismiss()
