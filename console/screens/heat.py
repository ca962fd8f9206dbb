"""The whole fleet as a map: a cell a host, by the figure that is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from console.formatting import DASH, age, clean, number, percent
from console.panes.hostfilter import FIGURES, data_age
from console.panes.hostorder import ORDERS
from console.screens.base import Cover
from console.widgets.heatgrid import HeatGrid
from console.widgets.severity import CPU, DISK, HOST_STATES, MEMORY, age_level, level
from core.models import HostState

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from console.widgets.heatgrid import Mark
    from core.models import FleetView, HostView

_BLOCKS = "▁▂▃▄▅▆▇█"
_AWAY = (HostState.OFFLINE, HostState.UNKNOWN, HostState.MAINTENANCE)
_FAILED = (1.0, 1.0)
METRICS: dict[str, tuple[Callable[[HostView], float | None], tuple[float, float], float]] = {
    "cpu": (FIGURES["cpu"], CPU, 100.0),  # the figure, its bounds, the top of its scale
    "mem": (FIGURES["mem"], MEMORY, 100.0),
    "disk": (FIGURES["disk"], DISK, 100.0),
    "failed": (FIGURES["failed"], _FAILED, 4.0),
    "updates": (FIGURES["updates"], (20.0, 1e9), 60.0),
}
NAMES = ("state", *METRICS, "age")


class HeatScreen(Cover[str]):
    """Gives back the host that was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,H", "close", "close"),
        Binding("m", "metric(1)", "next figure"),
        Binding("M", "metric(-1)", "figure before"),
        Binding("s", "order", "worst first, or by name"),
    ]

    def __init__(self, host: str | None, services: ConsoleServices) -> None:
        super().__init__()
        self._host, self._services = host, services
        self._metric, self._by_name = "state", False
        self._known: dict[str, HostView] = {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="whole"):
            yield Static("", id="heat-title", classes="dialog-title", markup=False)
            yield HeatGrid(id="heat-grid")
            yield Static("", id="heat-host", markup=False)
            yield Static("", id="heat-note", classes="dialog-note", markup=False)

    def on_mount(self) -> None:
        grid = self.query_one(HeatGrid)
        grid.mark_of = self._mark
        self._take(self._services.view)
        if self._host is not None:
            grid.select(self._host)
        grid.focus()
        self.call_after_refresh(self._draw)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def update_view(self, view: FleetView) -> None:
        self._take(view)
        self._draw()

    def _take(self, view: FleetView) -> None:
        self._known = {each.host.name: each for each in view.hosts}
        rank = ORDERS["severity"]
        hosts = view.hosts if self._by_name else sorted(view.hosts, key=lambda each: (rank(each), each.host.name))
        names = [each.host.name for each in hosts]
        self.query_one(HeatGrid).set_names(sorted(names) if self._by_name else names)

    @property
    def _now(self) -> datetime:
        view = self._services.view
        return datetime.now(UTC) if view.live else view.at

    def _mark(self, name: str) -> Mark:
        view = self._known.get(name)
        if view is None:
            return " ", -1
        if self._metric == "state" or view.state in _AWAY:
            bad = {HostState.OFFLINE: 2, HostState.DEGRADED: 1, HostState.ONLINE: 0}.get(view.state, -1)
            return HOST_STATES[view.state][0], bad
        if self._metric == "age":
            seconds = data_age(view, self._now)
            bad = age_level(seconds, view.host.interval_s or self._services.interval_s)
            return ("·", -1) if seconds is None else ("▁▄█"[bad], bad)
        read, bounds, top = METRICS[self._metric]
        value = read(view)
        if value is None:
            return "·", -1
        return _BLOCKS[max(0, min(7, int(value / top * 8)))], level(value, bounds)

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        grid = self.query_one(HeatGrid)
        grid.refresh()
        counts = Counter(self._mark(name)[1] for name in grid.names)
        words = f"● {counts[0]} fine  ▲ {counts[1]} to look at  ✗ {counts[2]} bad  · {counts[-1]} away or not known"
        self.query_one("#heat-title", Static).update(f"{len(grid.names)} hosts by {self._metric.upper()}   {words}")
        self.query_one("#heat-host", Static).update(self._line(grid.current))
        signs = "● ▲ ✗ ○ ◇ states" if self._metric == "state" else "▁ low  █ high  · not known  ✗ ○ ◇ away"
        keys = "m figure  s order  enter host  esc closes"
        self.query_one("#heat-note", Static).update(f"{signs}   {keys}")

    def _line(self, name: str | None) -> str:
        view = self._known.get(name or "")
        if view is None:
            return ""
        glyph, word = HOST_STATES[view.state]
        told = [
            f"{each} {DASH if (value := METRICS[each][0](view)) is None else _figure(each, value)}" for each in METRICS
        ]
        return clean(
            f"{glyph} {view.host.name}  {word}  {'  '.join(told)}  {age(data_age(view, self._now))} old  {view.detail}"
        )

    @on(HeatGrid.Moved)
    def _moved(self) -> None:
        self._draw()

    @on(HeatGrid.Opened)
    def _opened(self, event: HeatGrid.Opened) -> None:
        self.dismiss(event.name)

    def action_metric(self, step: int) -> None:
        self._metric = NAMES[(NAMES.index(self._metric) + step) % len(NAMES)]
        self._draw()

    def action_order(self) -> None:
        self._by_name = not self._by_name
        self._take(self._services.view)
        self._draw()

    def action_close(self) -> None:
        self.dismiss(None)


def _figure(name: str, value: float) -> str:
    return percent(value) if name in ("cpu", "mem", "disk") else number(value, 0)
