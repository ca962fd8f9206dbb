"""The database: tables with chunk strips, chunks, jobs, health; capitals ask for actions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size

from console.panes import database_sheet as sheet_of
from console.panes.chunk_marks import by_table
from console.panes.chunk_strips import ChunkStrips, chunk_lines
from console.panes.database_activity import SessionList, SizeList, session_lines
from console.panes.database_lists import ChunkList, InfoList, JobList, TableList
from console.panes.database_requests import DatabaseRequests
from console.panes.sections import SectionLine
from console.widgets.line import Line
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from console.panes.chunk_strips import Chunks
    from console.widgets.columns import TableData
    from core.models import (
        ChunkInfo,
        DatabaseView,
        FleetView,
        HypertableInfo,
        JobInfo,
        RelationInfo,
        SessionInfo,
    )

SECTIONS = ("tables", "chunks", "jobs", "sessions", "sizes", "health")
WIDE, HIGH = 150, 34


class DatabasePane(DatabaseRequests):
    """All sections at once where there is room, else one at a time; tab goes on to the next."""

    TITLE = "Database"
    PAST = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "section(1)", "next section", show=False, id="database.section"),
        Binding("shift+tab", "section(-1)", "section before", show=False, id="database.section_before"),
        Binding("left", "chunk(-1)", "older chunk", show=False, id="database.older"),
        Binding("right", "chunk(1)", "newer chunk", show=False, id="database.newer"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.section = "tables"
        self.chunk: str | None = None
        self._chunks: Chunks = {}
        self._seen: DatabaseView | None = None

    def compose(self) -> ComposeResult:
        yield LinesView(id="db-totals")
        yield SectionLine(SECTIONS, id="db-sections")
        with Vertical(id="db-top"):
            yield TableList(id="db-tables")
            yield ChunkStrips(id="db-strips")
            yield LinesView(id="db-chunk")
        with Horizontal(id="db-bottom"):
            with Vertical(id="db-left"):
                yield ChunkList(id="db-chunks")
                yield SessionList(id="db-sessions")
                yield LinesView(id="db-session")
            with Vertical(id="db-right"):
                yield JobList(id="db-jobs")
                yield LinesView(id="db-job")
                yield SizeList(id="db-sizes")
                yield LinesView(id="db-health", can_focus=True)

    def on_mount(self) -> None:
        self.query_one(TableList).infos = {}
        self.query_one(ChunkList).infos = {}
        self.query_one(JobList).infos = {}
        self.query_one(SessionList).infos = {}
        self.query_one(SizeList).infos = {}

    # What is chosen.
    @property
    def table(self) -> HypertableInfo | None:
        """The table under the cursor."""
        tables = self.query_one(TableList)
        return tables.infos.get(str(tables.current))

    @property
    def chosen(self) -> ChunkInfo | None:
        """The chunk under the cursor."""
        return self.query_one(ChunkList).infos.get(self.chunk or "")

    @property
    def job(self) -> JobInfo | None:
        """The job under the cursor."""
        jobs = self.query_one(JobList)
        return jobs.infos.get(jobs.current) if isinstance(jobs.current, int) else None

    @property
    def session(self) -> SessionInfo | None:
        """The session under the cursor."""
        sessions = self.query_one(SessionList)
        return sessions.infos.get(sessions.current) if isinstance(sessions.current, int) else None

    @property
    def relation(self) -> RelationInfo | None:
        """The table under the cursor of the sizes."""
        sizes = self.query_one(SizeList)
        return sizes.infos.get(str(sizes.current))

    def focus_main(self) -> None:
        self._show_section()

    # Views.
    def update_view(self, view: FleetView) -> None:
        super().update_view(view)
        if view.database is not self._seen:
            self._seen = view.database
            self._chunks = by_table(view.database.chunks)
            tables, jobs = self.query_one(TableList), self.query_one(JobList)
            tables.infos = {table.name: table for table in view.database.hypertables}
            tables.set_rows([table.name for table in view.database.hypertables])
            jobs.infos = {job.job_id: job for job in view.database.jobs}
            jobs.set_rows([job.job_id for job in view.database.jobs])
            self._take_chunks()
            self._take_rest(view.database)
        self._draw()

    def _take_rest(self, database: DatabaseView) -> None:
        sessions, sizes = self.query_one(SessionList), self.query_one(SizeList)
        why = Line() if database.at is None else Line().gap().add(sheet_of.nothing(database), sizes.palette.dim)
        for each in (self.query_one(TableList), sizes):
            each.set_nothing([why])
        found = database.activity.sessions if database.activity is not None else ()
        sessions.infos = {session.pid: session for session in found}
        sessions.set_rows([session.pid for session in found])
        sizes.infos = {info.name: info for info in database.relations}
        sizes.set_rows([info.name for info in database.relations])

    def _take_chunks(self) -> None:
        """Hand the chosen table's chunks to the list, newest first; keep the chunk if it is still there."""
        chunks, table = self.query_one(ChunkList), self.table
        own = self._chunks.get(table.name, ()) if table is not None else ()
        chunks.table = table
        chunks.infos = {chunk.name: chunk for chunk in own}
        chunks.set_rows([chunk.name for chunk in reversed(own)])
        if self.chunk not in chunks.infos:
            self.chunk = own[-1].name if own else None
        if self.chunk is not None and chunks.current != self.chunk:
            chunks.select(self.chunk)

    def tick(self, now: datetime) -> None:
        super().tick(now)
        self._draw()

    def set_clock(self, utc: bool) -> None:
        super().set_clock(utc)
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size)
        self._show_section(focus=self.display and self.has_focus_within)

    def _fit(self, size: Size) -> bool:
        """All sections or one, as the room is; whether that changed."""
        wide = size.width >= WIDE and size.height >= HIGH
        changed = wide != self.has_class("wide")
        self.set_class(wide, "wide")
        return changed

    def _draw(self) -> None:
        totals, strips = self.query_one("#db-totals", LinesView), self.query_one(ChunkStrips)
        database, look = self.view.database, totals.palette
        if totals.size.width < 20:
            return
        if self._fit(self.size):  # a pane that was hidden may have been told an older size last
            self._show_section(focus=False)
            return  # it draws again
        totals.set_lines(sheet_of.totals(database, self.now, totals.size.width, look))
        for each in self.query(InfoList):
            each.now, each.utc = self.now, self.utc
            each.refresh_dirty()
        table = self.table
        # The table list is as high as its rows, as far as there is room.
        rows = len(database.hypertables)
        room = max(4, (self.size.height - 8) // 2) if not self.has_class("wide") else max(4, self.size.height // 4)
        self.query_one(TableList).styles.height = strips.styles.height = min(rows + 1, room)
        strips.show(database.hypertables, self._chunks, table.name if table else "", self.chunk, self.now)
        detail, job = self.query_one("#db-chunk", LinesView), self.query_one("#db-job", LinesView)
        detail.set_lines(chunk_lines(self.chosen, table, self.now, self.utc, look))
        jobs = self.query_one(JobList)
        if self.has_class("wide"):
            jobs.styles.height = min(len(jobs.rows) + 1, max(4, self.size.height // 4))
        else:
            jobs.styles.height = "1fr"
        unread = database.at is None
        job.set_lines([] if unread else sheet_of.job_lines(self.job, self.now, self.utc, max(30, job.size.width), look))
        session = self.query_one("#db-session", LinesView)
        session.set_lines(session_lines(self.session, database, max(30, session.size.width), look))
        checks = self.query_one("#db-health", LinesView)
        checks.set_lines(sheet_of.health(self.view, max(30, checks.size.width - 1), self.now, self.utc, look))

    def on_lines_view_resized(self, event: LinesView.Resized) -> None:
        event.stop()
        self._draw()

    # Sections.
    def _show_section(self, focus: bool = True) -> None:
        wide, here = self.has_class("wide"), self.section
        line = self.query_one(SectionLine)
        line.active = here
        line.display = not wide
        line.refresh()
        self.query_one("#db-top").display = wide or here == "tables"
        self.query_one("#db-bottom").display = wide or here != "tables"
        self.query_one("#db-left").display = wide or here in ("chunks", "sessions")
        self.query_one("#db-chunks").display = wide or here == "chunks"
        for part in ("#db-sessions", "#db-session"):
            self.query_one(part).display = wide or here == "sessions"
        self.query_one("#db-right").display = wide or here in ("jobs", "sizes", "health")
        self.query_one("#db-jobs").display = self.query_one("#db-job").display = wide or here == "jobs"
        self.query_one("#db-sizes").display = here == "sizes"
        self.query_one("#db-health").display = here == "health" or (wide and here != "sizes")
        self.refresh_bindings()  # keys are live where what they act on is to be seen
        if focus:
            self.query_one(f"#db-{here}").focus()
        self.call_after_refresh(self._draw)

    def action_section(self, step: int) -> None:
        self.show_section(SECTIONS[(SECTIONS.index(self.section) + step) % len(SECTIONS)])

    def on_section_line_chosen(self, event: SectionLine.Chosen) -> None:
        event.stop()
        self.show_section(event.name)

    def show_section(self, name: str) -> None:
        """Go to the section of that name."""
        self.section = name
        self._show_section()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        name = (event.widget.id or "").removeprefix("db-")
        if name in SECTIONS and name != self.section:
            self.section = name
            self._show_section(focus=False)

    # Cursors.
    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        if isinstance(event.sender, TableList):
            self._take_chunks()
        elif isinstance(event.sender, ChunkList) and event.sender.current is not None:
            self.chunk = str(event.sender.current)
        self._draw()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        self.show_detail()

    def action_chunk(self, step: int) -> None:
        """Walk along the strip: the list has the newest first."""
        self.query_one(ChunkList).action_move(-step)

    def table_data(self) -> TableData | None:
        from console.panes.database_export import database_table

        return database_table(self.section, self.view.database)

    @on(events.Click, "#db-strips")
    def _clicked(self, event: events.Click) -> None:
        name = self.query_one(ChunkStrips).at(event)
        if name is None:
            return
        for table, own in self._chunks.items():
            if any(chunk.name == name for chunk in own):
                self.chunk = name
                self.query_one(TableList).select(table)
                self._take_chunks()
                self._draw()

    def copy_text(self) -> tuple[str, str]:
        if self.section == "jobs" and self.job is not None and self.job.last_error:
            return self.job.last_error, "the job's last error"
        if self.section == "sessions" and self.session is not None:
            return self.session.query or str(self.session.pid), "the session's statement"
        return (self.chosen.name, "the chunk's name") if self.chosen else ("", "")
