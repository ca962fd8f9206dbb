"""Hosts side by side: each figure in its row, what differs marked by a sign and a word. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from console.formatting import DASH, age, clean, number, percent, short_bytes, span
from console.panes.hostfilter import data_age, disk_pct, failed_units, net_bps, pending_updates
from console.widgets.line import Line
from console.widgets.plots import spark, top_of
from console.widgets.severity import CPU, DISK, HOST_STATES, MEMORY, level
from core.models import ContainerFigures, UpdateFigures

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import HostView

LABEL, CELL = 14, 17
_SPREAD = 1.5  # times the smallest: from here on figures count as apart
_Bounds = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Trait:
    """One row: a figure (compared by size, from ``least`` apart on) or a text (compared by being the same)."""

    label: str
    read: Callable[[HostView, datetime], float | str | None]
    form: Callable[[float], str] = number
    least: float = 0.0
    bounds: _Bounds = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A row as it is shown: a text a host, and which of them stand apart (1 higher or other, -1 lower)."""

    label: str
    texts: tuple[str, ...]
    apart: tuple[int, ...]
    levels: tuple[int, ...]

    @property
    def differs(self) -> bool:
        """Whether the hosts are not alike in it."""
        return any(self.apart)


def _system(name: str) -> Callable[[HostView, datetime], float | None]:
    return lambda view, now: getattr(view.sample.system, name) if view.sample else None


def _updates(name: str) -> Callable[[HostView, datetime], float | str | None]:
    def read(view: HostView, now: datetime) -> float | str | None:
        found = view.findings.get("updates")
        value = found.finding.value if found else None
        told = getattr(value, name) if isinstance(value, UpdateFigures) else None
        return {True: "due", False: "no"}.get(told, told) if isinstance(told, bool) else told

    return read


def _running(view: HostView, now: datetime) -> float | None:
    found = view.findings.get("containers")
    value = found.finding.value if found else None
    if not isinstance(value, tuple):
        return None
    return sum(isinstance(one, ContainerFigures) and one.state == "running" for one in value)


TRAITS: tuple[Trait, ...] = (
    Trait("state", lambda view, now: " ".join(HOST_STATES[view.state])),
    Trait("reason", lambda view, now: view.reason.value or None),
    Trait("data age", data_age, age, 30.0),
    Trait("uptime", lambda view, now: view.sample.uptime_s if view.sample else None, span, 86_400.0),
    Trait("CPUs", _system("cpus"), lambda value: f"{value:.0f}", 1.0),
    Trait("CPU", _system("cpu_pct"), percent, 15.0, CPU),
    Trait("load 1m", _system("load1"), number, 1.0),
    Trait("memory", _system("mem_total"), short_bytes, 1 << 28),
    Trait("memory used", _system("mem_pct"), percent, 15.0, MEMORY),
    Trait("swap", _system("swap_total"), short_bytes, 1 << 28),
    Trait("fullest disk", lambda view, now: disk_pct(view), percent, 10.0, DISK),
    Trait("received", lambda view, now: net_bps(view)[0], short_bytes, 1e5),
    Trait("sent", lambda view, now: net_bps(view)[1], short_bytes, 1e5),
    Trait("failed units", lambda view, now: failed_units(view), lambda value: f"{value:.0f}", 1.0),
    Trait("containers up", _running, lambda value: f"{value:.0f}", 1.0),
    Trait("updates", lambda view, now: pending_updates(view), lambda value: f"{value:.0f}", 1.0),
    Trait("for security", _updates("security"), lambda value: f"{value:.0f}", 1.0),
    Trait("reboot", _updates("reboot_needed")),
    Trait("kernel", _updates("running_kernel")),
    Trait("groups", lambda view, now: " ".join(sorted(view.host.groups)) or None),
    Trait("tags", lambda view, now: " ".join(sorted(view.host.tags)) or None),
)
PLOTS: tuple[tuple[str, str, float | None], ...] = (
    ("CPU history", "cpu", 100.0), ("mem history", "mem", 100.0), ("disk history", "disk", 100.0),
    ("net history", "net", None), ("load history", "load", None),
)  # fmt: skip


def compare(trait: Trait, views: Sequence[HostView], now: datetime) -> Compared:
    """Return one row; an unknown figure is a dash and stands apart from no other."""
    values = [trait.read(view, now) for view in views]
    figures = [value for value in values if isinstance(value, int | float)]
    if figures or all(value is None for value in values):
        texts = tuple(trait.form(value) if isinstance(value, int | float) else DASH for value in values)
        levels = tuple(level(v, trait.bounds) if trait.bounds and isinstance(v, int | float) else 0 for v in values)
        return Compared(trait.label, texts, tuple(_apart(value, figures, trait.least) for value in values), levels)
    usual, times = Counter(value for value in values if value is not None).most_common(1)[0]
    other = len(values) > 1 and times < sum(value is not None for value in values)
    apart = tuple(int(other and value is not None and (value != usual or times == 1)) for value in values)
    return Compared(
        trait.label, tuple(clean(str(value)) if value else DASH for value in values), apart, (0,) * len(values)
    )


def _apart(value: float | str | None, figures: Sequence[float], least: float) -> int:
    """Return 1 for the highest and -1 for the lowest of figures that are well apart, in share and in size."""
    low, high = min(figures, default=0.0), max(figures, default=0.0)
    if not isinstance(value, int | float) or high - low < max(least, 1e-9) or high < _SPREAD * max(low, 0.0):
        return 0
    if len(figures) > 2 and 2 * figures.count(value) > len(figures):
        return 0  # what most have is not what stands apart
    return 1 if value == high else -1 if value == low else 0


def lines_of(
    views: Sequence[HostView], now: datetime, width: int, look: Palette, only_apart: bool
) -> tuple[list[Line], int]:
    """Return the sheet, and how many rows differ. Hosts that do not fit are the caller's to leave out."""
    cell = cell_width(width, len(views))
    head = Line().cell("", LABEL, look.head)
    for view in views:
        head.cell(clean(view.host.name), cell - 1, look.strong).gap()
    lines, apart = [head], 0
    for trait in TRAITS:
        row = compare(trait, views, now)
        apart += row.differs
        if row.differs or not only_apart:
            lines.append(_row(row, cell, width, look))
    lines.append(Line())
    for label, name, top in PLOTS:
        line = Line().cell(label, LABEL, look.dim)
        all_values = [getattr(view.history, name) for view in views]
        most = top or max(
            (top_of(values) for values in all_values), default=1.0
        )  # one scale, or nothing can be compared
        for values in all_values:
            line.cell(spark(values, cell - 2, most), cell - 1, look.plot).gap()
        lines.append(line)
    return lines, apart


def cell_width(width: int, hosts: int) -> int:
    """Return the cells of one host."""
    return max(CELL, min(30, (width - LABEL - 9) // max(1, hosts)))


def _row(row: Compared, cell: int, width: int, look: Palette) -> Line:
    line = Line().cell(row.label, LABEL, look.text if row.differs else look.dim)
    for text, apart, bad in zip(row.texts, row.apart, row.levels, strict=True):
        sign = {1: "▲ ", -1: "▼ "}.get(apart, "  ")
        if apart and not any(each < 0 for each in row.apart):
            sign = "≠ "
        style = look.level(bad) if bad else look.strong if apart else look.dim if text == DASH else look.text
        line.cell(sign + text, cell - 1, style).gap()
    if row.differs and line.width + 7 <= width:
        line.add("differs", look.warn)
    return line
