"""The fleet as a table of values, for export. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from console.panes.hostfilter import disk_pct, failed_units, net_bps, pending_updates
from console.widgets.columns import Column

if TYPE_CHECKING:
    from console.widgets.columns import Scalar
    from core.models import HostView, SystemFigures


def _column(name: str, read: Callable[[HostView], Scalar]) -> Column[HostView]:
    return Column(name, name.upper(), 8, read)


def _system(name: str, read: Callable[[SystemFigures], Scalar]) -> Column[HostView]:
    return _column(name, lambda view: read(view.sample.system) if view.sample else None)


FLEET_COLUMNS: tuple[Column[HostView], ...] = (
    _column("host", lambda view: view.host.name),
    _column("state", lambda view: view.state.value),
    _column("reason", lambda view: view.reason.value),
    _column("detail", lambda view: view.detail),
    _column("address", lambda view: view.host.target),
    _column("groups", lambda view: " ".join(view.host.groups)),
    _column("tags", lambda view: " ".join(view.host.tags)),
    _column("sampled", lambda view: view.sample.ts if view.sample else None),
    _system("cpu_pct", lambda system: system.cpu_pct),
    _system("mem_pct", lambda system: system.mem_pct),
    _column("disk_pct", disk_pct),
    _system("load1", lambda system: system.load1),
    _column("rx_bps", lambda view: net_bps(view)[0]),
    _column("tx_bps", lambda view: net_bps(view)[1]),
    _column("failed_units", failed_units),
    _column("updates", pending_updates),
    _column("uptime_s", lambda view: view.sample.uptime_s if view.sample else None),
)
