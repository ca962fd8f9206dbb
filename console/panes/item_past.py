"""What a container or unit used at the last looks, or before a moment of the past: two curves, and their heights."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from console.formatting import age, percent, short_bytes
from console.messages import ItemPlotWanted
from console.panes.host_plots import bridged, reach_in
from console.widgets.line import Line
from console.widgets.plots import gathered, spark, top_of
from core.models import ItemHistory

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from console.widgets.palette import Palette
    from console.widgets.plots import Values
    from core.models import ItemPlot

_LABEL, _SAID = 11, 15  # cells of the label before the curves, of the words behind one
_NARROW = 72  # up to here each curve has a line of its own
_BEFORE, _POINTS = timedelta(hours=1), 120  # what is read of the past


def past_lines(past: ItemHistory | None, width: int, look: Palette) -> list[Line]:
    """Return CPU and memory of the last looks; nothing where there were not two of them yet."""
    if past is None or len(past.times) < 2:
        return []
    over = f"last {age((past.times[-1] - past.times[0]).total_seconds())}"
    curves: tuple[tuple[str, Values, Callable[[float | None], str], float], ...] = (
        ("CPU", past.cpu, percent, 100.0),
        ("MEM", past.mem, short_bytes, 1024.0),
    )
    apart = width <= _NARROW
    room = width - _LABEL if apart else (width - _LABEL - 2) // 2
    cells = max(4, min(len(past.times), room - 4 - _SAID))
    lines: list[Line] = []
    for number, (word, values, form, least) in enumerate(curves):
        if apart or not lines:
            lines.append(Line().cell("" if number else over, _LABEL - 1, look.dim).gap())
        else:
            lines[-1].to(_LABEL + room + 2)
        most = max((value for value in values if value is not None), default=None)
        lines[-1].cell(word, 3, look.dim).gap()
        lines[-1].cell(
            spark(gathered(values, cells, len(values)), cells, top_of(values, least)), cells, look.plot
        ).gap()
        lines[-1].add(f"up to {form(most)}" if most is not None else "not told", look.text)
    return lines


class StoredPast:
    """The past of the selected item before a moment that is over: asked for once, and drawn when it has come."""

    def __init__(self, post: Callable[[ItemPlotWanted], object], draw: Callable[[], None]) -> None:
        self._post, self._draw = post, draw
        self._asked: tuple[str, tuple[str, str], datetime] | None = None
        self._told: ItemHistory | None = None

    def before(self, host: str, item: tuple[str, str], at: datetime) -> ItemHistory | None:
        """Return the hour before; None until it is read, and where nothing is stored of it."""
        if (wanted := (host, item, at)) != self._asked:
            self._asked, self._told = wanted, None
            self._post(ItemPlotWanted(host, item, at - _BEFORE, at, _POINTS, self.take))
        return self._told

    def take(self, wanted: ItemPlotWanted, plot: ItemPlot | None) -> None:
        """Draw what was asked for, unless something else was asked for since."""
        if plot is None or self._asked != (wanted.host, wanted.item, wanted.until):
            return
        mean, reach = plot.mean, 0
        if plot.source == "raw":
            reach = reach_in([c if c is not None else m for c, m in zip(mean.cpu, mean.mem, strict=True)], plot.step_s)
        told = ItemHistory(mean.times, tuple(bridged(mean.cpu, reach)), tuple(bridged(mean.mem, reach)))
        self._told = told if any(value is not None for value in (*told.cpu, *told.mem)) else None
        self._draw()
