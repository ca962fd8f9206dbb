"""The order of thousands of hosts kept from view to view: only those that changed are looked at, only movers moved."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models import HostView

Key = tuple[float, ...]
_FEW = 8  # where more than one host in so many has moved, sorting all of them is quicker


class KeptOrder:
    """Sorts names by a key of their hosts; a host without a key is left out."""

    def __init__(self) -> None:
        self._known: dict[str, Key | None] = {}
        self._hosts: tuple[HostView, ...] = ()
        self._rows: list[tuple[Key, str]] = []
        self._names: list[str] = []

    def forget(self) -> None:
        """Look at every host next time: the keys are made in another way now."""
        self._hosts = ()

    def names(self, hosts: tuple[HostView, ...], key_of: Callable[[HostView], Key | None]) -> list[str]:
        """Return the names in order; the same list as before where no host has moved."""
        before, self._hosts = self._hosts, hosts
        if len(before) != len(hosts):
            return self._anew(hosts, key_of)
        known, moved = self._known, []
        for old, view in zip(before, hosts, strict=True):
            if old is view:  # most did not change: a look is all they cost
                continue
            name = view.host.name
            if name not in known or old.host.name != name:
                return self._anew(hosts, key_of)
            if (key := key_of(view)) != known[name]:
                moved.append((name, key))
        if len(moved) > len(hosts) // _FEW:
            return self._anew(hosts, key_of)
        for name, key in moved:
            if (was := known[name]) is not None:
                del self._rows[bisect_left(self._rows, (was, name))]
            if key is not None:
                insort(self._rows, (key, name))
            known[name] = key
        if moved:
            self._names = [name for _, name in self._rows]
        return self._names

    def _anew(self, hosts: tuple[HostView, ...], key_of: Callable[[HostView], Key | None]) -> list[str]:
        self._known = {view.host.name: key_of(view) for view in hosts}
        self._rows = sorted((key, name) for name, key in self._known.items() if key is not None)
        self._names = [name for _, name in self._rows]
        return self._names
