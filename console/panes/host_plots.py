"""A host's past as plots over a chosen span: mean filled, the greatest above it, gaps empty, axes with times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from statistics import median
from typing import TYPE_CHECKING

from console.formatting import DASH, moment, number, percent, short_bytes
from console.panes.host_sheet import heading
from console.widgets.line import Line
from console.widgets.plots import top_of
from console.widgets.severity import BUSY, CPU, DISK, MEMORY, level

if TYPE_CHECKING:
    from console.panes.host_sheet import Sheet
    from console.widgets.plots import Values
    from core.models import HostPlot

SPANS: tuple[tuple[str, timedelta], ...] = (
    ("5 min", timedelta(minutes=5)),
    ("15 min", timedelta(minutes=15)),
    ("1 h", timedelta(hours=1)),
    ("6 h", timedelta(hours=6)),
    ("1 day", timedelta(days=1)),
    ("1 week", timedelta(days=7)),
    ("1 month", timedelta(days=30)),
    ("3 months", timedelta(days=91)),
    ("1 year", timedelta(days=365)),
)
FIRST = 2  # what zooming out of the live plots shows
POINTS = 240
_SOURCES = {"raw": "every sample", "1m": "from averages of a minute", "1h": "from averages of an hour"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_BAND = "░"
Unit = Callable[[float | None], str]


def bridged(values: Values, reach: int) -> list[float | None]:
    """Return the values with holes of at most ``reach`` filled by the value before: data may be coarser than steps."""
    out: list[float | None] = list(values)
    held, since = None, 0
    for place, value in enumerate(out):
        if value is not None:
            held, since = value, 0
        elif held is not None and since < reach:
            out[place] = held
            since += 1
    return out


def reach_of(plot: HostPlot) -> int:
    """Return how many steps without a value are no gap, for the samples come more seldom than the steps.

    Buckets of a rollup line up with the steps: of a host that is polled often, every hole there is a gap.
    """
    return reach_in(plot.history.cpu, plot.step_s)


def reach_in(values: Values, step_s: float) -> int:
    """Return how many steps without a value are no gap between these samples."""
    known = [place for place, value in enumerate(values) if value is not None]
    if len(known) < 3:
        return 0
    usual = median(later - before for before, later in pairwise(known))
    return ceil(1.6 * usual) if usual > 1 else int(step_s <= 30)


def thinned(values: Values, cells: int, span: tuple[int, float], how: Callable[[list[float]], float]) -> Values:
    """Return one value a cell; ``span`` is the first step shown and how many a cell covers."""
    first, share = span
    out: list[float | None] = []
    for cell in range(cells):
        low = int(first + cell * share)
        high = max(low + 1, int(first + (cell + 1) * share))
        known = [value for value in values[low:high] if value is not None]
        out.append(how(known) if known else None)
    return out


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def rows_of(mean: Values, high: Values, height: int, top: float) -> list[list[tuple[str, bool]]]:
    """Return the rows, top first: in each cell a glyph, and whether only the greatest reaches there."""
    full, rows = height * 8, list[list[tuple[str, bool]]]()

    def eighths(value: float | None) -> int:
        return 0 if value is None else max(1, min(full, round(max(0.0, value) / top * full)))

    levels = [(eighths(m), eighths(h)) for m, h in zip(mean, high, strict=True)]
    for row in range(height):
        base = (height - 1 - row) * 8
        cells = []
        for middle, most in levels:
            part = min(8, max(0, middle - base))
            cells.append((_BLOCKS[part], False) if part or most <= base else (_BAND, True))
        rows.append(cells)
    return rows


def axis(start: datetime, stop: datetime, width: int, utc: bool) -> str:
    """Return the times below a plot: where it begins, its middle, where it ends."""
    span = stop - start
    if span <= timedelta(minutes=15):
        form = "%H:%M:%S"
    elif span <= timedelta(days=1):
        form = "%H:%M"
    elif span <= timedelta(days=7):
        form = "%m-%d %H:%M"
    else:
        form = "%Y-%m-%d" if span > timedelta(days=180) else "%m-%d"
    left, middle, right = (moment(at, utc, form) for at in (start, start + span / 2, stop))
    if width < len(left) + len(right) + 1:
        return left[:width]
    out = left + " " * (width - len(left) - len(right)) + right
    at = (width - len(middle)) // 2
    if at > len(left) and at + len(middle) < width - len(right):
        out = out[:at] + middle + out[at + len(middle) :]
    return out


def zoomed(
    name: str,
    window: tuple[datetime, datetime],
    plot: HostPlot | None,
    trouble: str,
    sheet: Sheet,
    size: tuple[int, int],
) -> list[Line]:
    """Return heading and plots of a window; ``size``: rows of a plot, and plots side by side."""
    start, stop = window
    form = "%m-%d %H:%M" if stop - start < timedelta(days=180) else "%Y-%m-%d"
    told = f"{name}: {moment(start, sheet.utc, form)} to {moment(stop, sheet.utc, form)}"
    told += f", {_SOURCES[plot.source]}" if plot else ""
    lines = [heading("PAST", sheet, told + "; z Z zoom")]
    if plot is None:
        return [*lines, Line().add(trouble or "reading", sheet.look.warn if trouble else sheet.look.dim)]
    if not any(value is not None for value in (*plot.history.cpu, *plot.history.mem, *plot.history.disk)):
        return [*lines, Line().add("no data of this host in that time", sheet.look.dim)]
    height, columns = size
    width = (sheet.width - (columns - 1) * 2) // columns
    blocks = _blocks(window, plot, sheet, (width, height))
    for at in range(0, len(blocks), columns):
        for parts in zip(*blocks[at : at + columns], strict=True):
            line = Line()
            for column, part in enumerate(parts):
                line.to(column * (width + 2)).extend(part)
            lines.append(line)
    return lines


def _blocks(window: tuple[datetime, datetime], plot: HostPlot, sheet: Sheet, size: tuple[int, int]) -> list[list[Line]]:
    mean, high, low = plot.history, plot.high, plot.low
    net_top = top_of([v for v in (*mean.net, *high.net) if v is not None], 1024.0)
    load_top = top_of([v for v in (*mean.load, *high.load) if v is not None], 1.0)
    return [
        _block("CPU", (mean.cpu, low.cpu, high.cpu), 100.0, percent, CPU, window, plot, sheet, size),
        _block("MEMORY", (mean.mem, low.mem, high.mem), 100.0, percent, MEMORY, window, plot, sheet, size),
        _block("NET", (mean.net, low.net, high.net), net_top, short_bytes, None, window, plot, sheet, size),
        _block("LOAD", (mean.load, low.load, high.load), load_top, number, None, window, plot, sheet, size),
        _block("FULLEST DISK", (mean.disk, (), ()), 100.0, percent, DISK, window, plot, sheet, size),
        _block("BUSIEST DISK", (mean.io, (), ()), 100.0, percent, BUSY, window, plot, sheet, size),
    ]


def _block(
    title: str,
    curves: tuple[Values, Values, Values],
    top: float,
    unit: Unit,
    bounds: tuple[float, float] | None,
    window: tuple[datetime, datetime],
    plot: HostPlot,
    sheet: Sheet,
    size: tuple[int, int],
) -> list[Line]:
    """Return a title with least, mean and greatest, the rows with a scale, and the times below."""
    (width, height), look = size, sheet.look
    mean, low, high = curves
    known = [value for value in mean if value is not None]
    most = max([v for v in high if v is not None], default=max(known, default=None))
    least = min([v for v in low if v is not None], default=min(known, default=None))
    severity = level(most, bounds) if bounds else 0
    average = unit(_mean(known)) if known else DASH
    told = f"{unit(least)} to {unit(most)}, mean {average}" if known else "no data"
    lines = [Line().cell(title, max(0, width - len(told) - 1), look.head).gap().add(told, look.level(severity))]
    cells, reach = width - 6, reach_of(plot)
    share = (window[1] - window[0]).total_seconds() / plot.step_s / max(1, cells)
    first = round((window[0] - plot.history.times[0]).total_seconds() / plot.step_s) if plot.history.times else 0
    span = (max(0, first), share)
    shown = thinned(bridged(mean, reach), cells, span, _mean)
    peaks = thinned(bridged(high or mean, reach), cells, span, max)
    for row, parts in enumerate(rows_of(shown, peaks, height, top)):
        label = unit(top) if row == 0 else unit(top / 2) if height >= 5 and row == height // 2 else ""
        line = Line().cell("0" if row == height - 1 else label, 5, look.faint, True).gap()
        for text, band in _runs(parts):
            line.add(text, look.faint if band else look.level(severity) if severity else look.plot)
        lines.append(line)
    lines.append(Line().gap(6).add(axis(*window, cells, sheet.utc), look.faint))
    return lines


def _runs(parts: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Return cells of one style joined, so that a row is a few pieces."""
    runs: list[tuple[str, bool]] = []
    for glyph, band in parts:
        if runs and runs[-1][1] == band:
            runs[-1] = (runs[-1][0] + glyph, band)
        else:
            runs.append((glyph, band))
    return runs
