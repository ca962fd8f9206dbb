"""In which order the hosts stand, and which are kept; sort keys are made once a version of a host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from console.panes.hostfilter import FIGURES, HOSTS
from console.panes.query import Query, parse
from console.widgets.severity import STATE_RANK
from core.models import HostView

Key = tuple[float, ...]
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
        self._known: dict[str, tuple[int, Key | None]] = {}

    def cycle(self) -> str:
        """Go to the next order and return its name."""
        names = list(ORDERS)
        self.order, self.backwards = names[(names.index(self.order) + 1) % len(names)], False
        self._known.clear()
        return self.order

    def filter(self, text: str) -> None:
        """Take another filter; an empty one keeps all."""
        self.query = parse(text, HOSTS)
        self._known.clear()

    def names(self, hosts: tuple[HostView, ...], now: datetime) -> list[str]:
        """Return the names of the hosts kept, in order."""
        key_of, query, known = ORDERS[self.order], self.query, self._known
        if query.moves:  # what passes changes with the clock alone
            known.clear()
        rows: list[tuple[Key, str]] = []
        for view in hosts:
            name = view.host.name
            seen = known.get(name)
            if seen is None or seen[0] != view.version:
                key = key_of(view) if query.keeps(view, now) else None
                seen = known[name] = (view.version, key)
            if seen[1] is not None:
                rows.append((seen[1], name))
        rows.sort(reverse=self.backwards)
        if len(known) > 2 * len(hosts) + 100:
            known.clear()
        return [name for _key, name in rows]
