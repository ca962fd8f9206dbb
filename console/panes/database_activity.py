"""The Database pane's lists of sessions and of table sizes, and the lines of the session under the cursor."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.style import Style

from console.formatting import DASH, age, clean, count, short_bytes
from console.panes.database_lists import InfoList
from console.widgets.line import Line, wrap
from core.models import SessionKind

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import ActivityView, DatabaseView, RelationInfo, SessionInfo

HIDDEN = "not to be seen with this role"
LONG_S = 300.0  # a statement or transaction older than this is marked
_KINDS = {
    SessionKind.OURS: "ours",
    SessionKind.JUMPWATCH: "jumpwatch",
    SessionKind.CLIENT: "client",
    SessionKind.JOB: "job",
    SessionKind.SERVER: "server",
}


class SessionList(InfoList):
    """The sessions of the database, those that work first."""

    infos: dict[int, SessionInfo]

    def fingerprint(self, row: Hashable) -> Hashable:
        info = self.infos.get(row) if isinstance(row, int) else None
        return info and (info, self._since(busy_since(info)), self._since(info.transaction))

    def _since(self, at: datetime | None) -> str:
        return DASH if at is None else age((self.now - at).total_seconds())

    def _widths(self, width: int) -> tuple[int, int]:
        """Return the cells of user and application, and of what it waits for."""
        return (12, 14) if width >= 110 else (9, 0)

    def draw_header(self, width: int) -> Line:
        head, (name, wait) = self.palette.head, self._widths(width)
        line = Line().cell("PID", 7, head, True).gap().cell("WHOSE", 10, head).cell("USER", name, head).gap()
        line.cell("APPLICATION", name + 4, head).gap().cell("STATE", 11, head)
        line.cell("BUSY", 4, head, True).cell("TRANS", 6, head, True).gap()
        return (line.cell("WAITS FOR", wait, head).gap() if wait else line).add("STATEMENT", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        info, look = self.infos.get(row) if isinstance(row, int) else None, self.palette
        if info is None:
            return Line()
        name, wait = self._widths(width)
        glyph, word, style = session_state(info, look)
        own = info.kind in (SessionKind.OURS, SessionKind.JUMPWATCH)
        line = Line().cell(str(info.pid), 7, look.dim, True).gap()
        line.cell(_KINDS[info.kind], 10, look.dim if own else look.info).cell(clean(info.user or DASH), name, look.text)
        line.gap().cell(clean(info.application or DASH), name + 4, look.text).gap().cell(f"{glyph} {word}", 11, style)
        for at, cells in ((busy_since(info), 4), (info.transaction, 6)):
            late = at is not None and (self.now - at).total_seconds() > LONG_S and not own
            line.cell(self._since(at), cells, look.warn if late else look.dim, True)
        line.gap()
        if wait:
            line.cell(clean(info.wait or DASH), wait, look.warn if info.blocked_by else look.dim).gap()
        text = HIDDEN if info.hidden else " ".join(clean(info.query, 400).split())
        return line.cell(text, max(0, width - line.width), look.dim if info.hidden or own else look.text)


def busy_since(info: SessionInfo) -> datetime | None:
    """Return since when the session runs its statement; None where it runs none."""
    return info.query_start if info.state == "active" else None


def session_state(info: SessionInfo, look: Palette) -> tuple[str, str, Style]:
    """Return glyph, word and style of what a session is doing."""
    if info.state is None:
        return "?", "hidden" if info.hidden else "server", look.dim
    if info.blocked_by or (info.state == "active" and (info.wait or "").startswith("Lock")):
        return "▲", "blocked", look.warn
    if info.state.startswith("idle in transaction"):
        return "◇", "in trans", look.warn
    if info.state == "active":
        return "▶", "active", look.ok
    return "○", clean(info.state)[:7], look.dim


def session_lines(info: SessionInfo | None, database: DatabaseView, width: int, look: Palette) -> list[Line]:
    """Return the session under the cursor, or why there is none."""
    activity = database.activity
    if info is None:
        return [Line().gap().add(part, look.dim) for part in wrap(_nobody(activity, database), width - 2)]
    line = Line().gap().add(f"{info.pid}", look.strong).gap(2).add(clean(info.state or "state hidden"), look.text)
    if info.address:
        line.gap(2).add(f"from {clean(info.address)}", look.dim)
    if info.wait:
        line.gap(2).add(f"waits for {clean(info.wait)}", look.dim)
    if info.blocked_by:
        line.gap(2).add("blocked by " + ", ".join(map(str, info.blocked_by)), look.warn)
    if not info.may_signal:
        line.gap(2).add("this role may not cancel it", look.dim)
    text = HIDDEN + ": GRANT pg_read_all_stats shows it" if info.hidden else " ".join(clean(info.query).split())
    lines = [line, *(Line().gap().add(part, look.text) for part in wrap(text, width - 2, 3) if part)]
    if activity is not None and activity.left_out:
        lines.append(Line().gap().add(f"{activity.left_out} more sessions are not shown", look.warn))
    return lines


def _nobody(activity: ActivityView | None, database: DatabaseView) -> str:
    if activity is None:
        return "the sessions are not known yet"
    if database.capability is not None and database.capability.single_session:
        return "this engine has one session, which is this console's own: there is nobody else"
    return "no session but the one that reads this"


class SizeList(InfoList):
    """Tables by size, with what upkeep they want."""

    OPENS = False
    infos: dict[str, RelationInfo]

    def fingerprint(self, row: Hashable) -> Hashable:
        info = self.infos.get(str(row))
        return info and (info, self._ago(info.vacuumed), self._ago(info.analyzed))

    def _ago(self, at: datetime | None) -> str:
        return DASH if at is None else age((self.now - at).total_seconds())

    def _name_width(self, width: int) -> int:
        return max(12, min(32, width - 51))

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        line = Line().gap().cell("TABLE", self._name_width(width), head).cell("KIND", 8, head)
        for title, cells in (("SIZE", 6), ("INDEX", 6), ("ROWS", 10), ("DEAD", 8), ("VACUUM", 7), ("STATS", 6)):
            line.column(title, cells, width, head)
        return line

    def draw_row(self, row: Hashable, width: int) -> Line:
        info, look = self.infos.get(str(row)), self.palette
        if info is None:
            return Line()
        line = Line().gap().cell(clean(info.name), self._name_width(width), look.strong).cell(info.kind, 8, look.dim)
        many = bool(info.dead_rows and info.dead_rows > 1000 and info.dead_rows > 0.2 * (info.live_rows or 0))
        for text, cells, style in (
            (short_bytes(info.total_bytes), 6, look.text),
            (short_bytes(info.index_bytes), 6, look.text),
            (count(info.live_rows), 10, look.text),
            (count(info.dead_rows), 8, look.warn if many else look.text),
            (self._ago(info.vacuumed), 7, look.dim),
            (self._ago(info.analyzed), 6, look.dim),
        ):
            line.column(text, cells, width, look.faint if text == DASH else style)
        return line
