"""The fleet's table: one line a host, columns as the width allows."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from console.formatting import DASH, age, clean, number, percent, short_bytes
from console.panes.hostfilter import disk_pct, failed_units, net_bps, pending_updates
from console.widgets.line import Line, fit
from console.widgets.linelist import LineList
from console.widgets.plots import spark
from console.widgets.severity import CPU, DISK, HOST_STATES, MEMORY, age_level, level
from core.models import HostState, SectionStatus

if TYPE_CHECKING:
    from core.models import FleetView, HostView

_STATE, _AGE, _PCT, _LOAD, _NET = 11, 5, 5, 6, 6
_FIGURES = 3 * _PCT + _LOAD + 2 * _NET
_FIXED = 1 + _STATE + 1 + _AGE + _FIGURES
_GONE = (HostState.OFFLINE, HostState.UNKNOWN, HostState.MAINTENANCE)
_FOUND, _FOUND_FROM = 5, 96  # failed units and updates, on a table so wide
AGE_STEP_S = 5  # an age past two of these moves on in such steps: a calm fleet is not painted each second
_SORTED = {
    "severity": "STATE",
    "name": "HOST",
    "age": "AGE",
    "cpu": "CPU",
    "mem": "MEM",
    "disk": "DISK",
    "load": "LOAD",
    "net": "RX",
}


class FleetTable(LineList):
    """Hosts by name; the view of each is looked up as it is drawn."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "host", id="fleet.open")]

    @dataclass
    class HeadClicked(Message):
        """A column's head was clicked: sort by it."""

        order: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hosts: dict[str, HostView] = {}
        self.marked: set[Hashable] = set()
        self.now = datetime.now(UTC)
        self.interval_s = 10.0
        self.order, self.backwards = "severity", False
        self.loud: dict[str, int] = {}  # by host: 1 where a warning waits for a person, 2 an error

    def head_clicked(self, x: int) -> None:
        order = next((name for name, title in _SORTED.items() if title == self.head_word(x)), None)
        if order is not None:
            self.post_message(self.HeadClicked(order))

    def fingerprint(self, row: Hashable) -> Hashable:
        view = self.hosts.get(str(row))
        if view is None:
            return None
        seconds = self.age_of(view)
        alerts = self.loud.get(view.host.name, 0)
        rest = (view.version, self._old(view, seconds), row in self.marked, view.state, view.detail, alerts)
        return age(seconds), rest

    def patch_row(self, strip: Strip, before: Hashable, now: Hashable, width: int) -> Strip | None:
        """Where but the age moved on, its cell alone is new: once in a while that is so of all rows at once."""
        if not (isinstance(before, tuple) and isinstance(now, tuple)) or before[1] != now[1]:
            return None
        start = 1 + _STATE + self._widths(width)[0] + 1
        segments, at = list(strip), 0
        for index, (text, style, control) in enumerate(segments):
            cells = len(text) if text.isascii() else cell_len(text)
            if start < at + cells:
                place = start - at
                if not text.isascii() or place < 0 or place + _AGE > cells:
                    return None
                fresh = text[:place] + fit(now[0], _AGE, right=True) + text[place + _AGE :]
                segments[index] = Segment(fresh, style, control)
                return Strip(segments, strip.cell_length)
            at += cells
        return None

    def take(self, before: tuple[HostView, ...], hosts: tuple[HostView, ...]) -> None:
        """Take the hosts of a newer view; of a large fleet most are the same as before."""
        if len(before) == len(hosts) == len(self.hosts):
            changed = [(old, new) for old, new in zip(before, hosts, strict=True) if old is not new]
            if all(old.host.name == new.host.name for old, new in changed):
                self.hosts.update((new.host.name, new) for _, new in changed)
                return
        self.hosts = {each.host.name: each for each in hosts}

    def age_of(self, view: HostView) -> float | None:
        """Return how old the row says that the host's figures are, in seconds."""
        if view.sample is None:
            return None
        seconds = (self.now - view.sample.ts).total_seconds()
        if seconds < 2 * AGE_STEP_S:
            return seconds
        # Steps of the clock, not of each age: all rows move on in one frame, and none in the frames between.
        return max(2.0 * AGE_STEP_S, seconds - self.now.timestamp() % AGE_STEP_S)

    def _old(self, view: HostView, seconds: float | None) -> int:
        if view.state is HostState.MAINTENANCE:
            return 0  # nobody expects news of it
        return age_level(seconds, view.host.interval_s or self.interval_s)

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Return the cells of host name, sparkline and detail."""
        free = max(0, width - _FIXED - (2 * _FOUND if width >= _FOUND_FROM else 0))
        name = min(28, max(12, free * 2 // 5)) if free else 12
        rest = max(0, free - name - 1)
        line = 0 if rest < 6 else min(24, rest if rest < 40 else rest // 2)
        detail = max(0, rest - line - 1)
        return name, line, detail if detail >= 12 else 0

    def draw_header(self, width: int) -> Line:
        name, plot, detail = self._widths(width)
        head, lit, wanted = self.palette.head, self.palette.key, _SORTED[self.order]
        line = Line().gap()
        for title, cells, right in (
            ("STATE", _STATE, False),
            ("HOST", name, False),
            ("AGE", _AGE, True),
            ("CPU", _PCT, True),
            ("MEM", _PCT, True),
            ("DISK", _PCT, True),
            ("LOAD", _LOAD, True),
            ("RX", _NET, True),
            ("TX", _NET, True),
            *((("FAIL", _FOUND, True), ("UPD", _FOUND, True)) if width >= _FOUND_FROM else ()),
        ):
            text = title + ("▴" if self.backwards else "▾") if title == wanted else title
            style = lit if title == wanted else head
            if right:
                line.column(text, cells, width, style)
            else:
                line.cell(text, cells, style)
            if title == "HOST":
                line.gap()
        if plot:
            line.gap().cell("CPU HISTORY" if plot >= 11 else "CPU", plot, head)
        if detail:
            line.gap().cell("DETAIL", detail, head)
        return line

    def draw_row(self, row: Hashable, width: int) -> Line:
        view = self.hosts.get(str(row))
        if view is None:
            return Line()
        name, plot, detail = self._widths(width)
        look = self.palette
        glyph, word = HOST_STATES[view.state]
        gone = view.state in _GONE
        seconds = self.age_of(view)
        line = Line()
        line.add("*" if row in self.marked else " ", look.key)
        line.cell(f"{glyph} {word}", _STATE, look.state(view.state))
        line.cell(clean(view.host.name), name, look.dim if gone else look.strong)
        loud = self.loud.get(view.host.name, 0)
        line.add("!" if loud else " ", look.level(loud))
        stale = self._old(view, seconds)
        line.cell(age(seconds), _AGE, look.dim if seconds is not None and not stale else look.level(stale), True)
        if gone and view.sample is None:
            return line.gap(2).cell(self._reason(view), width - line.width, self._reason_style(view))
        self._figures(line, view, gone, width)
        if gone:
            return line.gap(2).cell(self._reason(view), width - line.width, self._reason_style(view))
        reason = self._reason(view)
        if reason and not detail:
            if width - line.width < 8:
                return line
            return line.gap().cell(clean(view.detail) or reason, max(0, width - line.width), look.warn)
        if plot:
            style = look.faint if stale else look.plot
            line.gap().cell(spark(view.history.cpu, plot), plot, style)
        if detail:
            line.gap().cell(reason, detail, look.warn)
        return line

    def _figures(self, line: Line, view: HostView, gone: bool, width: int) -> None:
        sample, look = view.sample, self.palette
        system = sample.system if sample else None
        cpu, mem, disk = (system.cpu_pct, system.mem_pct, disk_pct(view)) if system else (None, None, None)

        def put(text: str, cells: int, severity: int = 0) -> None:
            style: Style = look.faint if gone or text == DASH else look.level(severity)
            line.column(text, cells, width, style)

        put(percent(cpu), _PCT, level(cpu, CPU))
        put(percent(mem), _PCT, level(mem, MEMORY))
        put(percent(disk), _PCT, level(disk, DISK))
        if gone:  # what is wrong matters more than old figures
            return
        put(number(system.load1 if system else None), _LOAD)
        received, sent = net_bps(view)
        put(short_bytes(received), _NET)
        put(short_bytes(sent), _NET)
        if width >= _FOUND_FROM:
            put(_found(view, "services", failed_units(view)), _FOUND, 2 if failed_units(view) else 0)
            updates = view.findings.get("updates")
            urgent = updates is not None and updates.finding.severity != "info"
            put(_found(view, "updates", pending_updates(view)), _FOUND, 1 if urgent else 0)

    def _reason(self, view: HostView) -> str:
        reason, detail = view.reason.value, clean(view.detail)
        if not detail:
            return reason
        return f"{reason}: {detail}" if reason and not detail.lower().startswith(reason) else detail

    def _reason_style(self, view: HostView) -> Style:
        return self.palette.bad if view.state is HostState.OFFLINE else self.palette.dim


def _found(view: HostView, kind: str, figure: int | None) -> str:
    """A count; what the host lacks and what is forbidden are no zeros, and no unknowns either."""
    if figure is not None:
        return str(figure)
    found = view.findings.get(kind)
    words = {SectionStatus.ABSENT: "n/a", SectionStatus.FORBIDDEN: "deny"}
    return words.get(found.finding.status, DASH) if found else DASH


def loud_hosts(view: FleetView) -> dict[str, int]:
    """Return by host how bad the alerts are that wait for a person: 1 warning, 2 error."""
    loud: dict[str, int] = {}
    for alert in view.alerts:
        if alert.loud and alert.severity != "info":
            loud[alert.host] = max(loud.get(alert.host, 0), 2 if alert.severity == "error" else 1)
    return loud
