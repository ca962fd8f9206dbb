"""What hosts answered, side by side: equal answers stand together, and what differs is marked line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.formatting import clean
from console.messages import CopyWanted
from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linesview import LinesView

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import HostResult

COLUMN, WIDE_FROM = 50, 110  # cells of a column at the least; narrower screens show one group at a time
_LINES = 2000  # of one group
_WRAPPED = 6  # lines that one line of output may take


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that answered alike."""

    results: tuple[HostResult, ...]

    @property
    def first(self) -> HostResult:
        return self.results[0]

    @property
    def names(self) -> str:
        """The hosts, as many as are told in a line."""
        return ", ".join(clean(each.host) for each in self.results)

    @property
    def text(self) -> list[str]:
        """What they printed, stdout before stderr; each line is safe to show."""
        first = self.first
        lines = [clean(line) for line in first.output.splitlines()]
        lines += [f"stderr: {clean(line)}" for line in first.errors.splitlines()]
        lines = lines[:_LINES]
        if first.truncated:
            lines.append("… cut here: the output went on")
        return lines or ["(no output)"]


def grouped(results: Sequence[HostResult]) -> list[Group]:
    """Return the groups of equal answers, the largest first; those that failed before others of their size."""
    groups: dict[tuple[object, ...], list[HostResult]] = {}
    for each in results:
        said = each.note if each.exit_code is None else ""
        key = (each.ok, each.exit_code, each.output, each.errors, each.truncated, said)
        groups.setdefault(key, []).append(each)
    return [Group(tuple(each)) for each in sorted(groups.values(), key=lambda all: (-len(all), all[0].ok))]


class ResultSheet(LinesView):
    """The answers; drawn anew when its own size is another one."""

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if isinstance(self.screen, ResultScreen):
            self.call_after_refresh(self.screen.draw)


class ResultScreen(Cover[None]):
    """The groups as columns where there is room, else one after the other by tab."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close"),
        Binding("tab,right", "step(1)", "next answer"),
        Binding("shift+tab,left", "step(-1)", "answer before", show=False),
        Binding("y", "copy", "copy", show=False),
    ]

    def __init__(self, title: str, results: Sequence[HostResult], left: Sequence[str] = ()) -> None:
        super().__init__()
        self._title, self._left = title, tuple(left)
        self.groups = grouped(results)
        self.at = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="log"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            yield Static(id="result-head", markup=False)
            yield ResultSheet(id="result-sheet", can_focus=True)
            yield Static(id="log-note", markup=False)

    def on_mount(self) -> None:
        self.query_one("#result-sheet", LinesView).focus()
        self.query_one("#result-head", Static).update(self._head())
        self.call_after_refresh(self.draw)

    @property
    def columns(self) -> int:
        """How many groups stand side by side."""
        width = self.query_one("#result-sheet", LinesView).size.width
        return 1 if width < WIDE_FROM - 10 else max(1, min(len(self.groups), width // COLUMN))

    def _head(self) -> str:
        groups, hosts = self.groups, sum(len(group.results) for group in self.groups)
        words = [f"{hosts} host{'' if hosts == 1 else 's'} answered"]
        if len(groups) == 1 and hosts > 1:
            words.append("all alike")
        elif len(groups) > 1:
            words.append(f"{len(groups)} different answers: ≠ marks lines that the first has not")
        if self._left:
            words.append(
                f"not run on {', '.join(clean(name) for name in self._left[:8])}" + (" …" * (len(self._left) > 8))
            )
        return "; ".join(words)

    def draw(self) -> None:
        """Put the groups at hand onto the sheet, as many beside each other as it has room for."""
        if not self.is_mounted or not self.groups:
            return
        sheet = self.query_one("#result-sheet", LinesView)
        shown = self.groups[self.at : self.at + self.columns]
        width = max(20, (sheet.size.width - 1) // max(1, len(shown)) - 1)
        base = frozenset(self.groups[0].text)
        pictures = [self._column(group, base, width, sheet.palette) for group in shown]
        lines = []
        for y in range(max(len(picture) for picture in pictures)):
            line = Line()
            for place, picture in enumerate(pictures):
                if place:
                    line.to(place * (width + 1) - 1).add("│", sheet.palette.faint)
                if y < len(picture):
                    line.extend(picture[y])
            lines.append(line)
        sheet.set_lines(lines)
        sheet.scroll_to(y=0, animate=False)
        last = self.at + len(shown)
        more = f"answers {self.at + 1} to {last} of {len(self.groups)}" if len(self.groups) > len(shown) else ""
        self.query_one("#log-note", Static).update("  ".join(filter(None, (more, "tab next  y copy  esc close"))))

    def _column(self, group: Group, base: frozenset[str], width: int, look: Palette) -> list[Line]:
        first = group.first
        style = look.ok if first.ok else look.bad
        room = width - 2
        lines = [Line().add(part, look.strong) for part in wrap(group.names, room, 3)]
        word = "● ok" if first.ok else "✗ failed"
        alike = f", alike on {len(group.results)} hosts" if len(group.results) > 1 else ""
        code = "" if first.exit_code is None else f" exit {first.exit_code}"
        lines.append(Line().cell(f"{word}{code}{alike}", room, style))
        if first.note and first.note != f"exit {first.exit_code}":
            lines += [
                Line().add(part, look.warn if first.ok else look.bad) for part in wrap(clean(first.note), room, 5)
            ]
        lines.append(Line().add("─" * room, look.faint))
        for text in group.text:
            other = group is not self.groups[0] and text not in base
            for number, part in enumerate(wrap(text, room - 2, _WRAPPED) or [""]):
                mark = "≠ " if other and not number else "  "
                lines.append(Line().add(mark, look.warn).add(part, look.warn if other else look.text))
        return lines

    def action_step(self, step: int) -> None:
        most = max(0, len(self.groups) - self.columns)
        if most:
            self.at = (self.at + step) % (most + 1)
            self.draw()

    def action_copy(self) -> None:
        parts = [f"== {group.names} ==\n" + "\n".join(group.text) for group in self.groups]
        self.app.screen_stack[0].post_message(CopyWanted("\n".join(parts), "the answers"))

    def action_close(self) -> None:
        self.dismiss()
