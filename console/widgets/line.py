"""A line under construction: cells of fixed width, foreign text never taken for markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip


def fit(text: str, width: int, right: bool = False) -> str:
    """Return the text at exactly that many cells: cut with an ellipsis, or filled up left or right."""
    if width <= 0:
        return ""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else "…"
    fill = " " * (width - length)
    return fill + text if right else text + fill


def wrap(text: str, width: int, most: int = 50) -> list[str]:
    """Return the text in lines of at most that many cells, broken at spaces where there are some."""
    lines: list[str] = []
    rest = text.strip()
    width = max(1, width)
    while rest and len(lines) < most:
        if cell_len(rest) <= width:
            lines.append(rest)
            break
        head = set_cell_size(rest, width).rstrip() or rest[:1]
        cut = head.rfind(" ")
        if cut > width // 3 and not rest[len(head) : len(head) + 1].isspace():
            head = head[:cut]
        lines.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return lines or [""]


class Line:
    """Collects styled cells from left to right and turns into a strip."""

    __slots__ = ("segments", "width")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.width = 0

    def add(self, text: str, style: Style | None = None) -> Line:
        """Append the text as it is."""
        self.segments.append(Segment(text, style))
        self.width += len(text) if text.isascii() else cell_len(text)
        return self

    def cell(self, text: str, width: int, style: Style | None = None, right: bool = False) -> Line:
        """Append the text cut or filled to exactly that many cells."""
        if width > 0:
            self.segments.append(Segment(fit(text, width, right), style))
            self.width += width
        return self

    def column(self, text: str, width: int, limit: int, style: Style | None = None) -> Line:
        """Append a right-aligned cell if it ends within the limit; else nothing, so that no column is cut."""
        if self.width + width <= limit:
            self.cell(text, width, style, True)
        return self

    def gap(self, width: int = 1) -> Line:
        """Append blanks."""
        if width > 0:
            self.segments.append(Segment(" " * width, None))
            self.width += width
        return self

    def to(self, column: int) -> Line:
        """Fill up to that column."""
        return self.gap(column - self.width)

    def extend(self, other: Line) -> Line:
        """Append another line's cells."""
        self.segments.extend(other.segments)
        self.width += other.width
        return self

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return "".join(segment.text for segment in self.segments)

    def strip(self, width: int, base: Style | None = None, over: Style | None = None) -> Strip:
        """Return a strip of exactly that width; ``base`` lies under the cells' styles, ``over`` upon them."""
        if self.width > width:
            strip = Strip(self.segments, self.width).adjust_cell_length(width)
            segments, filled = list(strip), width
        else:
            segments, filled = self.segments, self.width
        if filled < width:
            segments = [*segments, Segment(" " * (width - filled), None)]
        return Strip(_styled(segments, base or Style.null(), over or Style.null()), width)


def _styled(segments: Iterable[Segment], under: Style, over: Style) -> list[Segment]:
    """Lay the styles over each other; neighbours that look alike become one, for each costs in every later step."""
    done: list[Segment] = []
    text, last = "", under
    for piece, own, _ in segments:
        style = (under + own if own else under) + over
        if style is last or style == last:
            text += piece
            continue
        if text:
            done.append(Segment(text, last))
        text, last = piece, style
    if text:
        done.append(Segment(text, last))
    return done
