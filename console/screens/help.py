"""Help, made from the keys that are live where it was called."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.screens.base import Cover
from console.widgets.line import Line
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from console.widgets.palette import Palette

Groups = list[tuple[str, list[tuple[str, str]]]]
_WORDS = (
    ("STATES", "● online   ▲ degraded   ✗ offline   ○ unknown   ◇ maintenance"),
    ("FIGURES", "– is not known (never zero); AGE turns yellow past 3 intervals, red past 6"),
    ("CHUNKS", "▓ compressed   ░ uncompressed   ▒ partial: newer rows   ▚ late: past its policy"),
    ("FILTER", 'words  !not  -f fuzzy  state:offline,degraded  tag=web  unit:nginx  "two words"'),
    ("", "cpu>80  disk>=90  age>60s  up<2d  net>10m  free<5g   tab completes"),
)


class HelpScreen(Cover[None]):
    """The keys by group, and what the signs mean."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "close")]

    def __init__(self, groups: Groups) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static("Keys", classes="dialog-title", markup=False)
            yield LinesView(id="help", can_focus=True)
            yield Static("esc closes, j k scroll", classes="dialog-note", markup=False)

    def on_mount(self) -> None:
        self.query_one(LinesView).focus()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        sheet = self.query_one(LinesView)
        sheet.set_lines(help_lines(self._groups, sheet.size.width, sheet.palette))


def help_lines(groups: Groups, width: int, look: Palette) -> list[Line]:
    """Return the help in one column, or in two where the width allows."""
    two = width >= 76
    room = width // 2 if two else width
    blocks = []
    for title, rows in groups:
        block = [Line().add(title.upper(), look.head)]
        for keys, what in rows:
            block.append(Line().gap().cell(keys, 10, look.key).gap().cell(what, room - 13, look.text))
        blocks.append([*block, Line()])
    lines = _two(blocks, width) if two else [line for block in blocks for line in block]
    for title, words in _WORDS:
        lines.append(Line().cell(title, 10, look.head).add(words, look.dim))
    return lines


def _two(blocks: list[list[Line]], width: int) -> list[Line]:
    columns: tuple[list[Line], list[Line]] = ([], [])
    for block in blocks:
        columns[0 if len(columns[0]) <= len(columns[1]) else 1].extend(block)
    lines = []
    for index in range(max(len(columns[0]), len(columns[1]))):
        line = Line()
        if index < len(columns[0]):
            line.extend(columns[0][index])
        if index < len(columns[1]):
            line.to(width // 2).extend(columns[1][index])
        lines.append(line)
    return lines
