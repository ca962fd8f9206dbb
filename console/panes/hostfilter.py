"""What hosts can be filtered and sorted by: their figures, texts and words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from console.panes.query import Figure, Vocabulary
from core import models

if TYPE_CHECKING:
    from console.panes.query import Unit
    from core.models import HostView


def disk_pct(view: HostView) -> float | None:
    """Return how full the fullest filesystem is, in percent."""
    if view.sample is None or view.sample.filesystems is None:
        return None
    known = [each.used_pct for each in view.sample.filesystems if each.used_pct is not None]
    return max(known, default=None)


def net_bps(view: HostView) -> tuple[float | None, float | None]:
    """Return received and sent bytes/s over all interfaces but the loopback."""
    if view.sample is None or view.sample.interfaces is None:
        return None, None
    cards = [each for each in view.sample.interfaces if each.interface != "lo"]
    return _total(each.rx_bps for each in cards), _total(each.tx_bps for each in cards)


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _net(view: HostView) -> float | None:
    return _total(net_bps(view))


def failed_units(view: HostView) -> int | None:
    """Return how many units have failed; None where that is not known."""
    found = view.findings.get("services")
    if found is None or not isinstance(found.finding.value, tuple):
        return None
    return sum(isinstance(one, models.ServiceFigures) and one.failed for one in found.finding.value)


def pending_updates(view: HostView) -> int | None:
    """Return how many packages wait to be updated; None where that is not known."""
    found = view.findings.get("updates")
    value = found.finding.value if found else None
    return value.pending if isinstance(value, models.UpdateFigures) else None


def data_age(view: HostView, now: datetime) -> float | None:
    """Return how old the last frame is, in seconds."""
    return (now - view.sample.ts).total_seconds() if view.sample else None


FIGURES: dict[str, Callable[[HostView], float | None]] = {
    "cpu": lambda view: view.sample.system.cpu_pct if view.sample else None,
    "mem": lambda view: view.sample.system.mem_pct if view.sample else None,
    "disk": disk_pct,
    "load": lambda view: view.sample.system.load1 if view.sample else None,
    "net": _net,
    "up": lambda view: view.sample.uptime_s if view.sample else None,
    "failed": failed_units,
    "updates": pending_updates,
    "fails": lambda view: float(view.failures),
}
"""Figures that only a newer view changes; the age of data is not among them."""

_UNITS: dict[str, Unit] = {"cpu": "percent", "mem": "percent", "disk": "percent", "net": "bytes", "up": "seconds"}


def _still(read: Callable[[HostView], float | None]) -> Callable[[HostView, datetime], float | None]:
    return lambda view, now: read(view)


def _words(view: HostView) -> Iterable[str]:
    host = view.host
    return (host.name, view.state.value, host.address, *host.tags, *host.groups)


HOSTS: Vocabulary[HostView] = Vocabulary(
    figures={
        **{name: Figure(_still(read), _UNITS.get(name, "number")) for name, read in FIGURES.items()},
        "age": Figure(data_age, "seconds", moves=True),
    },
    texts={
        "state": lambda view: (view.state.value,),
        "reason": lambda view: (view.reason.value,),
        "tag": lambda view: view.host.tags,
        "group": lambda view: view.host.groups,
        "host": lambda view: (view.host.name,),
        "addr": lambda view: (view.host.target,),
        "unit": lambda view: _named(view, "services", "unit"),
        "container": lambda view: _named(view, "containers", "name"),
    },
    words=_words,
)
"""A host by name, state, address, tag or group, by its figures, and by the units and containers that it tells of."""


def _named(view: HostView, kind: str, field: str) -> Iterable[str]:
    found = view.findings.get(kind)
    value = found.finding.value if found else None
    return [str(getattr(one, field, "")) for one in value] if isinstance(value, tuple) else ()
