"""The demo's inventory: held in memory, so that its hosts can be put into maintenance too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models import Host


class HeldInventory:
    """Port InventoryKeeper over a list that somebody else holds."""

    def __init__(self, read: Callable[[], list[Host]], write: Callable[[list[Host]], None]) -> None:
        self._read, self._write = read, write

    async def hosts(self) -> tuple[Host, ...]:
        """Return the hosts held."""
        return tuple(self._read())

    async def set_maintenance(self, names: Sequence[str], on: bool, until: datetime | None) -> None:
        """Put hosts into maintenance, or out of it."""
        wanted = frozenset(names)
        self._write(
            [
                replace(host, maintenance=on, maintenance_until=until if on else None) if host.name in wanted else host
                for host in self._read()
            ]
        )
