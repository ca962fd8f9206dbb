"""Changing the inventory from a running program: maintenance on and off, off the loop, under the file's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from core.inventory.file import Inventory
from core.models import Host


def with_maintenance(host: Host, on: bool, until: datetime | None = None) -> Host:
    """Return the host in maintenance (to ``until``, aware; None: until it is taken off), or out of it."""
    return replace(host, maintenance=on, maintenance_until=until if on else None)


def set_maintenance(path: Path, targets: Iterable[str], on: bool, until: datetime | None = None) -> tuple[Host, ...]:
    """Put hosts (names, ``group:NAME``, ``tag:NAME``) into maintenance or out of it; returns them as they are now.

    Blocking. Raises where one of the targets is not there; then nothing is changed.
    """
    with Inventory.edit(path) as inventory:
        names = dict.fromkeys(host.name for target in targets for host in inventory.chosen(target))
        for name in names:
            inventory.update(with_maintenance(inventory.get(name), on, until))
        return tuple(inventory.get(name) for name in names)


class InventoryFile:
    """The inventory as operations see it (port InventoryKeeper), over hosts.toml."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def hosts(self) -> tuple[Host, ...]:
        """Return the hosts as the file holds them."""
        return (await asyncio.to_thread(Inventory.load, self._path)).hosts

    async def set_maintenance(self, names: Sequence[str], on: bool, until: datetime | None) -> None:
        """Put hosts into maintenance, or out of it."""
        await asyncio.to_thread(set_maintenance, self._path, names, on, until)
