"""In which order the hosts stand, and which are kept; sort keys are made once a version of a host."""

from __future__ import annotations

from collections.abc import Callable

from console.panes.hostfilter import FIGURES, Predicate, parse
from console.panes.keptorder import KeptOrder, Key
from console.widgets.severity import STATE_RANK
from core.models import HostView

_UNKNOWN = (1.0, 0.0)


def _falling(name: str) -> Callable[[HostView], Key]:
    figure = FIGURES[name]

    def key(view: HostView) -> Key:
        value = figure(view)
        return _UNKNOWN if value is None else (0.0, -value)

    return key


ORDERS: dict[str, Callable[[HostView], Key]] = {
    "severity": lambda view: (float(STATE_RANK[view.state]),),
    "name": lambda view: (),
    **{name: _falling(name) for name in ("cpu", "mem", "disk", "load", "net")},
    "age": lambda view: (0.0, view.sample.ts.timestamp()) if view.sample else (-1.0,),
}


class HostOrder:
    """Sorts and filters the hosts of each new view; a host that did not change costs a look-up."""

    def __init__(self) -> None:
        self.order = "severity"
        self.query = ""
        self.remark = ""
        self._keep: Predicate | None = None
        self._kept = KeptOrder()

    def cycle(self) -> str:
        """Go to the next order and return its name."""
        names = list(ORDERS)
        self.order = names[(names.index(self.order) + 1) % len(names)]
        self._kept.forget()
        return self.order

    def filter(self, query: str) -> None:
        """Take another filter; an empty one keeps all."""
        self.query = query.strip()
        self._keep, self.remark = parse(self.query) if self.query else (None, "")
        self._kept.forget()

    def names(self, hosts: tuple[HostView, ...]) -> list[str]:
        """Return the names of the hosts kept, in order; the same list as before where no host has moved."""
        return self._kept.names(hosts, self._key)

    def _key(self, view: HostView) -> Key | None:
        return ORDERS[self.order](view) if self._keep is None or self._keep(view) else None
