"""In which order the hosts stand, and which are kept; sort keys are made once a version of a host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from console.panes.hostfilter import FIGURES, HOSTS
from console.panes.keptorder import KeptOrder
from console.panes.query import Query, parse
from console.widgets.severity import STATE_RANK

if TYPE_CHECKING:
    from console.panes.keptorder import Key
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
        self.backwards = False
        self.query: Query[HostView] = Query("")
        self._kept = KeptOrder()
        self._turned: tuple[list[str], list[str]] = ([], [])  # an order, and the same from its end

    def cycle(self) -> str:
        """Go to the next order and return its name."""
        names = list(ORDERS)
        self.sort_by(names[(names.index(self.order) + 1) % len(names)])
        return self.order

    def sort_by(self, order: str) -> None:
        """Take that order, from its worst end."""
        self.order, self.backwards = order, False
        self._kept.forget()

    def filter(self, text: str) -> None:
        """Take another filter; an empty one keeps all."""
        self.query = parse(text, HOSTS)
        self._kept.forget()

    def names(self, hosts: tuple[HostView, ...], now: datetime) -> list[str]:
        """Return the names of the hosts kept, in order; the same list as before where no host has moved."""
        if self.query.moves:  # what passes changes with the clock alone
            self._kept.forget()
        key_of, query = ORDERS[self.order], self.query
        if query.terms:
            names = self._kept.names(hosts, lambda view: key_of(view) if query.keeps(view, now) else None)
        else:
            names = self._kept.names(hosts, key_of)
        if not self.backwards:
            return names
        if self._turned[0] is not names:
            self._turned = names, names[::-1]
        return self._turned[1]
