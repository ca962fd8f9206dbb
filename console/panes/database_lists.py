"""The lists of the Database pane: tables, the chunks of one table, jobs."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.style import Style

from console.formatting import DASH, age, clean, count, moment, ratio, short_bytes
from console.panes.chunk_marks import is_late, sign, word
from console.widgets.line import Line
from console.widgets.linelist import LineList

if TYPE_CHECKING:
    from core.models import ChunkInfo, HypertableInfo, JobInfo


class InfoList(LineList):
    """Rows are names; what they stand for is looked up."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.now = datetime.now(UTC)
        self.utc = True


def change(before: int | None, after: int | None) -> str:
    """Return ``1.4G → 140M``."""
    return DASH if before is None or after is None else f"{short_bytes(before)} → {short_bytes(after)}"


class TableList(InfoList):
    """Hypertables with totals and policies."""

    OPENS = False
    infos: dict[str, HypertableInfo]

    def fingerprint(self, row: Hashable) -> Hashable:
        return self.infos.get(str(row))

    def draw_header(self, width: int) -> Line:
        head, wide = self.palette.head, width >= 100
        line = Line().gap().cell("TABLE", self._name_width(width), head)
        for title, cells in (
            ("CHUNKS", 7),
            ("COMPR", 6),
            ("SIZE", 6),
            ("BEFORE→AFTER", 14),
            ("RATIO", 6),
            ("SAVED", 6),
        ):
            line.column(title, cells, width, head)
        if wide:
            return (
                line.cell("COMPRESS AFTER", 16, head, True)
                .cell("DROP AFTER", 12, head, True)
                .cell("CHUNK SPAN", 12, head, True)
            )
        return line.column("COMP/DROP", 11, width, head)

    def _name_width(self, width: int) -> int:
        return max(12, min(32, width - (86 if width >= 100 else 59)))

    def draw_row(self, row: Hashable, width: int) -> Line:
        info, look = self.infos.get(str(row)), self.palette
        if info is None:
            return Line()
        line = Line().gap().cell(clean(info.name), self._name_width(width), look.strong)
        saved = None if info.before_bytes is None else info.before_bytes - (info.after_bytes or 0)

        def put(text: str, cells: int, style: Style | None = None) -> None:
            line.column(text, cells, width, look.faint if text == DASH else style or look.text)

        put(count(info.chunks), 7)
        put(count(info.compressed_chunks) if info.compression_enabled else DASH, 6)
        put(short_bytes(info.total_bytes), 6)
        put(change(info.before_bytes, info.after_bytes), 14)
        put(ratio(info.ratio), 6, look.ok)
        put(short_bytes(saved), 6)
        if width >= 100:
            put(age(info.compress_after_s), 16)
            put(age(info.drop_after_s) if info.drop_after_s is not None else "never", 12)
            put(age(info.chunk_interval_s), 12)
        else:
            put(f"{age(info.compress_after_s)}/{age(info.drop_after_s)}", 11, look.dim)
        return line


class ChunkList(InfoList):
    """The chunks of one table, newest first."""

    OPENS = False
    infos: dict[str, ChunkInfo]
    table: HypertableInfo | None = None

    def fingerprint(self, row: Hashable) -> Hashable:
        info = self.infos.get(str(row))
        return info, self.utc, info is not None and age((self.now - info.end).total_seconds())

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        line = Line().gap().cell("STATE", 13, head).cell("FROM", 17, head)
        for title, cells in (("ENDED", 8), ("SIZE", 6), ("BEFORE→AFTER", 14), ("RATIO", 6), ("ROWS", 9)):
            line.column(title, cells, width, head)
        return line.gap(2).add("NAME", head) if width >= 100 else line

    def draw_row(self, row: Hashable, width: int) -> Line:
        info, look = self.infos.get(str(row)), self.palette
        if info is None:
            return Line()
        late = is_late(info, self.table, self.now)
        style = look.warn if late or info.partial else look.ok if info.compressed else look.info
        line = Line().gap().cell(f"{sign(info, late)} {word(info, late)}", 13, style)
        line.cell(moment(info.start, self.utc, "%Y-%m-%d %H:%M"), 17, look.text)
        ended = (self.now - info.end).total_seconds()

        def put(text: str, cells: int, style: Style | None = None) -> None:
            line.column(text, cells, width, look.faint if text == DASH else style or look.text)

        put(age(ended) if ended >= 0 else "now", 8, look.dim)
        put(short_bytes(info.total_bytes), 6)
        put(change(info.before_bytes, info.after_bytes), 14)
        put(ratio(info.ratio), 6, look.ok)
        put(count(info.rows), 9)
        return line.gap(2).add(clean(info.name.rsplit(".", 1)[-1]), look.dim) if width >= 100 else line


class JobList(InfoList):
    """Background jobs with their last and next run."""

    infos: dict[int, JobInfo]

    def fingerprint(self, row: Hashable) -> Hashable:
        info = self.infos.get(row) if isinstance(row, int) else None
        if info is None:
            return None
        return info, self._ago(info.last_run), self._ahead(info.next_run)

    def _ago(self, at: datetime | None) -> str:
        return DASH if at is None else age((self.now - at).total_seconds())

    def _ahead(self, at: datetime | None) -> str:
        if at is None:
            return DASH
        ahead = (at - self.now).total_seconds()
        return age(ahead) if ahead >= 0 else "due"

    def _widths(self, width: int) -> tuple[int, int]:
        free = max(20, width - 42)
        return (free * 3) // 5, free - (free * 3) // 5

    def draw_header(self, width: int) -> Line:
        head, (job, table) = self.palette.head, self._widths(width)
        line = Line().cell("ID", 5, head, True).gap(2).cell("JOB", job, head).cell("TABLE", table, head)
        line.cell("LAST", 10, head)
        for title, cells in (("AGO", 5), ("NEXT", 6), ("RUNS", 7), ("FAILS", 6)):
            line.column(title, cells, width, head)
        return line

    def draw_row(self, row: Hashable, width: int) -> Line:
        info, look = self.infos.get(row) if isinstance(row, int) else None, self.palette
        if info is None:
            return Line()
        job, table = self._widths(width)
        glyph, said, style = job_state(info, look.ok, look.bad, look.warn, look.dim)
        line = Line().cell(str(info.job_id), 5, look.dim, True).gap(2)
        line.cell(clean(info.name).removesuffix(" Policy"), job - 1, look.strong).gap()
        line.cell(clean(info.hypertable or DASH), table - 1, look.text if info.hypertable else look.faint).gap()
        line.cell(f"{glyph} {said}", 10, style).column(self._ago(info.last_run), 5, width, look.dim)
        due = self._ahead(info.next_run) if info.scheduled else "off"
        line.column(due, 6, width, look.text if info.scheduled else look.dim)
        line.column(count(info.total_runs), 7, width, look.text)
        return line.column(count(info.total_failures), 6, width, look.bad if info.total_failures else look.dim)


def job_state(info: JobInfo, ok: Style, bad: Style, busy: Style, idle: Style) -> tuple[str, str, Style]:
    """Return glyph, word and style of a job's last run."""
    if info.running:
        return "▶", "running", busy
    if info.last_ok is None:
        return "○", "never", idle
    return ("●", "ok", ok) if info.last_ok else ("✗", "failed", bad)
