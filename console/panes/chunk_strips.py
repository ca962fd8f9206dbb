"""The chunks of every table as strips: one cell a chunk, oldest left; a cursor walks the chosen table's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events

from console.formatting import age, clean, count, long_bytes, moment, ratio
from console.panes.chunk_marks import is_late, sign, word
from console.widgets.line import Line
from console.widgets.linesview import LinesView
from core.models import ChunkInfo

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import HypertableInfo

_CURSOR = Style(reverse=True, bold=True)
Chunks = dict[str, tuple[ChunkInfo, ...]]


class ChunkStrips(LinesView):
    """Draws what the pane hands over; a click chooses the chunk."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.places: dict[int, list[tuple[int, str]]] = {}

    def show(
        self, tables: tuple[HypertableInfo, ...], chunks: Chunks, chosen: str, chunk: str | None, now: datetime
    ) -> None:
        """Draw the strips of all tables."""
        width, look = self.size.width - 1, self.palette
        if width < 20:
            return
        name_width = min(26, max((len(table.name) for table in tables), default=8) + 2)
        most = max((len(own) for own in chunks.values()), default=1)
        room = max(4, width - name_width - 8)
        cell = max(1, min(3, room // max(1, most)))
        lines = [_legend(width, look)]
        self.places = {}
        for table in tables:
            here = table.name == chosen
            line = Line().add("▸" if here else " ", look.key)
            line.cell(clean(table.name), name_width - 1, look.strong if here else look.dim)
            own = chunks.get(table.name, ())
            shown, before, after = _window(own, room // cell, chunk if here else None)
            line.cell(f"{before}‹" if before else "", 4, look.faint, True)
            places = []
            for each in shown:
                late = is_late(each, table, now)
                style = _style(each, late, look)
                mark = (sign(each, late) * max(1, cell - 1)).ljust(cell)
                places.append((line.width, each.name))
                if here and each.name == chunk:
                    line.add(mark[: max(1, cell - 1)], style + _CURSOR).gap(cell - max(1, cell - 1))
                else:
                    line.add(mark, style)
            line.add(f"›{after}" if after else "", look.faint)
            self.places[len(lines)] = places
            lines.append(line)
        self.set_lines(lines)

    def at(self, event: events.Click) -> str | None:
        """Return the chunk under the mouse."""
        found = None
        for start, name in self.places.get(event.y + self.scroll_offset.y, []):
            if start <= event.x:
                found = name
        return found


def _window(own: tuple[ChunkInfo, ...], room: int, chunk: str | None) -> tuple[tuple[ChunkInfo, ...], int, int]:
    """Return the chunks that fit, newest ones or those around the chosen one, and how many lie beyond each end."""
    if len(own) <= room:
        return own, 0, 0
    place = next((index for index, each in enumerate(own) if each.name == chunk), len(own) - 1)
    first = min(len(own) - room, max(0, place - room // 2))
    return own[first : first + room], first, len(own) - first - room


def _style(chunk: ChunkInfo, late: bool, look: Palette) -> Style:
    if chunk.partial or late:
        return look.warn
    return look.ok if chunk.compressed else look.info


def _legend(width: int, look: Palette) -> Line:
    line = Line().gap().add("CHUNKS", look.head).add("  oldest first   " if width >= 66 else "  ", look.dim)
    for mark, text, style in (
        ("▓", "compressed", look.ok),
        ("░", "open", look.info),
        ("▒", "partial", look.warn),
        ("▚", "late", look.warn),
    ):
        if line.width + len(text) + 2 <= width:
            line.add(mark, style).add(f" {text}   ", look.dim)
    return line


def chunk_lines(
    chunk: ChunkInfo | None, table: HypertableInfo | None, now: datetime, utc: bool, look: Palette
) -> list[Line]:
    """Return the chunk under the cursor in two lines."""
    if chunk is None:
        return [Line(), Line()] if table is None else [Line().add("no chunk yet: samples make one", look.dim), Line()]
    late = is_late(chunk, table, now)
    form = "%Y-%m-%d %H:%M"
    first = Line().add(f"{sign(chunk, late)} {word(chunk, late)}", _style(chunk, late, look)).gap(2)
    first.add(clean(chunk.name.rsplit(".", 1)[-1]), look.strong).gap(2)
    first.add(f"{moment(chunk.start, utc, form)} → {moment(chunk.end, utc, form)}", look.text)
    second = Line().gap(2).add(long_bytes(chunk.total_bytes), look.text)
    if chunk.before_bytes is not None:
        second.add("   was ", look.dim).add(long_bytes(chunk.before_bytes), look.text)
        second.add("   ratio ", look.dim).add(ratio(chunk.ratio), look.ok)
    second.add("   rows ", look.dim).add(("~" if chunk.rows is not None else "") + count(chunk.rows), look.text)
    second.add("   ended ", look.dim)
    ended = (now - chunk.end).total_seconds()
    second.add(f"{age(ended)} ago" if ended >= 0 else "not yet", look.text)
    if late:
        second.add("   should be compressed by its policy", look.warn)
    return [first, second]
